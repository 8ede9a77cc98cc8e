package protocol

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"moments/features"
	"moments/infer"
	"moments/infer/internal/testbundle"
	"moments/infer/registry"
	"moments/infer/serve/journeyjson"
	"moments/infer/serve/protocol/internal/oip"
	"moments/weights"
)

// direct is an engine without limits; refuse is what it refuses everything with.
type direct struct{ refuse error }

func (d *direct) Format(m *registry.Model) (*journeyjson.Format, error) {
	return journeyjson.New(m.Bundle.Schema, features.CutoffRule{At: 1}, nil), nil // a task that cuts at a moment
}

func (d *direct) Score(ctx context.Context, m *registry.Model, journeys []features.Journey, cutoffs []features.Cutoff) ([]infer.Score, error) {
	scores := make([]infer.Score, len(journeys))
	return scores, d.Do(ctx, func() (err error) {
		for i := range journeys {
			if scores[i], err = m.Scorer.ScoreJourney(&journeys[i], cutoffs[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *direct) Enter() (leave func(), err error) { return func() {}, d.refuse }

func (d *direct) Do(_ context.Context, work func() error) error { return work() }

// double is an ONNX model: y is x times two, and texts are how many texts it got.
type double struct{}

func (double) Inputs() []registry.Tensor {
	return []registry.Tensor{{Name: "x", Datatype: registry.Float32, Shape: []int64{-1, 2}}}
}

func (double) Outputs() []registry.Tensor {
	return []registry.Tensor{{Name: "y", Datatype: registry.Float32, Shape: []int64{-1, 2}}, {Name: "rows", Datatype: registry.Int64, Shape: []int64{1}}}
}

func (double) Run(_ context.Context, in []registry.Value, outputs ...string) ([]registry.Value, error) {
	var all []registry.Value
	for _, name := range outputs {
		if name == "rows" {
			all = append(all, registry.Value{Tensor: registry.Tensor{Name: name, Datatype: registry.Int64, Shape: []int64{1}}, Data: binary.LittleEndian.AppendUint64(nil, uint64(in[0].Shape[0]))})
			continue
		}
		out := registry.Value{Tensor: registry.Tensor{Name: name, Datatype: registry.Float32, Shape: in[0].Shape}}
		for rest := in[0].Data; len(rest) > 0; rest = rest[4:] {
			x := math.Float32frombits(binary.LittleEndian.Uint32(rest))
			out.Data = binary.LittleEndian.AppendUint32(out.Data, math.Float32bits(2*x))
		}
		all = append(all, out)
	}
	return all, nil
}

// A fixture is a service with the models "journeys", whose networks follow
// events, "rows", whose networks do not, and "double", an ONNX model.
type fixture struct {
	*Service
	engine *direct
	http   *httptest.Server
	grpc   oip.GRPCInferenceServiceClient
	conn   *grpc.ClientConn
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	dir := t.TempDir()
	b := testbundle.Save(t, 1, filepath.Join(dir, "journeys"))
	if err := tabular(b).Save(filepath.Join(dir, "rows")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "double.onnx"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	models, err := registry.Open(context.Background(), []string{dir}, registry.Options{
		Workers: 1, OpenONNX: func(string) (registry.TensorModel, error) { return double{}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(models.Close)
	f := &fixture{engine: &direct{}}
	f.Service = New(Options{
		Registry: models, Engine: f.engine, Version: "1.2", MaxBody: 1 << 20, MaxRows: 100, Control: true,
		Now: func() time.Time { return time.UnixMicro(1.8e15) },
	})
	f.SetReady(true)
	f.http = httptest.NewServer(f.Handler())
	t.Cleanup(f.http.Close)
	f.listen(t)
	return f
}

func (f *fixture) listen(t testing.TB) {
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(f.ServerOptions()...)
	f.Register(server)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	var err error
	f.conn, err = grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.conn.Close() })
	f.grpc = oip.NewGRPCInferenceServiceClient(f.conn)
}

// tabular is the bundle without the network that follows events.
func tabular(b *weights.Bundle) *weights.Bundle {
	c, schema := *b, *b.Schema
	schema.TokenNormalizer = nil
	schema.Habits = nil
	c.Schema, c.Name = &schema, "rows"
	c.Networks = nil
	for _, n := range b.Networks {
		if n.Name == "mlp" {
			n.Weight = 1
		}
		if n.Name != "journey" {
			c.Networks = append(c.Networks, n)
		}
	}
	return &c
}

// call sends a request and returns the status, header and body of the answer.
func (f *fixture) call(t testing.TB, method, path string, body []byte, header ...string) (int, http.Header, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, f.http.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := f.http.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, text
}

// journeyText writes a journey as clients do.
func journeyText(t testing.TB, j *features.Journey) string {
	t.Helper()
	events := []map[string]any{}
	for _, e := range j.Events {
		events = append(events, map[string]any{"time": time.UnixMicro(e.Time).UTC().Format(time.RFC3339Nano), "type": e.Type, "amount": e.Values[0].Number, "channel": e.Values[1].Text})
	}
	profile := map[string]any{"city": j.Profile[1].Text, "plan": j.Profile[2].Text}
	if age := j.Profile[0].Number; age == age {
		profile["age"] = age
	}
	text, err := json.Marshal(map[string]any{"customer": j.Customer, "profile": profile, "events": events})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wantScores are what the model's scorer makes of journeys, as the outputs of
// the protocol.
func (f *fixture) wantScores(t testing.TB, model string, journeys []features.Journey) []registry.Value {
	t.Helper()
	m, release, err := f.Registry.Acquire(model, "")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	scores := make([]infer.Score, len(journeys))
	for i := range journeys {
		if scores[i], err = m.Scorer.ScoreJourney(&journeys[i], features.Cutoff{Time: 1.8e15 - 1, Events: len(journeys[i].Events)}); err != nil {
			t.Fatal(err)
		}
	}
	var want []registry.Value
	for _, name := range []string{"conversion", "churn", "anomaly", "anomaly_score", "anomaly_direction"} {
		want = append(want, scoreOutput(m.Bundle.Targets, name, scores))
	}
	return want
}

// readAnswer reads the outputs of an HTTP answer.
func readAnswer(header http.Header, body []byte) ([]registry.Value, error) {
	text := body
	if n := header.Get(headerLength); n != "" {
		var length int
		fmt.Sscan(n, &length)
		text = body[:length]
	}
	// An output is written as an input is.
	text = bytes.Replace(text, []byte(`"outputs":`), []byte(`"inputs":`), 1)
	r, err := parseRequest(text, body[len(text)-len(`inputs`)+len(`outputs`):], anything)
	if err != nil {
		return nil, err
	}
	var values []registry.Value
	for _, in := range r.inputs {
		values = append(values, in.Value)
	}
	return values, nil
}

func sameValues(t testing.TB, got, want []registry.Value) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d outputs, want %d", len(got), len(want))
	}
	for i := range want {
		g, w := got[i], want[i]
		if g.Name != w.Name || g.Datatype != w.Datatype || fmt.Sprint(g.Shape) != fmt.Sprint(w.Shape) || !bytes.Equal(g.Data, w.Data) {
			t.Errorf("got %s %s %v %x, want %s %s %v %x", g.Name, g.Datatype, g.Shape, g.Data, w.Name, w.Datatype, w.Shape, w.Data)
		}
	}
}
