package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"moments/features"
	"moments/model"
)

// testBundle is a small bundle with every part; number tells bundles apart.
func testBundle(t testing.TB, number int) *Bundle {
	t.Helper()
	random := rand.New(rand.NewPCG(1, uint64(number)))
	schema, examples := testSchema(t, random)
	numeric, binary, cardinalities, edges := schema.Table()
	table := model.Table{Numeric: numeric, Binary: binary, Cardinalities: cardinalities, Edges: edges}
	for _, e := range edges {
		table.Bins = max(table.Bins, len(e)-1)
	}
	width := schema.StandardWidth()
	return &Bundle{
		Name: "test", Targets: []string{"churn"}, PositiveRates: []float64{0.25}, AlertRate: 0.01, NoiseSeed: 1<<64 - 1,
		TaskYAML: []byte("name: test\n"), Layout: schema.Layout, Schema: schema,
		Networks: []Network{
			testNetwork(t, random, "tabm-0", Classifier, 0.5, model.TabM{Table: table, Targets: 1, Members: 2, Width: 4, Layers: 2, Embedding: 2, CategoryWidth: 2}),
			testNetwork(t, random, "mlp-0", Classifier, 0.5, model.MLP{Table: table, Targets: 1, Hidden: []int{3}, CategoryWidth: 2}),
			testNetwork(t, random, "denoiser", Denoiser, 0, model.Denoiser{Features: width, Width: 4, Layers: 1, Steps: 5}),
		},
		Reference:   Reference{Conformal: []float32{0.5, 1, 1, 2}, Typical: NewTypical(examples)},
		Metrics:     json.RawMessage(fmt.Sprintf(`{"number":%d,"text":"<&>"}`, number)),
		Versions:    map[string]string{"moments": "1.0"},
		Attachments: map[string][]byte{"report.html": []byte("<html>")},
	}
}

func testSchema(t testing.TB, random *rand.Rand) (*features.Schema, []features.Example) {
	t.Helper()
	layout := features.Layout{Profile: []features.Field{{Name: "age", Kind: features.Numeric}, {Name: "plan", Kind: features.Categorical}, {Name: "city", Kind: features.Categorical}}}
	fitter := features.NewFitter(layout, features.DefaultOptions())
	journeys := make([]features.Journey, 200)
	for i := range journeys {
		journeys[i] = features.Journey{Customer: fmt.Sprint(i), Profile: []features.Value{
			features.Number(random.Float64()), features.Text(string(rune('a' + random.IntN(3)))), features.Text(string(rune('a' + random.IntN(12)))),
		}}
		fitter.Add(&journeys[i], features.Cutoff{})
	}
	schema, err := fitter.Schema()
	if err != nil {
		t.Fatal(err)
	}
	encoder, examples := schema.NewEncoder(), make([]features.Example, len(journeys))
	for i := range journeys {
		encoder.EncodeJourney(&journeys[i], features.Cutoff{}, &examples[i])
	}
	if err := schema.FitNormalizer(examples, 1); err != nil {
		t.Fatal(err)
	}
	return schema, examples
}

func testNetwork(t testing.TB, random *rand.Rand, name string, role Role, share float64, config model.Network) Network {
	t.Helper()
	saved, err := model.Save(config)
	if err != nil {
		t.Fatal(err)
	}
	n := Network{Name: name, Role: role, Saved: saved, Weight: share, Params: map[string]Tensor{}}
	g, err := n.Graph()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range g.Params() {
		data := make([]float32, p.RowSize())
		for i := range data {
			data[i] = random.Float32()
		}
		n.Params[p.Name] = Tensor{p.Shape, data}
	}
	return n
}

func save(t testing.TB, b *Bundle, dir string) {
	t.Helper()
	if err := b.save(dir, quickDisk{}); err != nil {
		t.Fatal(err)
	}
}

// quickDisk does not wait for the disk, which tests do not switch off.
type quickDisk struct{ realDisk }

func (quickDisk) Sync(string) error                   { return nil }
func (quickDisk) Write(path string, raw []byte) error { return os.WriteFile(path, raw, 0o644) }

// number opens the bundle in dir and returns which one it is.
func number(t testing.TB, dir string) int {
	t.Helper()
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var metrics struct{ Number int }
	if err := json.Unmarshal(b.Metrics, &metrics); err != nil {
		t.Fatal(err)
	}
	return metrics.Number
}

// text is everything of a bundle in a form to compare.
func text(t testing.TB, b *Bundle) map[string]string {
	t.Helper()
	files, err := b.files()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for name, raw := range files {
		all[name] = string(raw)
	}
	return all
}

func TestBundleRoundTrip(t *testing.T) {
	bare := testBundle(t, 2)
	bare.Networks, bare.Targets, bare.PositiveRates = bare.Networks[2:], nil, nil
	bare.Metrics, bare.Versions, bare.Attachments, bare.Reference = nil, nil, nil, Reference{}
	for _, want := range []*Bundle{testBundle(t, 1), bare} {
		dir := filepath.Join(t.TempDir(), "new", "parents", "test")
		if err := want.Save(dir); err != nil {
			t.Fatal(err)
		}
		got, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := text(t, got), text(t, want); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		if want.Metrics == nil && got.Metrics != nil {
			t.Errorf("metrics are %q, want none", got.Metrics)
		}
		again := filepath.Join(t.TempDir(), "again")
		save(t, got, again)
		for name := range text(t, want) {
			a, _ := os.ReadFile(filepath.Join(dir, name))
			b, _ := os.ReadFile(filepath.Join(again, name))
			if len(a) == 0 || string(a) != string(b) {
				t.Errorf("%s differs when the bundle is saved again", name)
			}
		}
	}
}

func TestOpenRefusesDamage(t *testing.T) {
	join := filepath.Join
	for name, test := range map[string]struct {
		damage func(dir string) error
		want   string
	}{
		"missing network":  {func(d string) error { return os.Remove(join(d, "mlp-0.safetensors")) }, "mlp-0.safetensors"},
		"missing manifest": {func(d string) error { return os.Remove(join(d, manifestFile)) }, manifestFile},
		"missing bundle":   {os.RemoveAll, "no such file"},
		"truncated":        {func(d string) error { return os.Truncate(join(d, "tabm-0.safetensors"), 100) }, "tabm-0.safetensors has 100 bytes, want"},
		"empty":            {func(d string) error { return os.Truncate(join(d, taskFile), 0) }, "task.yaml has 0 bytes, want 11"},
		"extra file":       {func(d string) error { return os.WriteFile(join(d, "notes.txt"), nil, 0o644) }, "extra file notes.txt"},
		"extra folder":     {func(d string) error { return os.Mkdir(join(d, "old"), 0o755) }, "extra file old"},
		"folder for file": {func(d string) error {
			return errors.Join(os.Remove(join(d, taskFile)), os.Mkdir(join(d, taskFile), 0o755))
		}, "want a regular file"},
		"link out of it": {func(d string) error {
			return errors.Join(os.Rename(join(d, taskFile), d+".yaml"), os.Symlink(d+".yaml", join(d, taskFile)))
		}, "escapes"},
		"edited manifest": {func(d string) error {
			raw, err := os.ReadFile(join(d, manifestFile))
			return errors.Join(err, os.WriteFile(join(d, manifestFile), []byte(strings.Replace(string(raw), "0.01", "0.02", 1)), 0o644))
		}, "edited or damaged"},
		"newer format": {func(d string) error {
			return os.WriteFile(join(d, manifestFile), []byte(`{"format":2,"shiny":true}`), 0o644)
		}, "has format 2, want 1"},
		"no JSON": {func(d string) error { return os.WriteFile(join(d, manifestFile), []byte(`{`), 0o644) }, "unexpected end of JSON"},
	} {
		dir := filepath.Join(t.TempDir(), "test")
		save(t, testBundle(t, 1), dir)
		if err := test.damage(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "weights: ") {
			t.Errorf("%s: got error %v, want %q", name, err, test.want)
		}
	}
}

// Someone who can compute checksums still gets nothing past the other checks.
func TestOpenRefusesForgery(t *testing.T) {
	other, err := testBundle(t, 2).files()
	if err != nil {
		t.Fatal(err)
	}
	tensors := func(ts map[string]Tensor) []byte {
		var out bytes.Buffer
		if err := WriteTensors(&out, ts, nil); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	for name, test := range map[string]struct {
		forge func(m *manifest, files map[string][]byte)
		want  string
	}{
		"another schema":  {func(m *manifest, files map[string][]byte) { files[schemaFile] = other[schemaFile] }, "schema.json has hash"},
		"no schema":       {func(m *manifest, files map[string][]byte) { files[schemaFile] = []byte(`{"version":1,"x":2}`) }, "unknown field"},
		"another network": {func(m *manifest, files map[string][]byte) { files["mlp-0.safetensors"] = files["tabm-0.safetensors"] }, "mlp-0: "},
		"no tensors":      {func(m *manifest, files map[string][]byte) { files["mlp-0.safetensors"] = nil }, "mlp-0.safetensors: weights: file has 0 bytes"},
		"no reference":    {func(m *manifest, files map[string][]byte) { files[referenceFile] = tensors(nil) }, "want the vectors conformal"},
		"fractional level": {func(m *manifest, files map[string][]byte) {
			files[referenceFile] = tensors(map[string]Tensor{tensorConformal: vector(nil), tensorNumeric: vector(nil), tensorCategory: vector([]float32{0.5})})
		}, "whole numbers"},
		"renamed":        {func(m *manifest, files map[string][]byte) { m.Networks[0].Name = "x" }, "network x is in file tabm-0.safetensors"},
		"file twice":     {func(m *manifest, files map[string][]byte) { m.Networks[0].File = schemaFile }, `names file "schema.json" twice`},
		"file elsewhere": {func(m *manifest, files map[string][]byte) { m.Networks[0].File = "../x" }, `file name "../x"`},
		"hidden file":    {func(m *manifest, files map[string][]byte) { m.Attachments = []string{".."} }, `file name ".."`},
		"unlisted":       {func(m *manifest, files map[string][]byte) { m.Attachments = []string{"a.onnx"} }, "no checksum of a.onnx"},
		"unused":         {func(m *manifest, files map[string][]byte) { m.Attachments = nil }, `checksum of "report.html", which nothing uses`},
		"wrong targets":  {func(m *manifest, files map[string][]byte) { m.Targets, m.PositiveRates = []string{"a", "b"}, nil }, `want output "probability" of width 2`},
	} {
		files, err := testBundle(t, 1).files()
		if err != nil {
			t.Fatal(err)
		}
		m, err := parseManifest(files[manifestFile])
		if err != nil {
			t.Fatal(err)
		}
		test.forge(&m, files)
		for name := range m.Files {
			m.Files[name] = describe(files[name])
		}
		if files[manifestFile], err = m.seal(); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := writeFolder(quickDisk{}, dir, files); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", name, err, test.want)
		}
	}
}

// A single changed byte, anywhere, is found.
func TestOpenFindsEveryChangedByte(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "test")
	save(t, testBundle(t, 1), dir)
	for name, raw := range text(t, testBundle(t, 1)) {
		path := filepath.Join(dir, name)
		for i := 0; i < len(raw); i += 1 + len(raw)/60 {
			changed := []byte(raw)
			changed[i] ^= 1 << (i % 8)
			if err := os.WriteFile(path, changed, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir); err == nil {
				t.Errorf("%s: bit %d of byte %d changed: got no error", name, i%8, i)
			}
		}
		if err := os.WriteFile(path, []byte(raw), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := number(t, dir); got != 1 {
		t.Errorf("put right again it is bundle %d, want 1", got)
	}
}

func TestValidateRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(b *Bundle)
		want  string
	}{
		"no name":         {func(b *Bundle) { b.Name = "" }, "no name"},
		"no schema":       {func(b *Bundle) { b.Schema = nil }, "no schema"},
		"layout":          {func(b *Bundle) { b.Layout.Profile = nil }, "want its schema's"},
		"same target":     {func(b *Bundle) { b.Targets = []string{"a", "a"} }, "each named once"},
		"rates":           {func(b *Bundle) { b.PositiveRates = nil; b.PositiveRates = []float64{0.1, 0.2} }, "got 2 positive rates"},
		"alert rate":      {func(b *Bundle) { b.AlertRate = 2 }, "shares from 0 to 1"},
		"unsorted":        {func(b *Bundle) { b.Reference.Conformal = []float32{2, 1} }, "do not ascend"},
		"typical":         {func(b *Bundle) { b.Reference.Typical.Numeric = nil }, "typical values of 0 numeric"},
		"no network":      {func(b *Bundle) { b.Networks = nil }, "has no network"},
		"no classifier":   {func(b *Bundle) { b.Networks = b.Networks[2:] }, "0 classifiers for 1 targets"},
		"no target":       {func(b *Bundle) { b.Targets, b.PositiveRates = nil, nil }, "2 classifiers for 0 targets"},
		"blend":           {func(b *Bundle) { b.Networks[0].Weight = 0.6 }, "add up to 1.1, want 1"},
		"negative weight": {func(b *Bundle) { b.Networks[0].Weight = -0.5 }, "weight -0.5"},
		"weightless":      {func(b *Bundle) { b.Networks[0].Weight, b.Networks[1].Weight = 0, 0 }, "add up to 0, want 1"},
		"two denoisers":   {func(b *Bundle) { n := b.Networks[2]; n.Name = "other"; b.Networks = append(b.Networks, n) }, "2 denoisers"},
		"role":            {func(b *Bundle) { b.Networks[0].Role = "" }, `role ""`},
		"wrong role":      {func(b *Bundle) { b.Networks[1].Role = Denoiser; b.Networks[0].Weight = 1; b.Networks = b.Networks[:2] }, "mlp-0: reads 1 numeric columns, the schema yields 4"},
		"same name":       {func(b *Bundle) { b.Networks[1].Name = "tabm-0" }, "two files named tabm-0.safetensors"},
		"taken name":      {func(b *Bundle) { b.Networks[1].Name = "reference" }, "two files named reference.safetensors"},
		"path name":       {func(b *Bundle) { b.Networks[1].Name = "../x" }, "want letters, digits"},
		"kind":            {func(b *Bundle) { b.Networks[1].Saved.Kind = "perceptron" }, `unknown architecture "perceptron"`},
		"missing param":   {func(b *Bundle) { delete(b.Networks[1].Params, "head/bias") }, "mlp-0: head/bias is missing, want shape [1]"},
		"extra param":     {func(b *Bundle) { b.Networks[1].Params["x"] = Tensor{} }, "x is no parameter of a mlp"},
		"param shape":     {func(b *Bundle) { b.Networks[1].Params["head/bias"] = Tensor{[]int{2}, make([]float32, 2)} }, "head/bias has shape [2], want [1]"},
		"param length":    {func(b *Bundle) { b.Networks[1].Params["head/bias"] = Tensor{[]int{1}, nil} }, "head/bias has 0 values, want 1"},
		"NaN":             {func(b *Bundle) { x := b.Networks[1].Params["head/bias"].Data; x[0] /= 0; x[0] -= x[0] }, "head/bias has NaN at position 0"},
		"narrow network": {func(b *Bundle) {
			b.Networks[2] = testNetwork(t, rand.New(rand.NewPCG(1, 1)), "d", Denoiser, 0, model.Denoiser{Features: 1, Width: 1, Layers: 1, Steps: 1})
		}, "d: reads 1 numeric columns, the schema yields"},
		"attachment":       {func(b *Bundle) { b.Attachments = map[string][]byte{"a/b": nil} }, `file name "a/b"`},
		"attached network": {func(b *Bundle) { b.Attachments = map[string][]byte{"mlp-0.safetensors": nil} }, "name of another file"},
		"metrics":          {func(b *Bundle) { b.Metrics = json.RawMessage("{") }, manifestFile},
	} {
		b := testBundle(t, 1)
		test.spoil(b)
		dir := filepath.Join(t.TempDir(), "test")
		if err := b.Save(dir); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", name, err, test.want)
		}
		if exists(dir) {
			t.Errorf("%s: something was saved", name)
		}
	}
}

// Configs that no builder wrote are refused before they cost anything.
func TestGraphRefusesImpossibleConfigs(t *testing.T) {
	for _, test := range []struct{ kind, config string }{
		{"mlp", `{`},
		{"mlp", `[]`},
		{"mlp", `{}`},
		{"mlp", `{"table":{"numeric":-1},"targets":1}`},
		{"mlp", `{"table":{"numeric":1e9},"targets":1}`},
		{"mlp", `{"table":{"numeric":1},"targets":0}`},
		{"mlp", `{"table":{"cardinalities":[0]},"targets":1,"category_width":0}`},
		{"tabm", `{"table":{"numeric":1000000,"bins":1000000},"targets":1,"members":1,"width":1,"layers":1,"embedding":1}`},
		{"tabm", `{"table":{"numeric":1},"targets":1,"members":1,"width":1,"layers":1000000}`},
		{"tabm", `{"table":{"numeric":1},"targets":1,"members":0,"width":1,"layers":1}`},
		{"denoiser", `{"features":1,"width":1,"layers":0,"steps":1}`},
		{"denoiser", `{"features":1,"width":1,"layers":1000000,"steps":1}`},
	} {
		n := Network{Name: "x", Saved: model.Saved{Kind: test.kind, Config: json.RawMessage(test.config)}}
		if _, err := n.Graph(); err == nil || !strings.HasPrefix(err.Error(), "weights: x: ") {
			t.Errorf("%s %s: got error %v", test.kind, test.config, err)
		}
	}
}

func TestNewTypical(t *testing.T) {
	nan := features.Missing().Number
	examples := []features.Example{}
	for _, row := range []struct {
		numeric  []float64
		category int32
	}{
		{[]float64{3, nan, nan}, 5}, {[]float64{1, 7, nan}, 2}, {[]float64{2, 9, nan}, 2}, {[]float64{100, nan, 4}, 5},
	} {
		ex := features.Example{Category: []int32{row.category}}
		for _, x := range row.numeric {
			ex.Numeric = append(ex.Numeric, float32(x))
		}
		examples = append(examples, ex)
	}
	got := NewTypical(examples)
	if want := []float32{2, 7}; !slices.Equal(got.Numeric[:2], want) || got.Numeric[2] == got.Numeric[2] || got.Category[0] != 2 {
		t.Errorf("got %v, want [2 7 NaN] and [2]", got)
	}
	if got := NewTypical(nil); got.Numeric != nil || got.Category != nil {
		t.Errorf("of no examples: got %v", got)
	}
}

func FuzzManifest(f *testing.F) {
	b := testBundle(f, 1)
	files, err := b.files()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(files[manifestFile])
	f.Add([]byte(`{"format":1,"networks":[{"name":"a","saved":{"kind":"mlp","config":{}}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		parseManifest(raw)
		// Past the checksum, as someone would get who computed it.
		var m manifest
		if json.Unmarshal(raw, &m) != nil || m.checkFiles() != nil {
			return
		}
		if got, err := m.bundle(files); err == nil && got.Validate() != nil {
			t.Error("an invalid bundle was accepted")
		}
	})
}

func FuzzGraph(f *testing.F) {
	for _, n := range testBundle(f, 1).Networks {
		f.Add(n.Saved.Kind, []byte(n.Saved.Config))
	}
	f.Fuzz(func(t *testing.T, kind string, config []byte) {
		n := Network{Name: "x", Saved: model.Saved{Kind: kind, Config: config}}
		if g, err := n.Graph(); err == nil && len(g.Outputs) == 0 {
			t.Error("a graph without outputs")
		}
	})
}

func ExampleOpen() {
	_, err := Open(filepath.Join(os.TempDir(), "no", "such", "bundle"))
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output: true
}
