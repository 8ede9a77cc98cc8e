package page_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A browser is a headless Chromium with one tab, spoken to through pipes in its
// own protocol: a JSON message, a zero byte.
type browser struct {
	t       testing.TB
	in      io.Writer
	out     *bufio.Reader
	session string
	last    int
	console []string // what pages have complained of
}

// openBrowser skips the test where there is no Chromium, or in a hurry.
func openBrowser(t testing.TB) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium in the path: install it (Debian: apt-get install chromium)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	home, err := os.MkdirTemp("", "browser")
	fatal(t, err)
	c := exec.CommandContext(ctx, path,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--hide-scrollbars", "--remote-debugging-pipe", "--user-data-dir="+filepath.Join(home, "profile"), "about:blank")
	c.Env = append(os.Environ(), "HOME="+home)
	readIn, in, err := os.Pipe()
	fatal(t, err)
	out, writeOut, err := os.Pipe()
	fatal(t, err)
	c.ExtraFiles = []*os.File{readIn, writeOut}
	fatal(t, c.Start())
	readIn.Close()
	writeOut.Close()
	b := &browser{t: t, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		fmt.Fprintf(in, `{"id":0,"method":"Browser.close"}`+"\x00")
		in.Close()
		out.Close()
		c.Wait() // it was told to end, and how it does is its own affair
		cancel()
		os.RemoveAll(home) // what its children still write there is theirs to lose
	})
	b.attach()
	return b
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// attach opens a session with the first tab.
func (b *browser) attach() {
	var created struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &created)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": created.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
}

// call sends a command and reads its result, and notes complaints on the way.
func (b *browser) call(method string, parameters, result any) {
	b.t.Helper()
	b.last++
	message := map[string]any{"id": b.last, "method": method}
	if parameters != nil {
		message["params"] = parameters
	}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	fatal(b.t, err)
	_, err = b.in.Write(append(text, 0))
	fatal(b.t, err)
	for {
		text, err := b.out.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("%s: the browser has ended: %v", method, err)
		}
		var answer struct {
			ID     int
			Method string
			Params json.RawMessage
			Result json.RawMessage
			Error  json.RawMessage
		}
		fatal(b.t, json.Unmarshal(text[:len(text)-1], &answer))
		switch {
		case answer.Method == "Runtime.exceptionThrown" || answer.Method == "Log.entryAdded":
			b.console = append(b.console, string(answer.Params))
		case answer.ID != b.last:
		case answer.Error != nil:
			b.t.Fatalf("%s: %s", method, answer.Error)
		case result != nil:
			fatal(b.t, json.Unmarshal(answer.Result, result))
			return
		default:
			return
		}
	}
}

// do runs a script in the page, awaits what it returns, and reads it.
func (b *browser) do(script string, result any) {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", script, answer.ExceptionDetails)
	}
	if result != nil {
		fatal(b.t, json.Unmarshal(answer.Result.Value, result))
	}
}

// text is what a script returns, as text.
func (b *browser) text(script string) (text string) {
	b.t.Helper()
	b.do("String("+script+")", &text)
	return text
}

// wait waits until a condition holds in the page, which looks whenever the page
// has changed.
func (b *browser) wait(condition string) {
	b.t.Helper()
	var held bool
	b.do(`new Promise((done) => {
		const look = () => { if (`+condition+`) { watch.disconnect(); clearTimeout(limit); done(true); } };
		const watch = new MutationObserver(look), limit = setTimeout(() => done(false), 30000);
		watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
		document.addEventListener("readystatechange", look);
		look();
	})`, &held)
	if !held {
		b.t.Fatalf("in vain waited for: %s\nthe page: %s\nconsole: %q", condition, b.text("document.body.innerText"), b.console)
	}
}

// visit opens an address.
func (b *browser) visit(address string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": address}, nil)
	b.wait(`document.readyState === "complete" && location.href.startsWith("` + address + `")`)
}

// press presses a key that moves or acts.
func (b *browser) press(key string, code int) {
	b.t.Helper()
	parameters := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code}
	if key == "Enter" {
		parameters["text"] = "\r"
	}
	b.call("Input.dispatchKeyEvent", parameters, nil)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code}, nil)
}

// write types a text into what has the focus.
func (b *browser) write(text string) {
	b.t.Helper()
	b.call("Input.insertText", map[string]any{"text": text}, nil)
}

// dress sets the window's size and whether it is dark.
func (b *browser) dress(width, height int, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// picture saves the whole page where MOMENTS_PICTURES names a folder, for people
// to look at.
func (b *browser) picture(name string) {
	b.t.Helper()
	folder := os.Getenv("MOMENTS_PICTURES")
	if folder == "" {
		return
	}
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	raw, err := base64.StdEncoding.DecodeString(shot.Data)
	fatal(b.t, err)
	fatal(b.t, os.WriteFile(filepath.Join(folder, name+".png"), raw, 0o644))
}
