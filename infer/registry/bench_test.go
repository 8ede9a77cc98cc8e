package registry

import (
	"os"
	"testing"

	"moments/infer/internal/testbundle"
)

// BenchmarkLoad is what a reload costs beside the requests: opening, verifying
// and warming a bundle, that of MOMENTS_BUNDLE or else a small one.
func BenchmarkLoad(b *testing.B) {
	dir := os.Getenv("MOMENTS_BUNDLE")
	if dir == "" {
		dir = b.TempDir() + "/a"
		testbundle.Save(b, 1, dir)
	}
	r, err := Open(b.Context(), []string{"a=" + dir}, Options{Reasons: 100, Workers: 2})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	b.ReportAllocs()
	for b.Loop() {
		m, err := r.load("a", dir)
		if err != nil {
			b.Fatal(err)
		}
		m.drop()
	}
}

// BenchmarkAcquire is what a request pays for its model.
func BenchmarkAcquire(b *testing.B) {
	dir := b.TempDir() + "/a"
	testbundle.Save(b, 1, dir)
	r, err := Open(b.Context(), []string{"a=" + dir}, Options{Workers: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			_, release, err := r.Acquire("a", "")
			if err != nil {
				b.Error(err)
				return
			}
			release()
		}
	})
}
