package onnxruntime

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moments/weights/onnx"
)

// FuzzRun runs whatever the reader accepts: the runtime may refuse it, and the
// process must live on.
func FuzzRun(f *testing.F) {
	r := openRuntime(f)
	for _, name := range []string{"torch", "sklearn", "lightgbm", "xgboost"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name+onnx.Suffix))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, network := range architectures(rand.New(rand.NewPCG(7, 7))) {
		g := build(f, network)
		raw, err := onnx.Encode(g, randomParams(g, rand.New(rand.NewPCG(8, 8))), onnx.Options{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		parsed, err := onnx.Parse(raw)
		if err != nil {
			return
		}
		m, err := r.Load(parsed, Options{})
		if err != nil {
			checkError(t, err)
			return
		}
		s, err := m.NewSession(2, map[string]int{onnx.TimeAxis: 3})
		if err != nil {
			checkError(t, err)
			return
		}
		defer s.Close()
		if err := s.Run(2); err != nil {
			checkError(t, err)
		}
	})
}

func checkError(t *testing.T, err error) {
	t.Helper()
	if !strings.HasPrefix(err.Error(), "onnxruntime: ") {
		t.Errorf("error %q does not say where it is from", err)
	}
}
