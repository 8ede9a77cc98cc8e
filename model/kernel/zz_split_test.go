package kernel

import "testing"

func BenchmarkSplit(b *testing.B) {
	needMatrixUnit(b)
	for _, tb := range []bool{false, true} {
		name := "n"
		if tb {
			name = "t"
		}
		w := Workspace{Matrix: true}
		x := make([]float32, 256*256)
		b.Run(name, func(b *testing.B) {
			measure(b, func() { active.matrix.splitRight(&w.right, tb, 256, 256, x, 256) })
		})
		junk := make([]float32, 1<<20)
		b.Run(name+"cold", func(b *testing.B) {
			measure(b, func() {
				active.matrix.splitRight(&w.right, tb, 256, 256, x, 256)
				Scale(junk[:400000], 1.1)
			})
		})
	}
	junk := make([]float32, 1<<20)
	b.Run("junk", func(b *testing.B) {
		measure(b, func() {
			Scale(junk[:400000], 1.1)
		})
	})
}
