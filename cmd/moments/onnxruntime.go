package main

import (
	"context"

	"moments/infer"
	"moments/infer/onnxruntime"
	"moments/weights"
)

// newScorer makes a scorer that runs foreign networks too.
func (c *console) newScorer(b *weights.Bundle, o infer.ScorerOptions) (*infer.Scorer, error) {
	o.Foreign = onnxruntime.Opener(c.library)
	return infer.NewScorer(b, o)
}

// onnxruntimeCommand finds or installs the library.
type onnxruntimeCommand struct {
	Install bool `help:"Install it into the user's cache where it is missing."`
}

// Help says what the flags do not.
func (*onnxruntimeCommand) Help() string {
	return `Prints the file that the library is loaded from, and its version. Only bundles
made by import need it. --install fetches ONNX Runtime ` + onnxruntime.Version + ` with npm, verifies
its checksum and puts the one file into the user's cache.

The library is looked for in this order: --onnxruntime-library, the environment
variable MOMENTS_ONNXRUNTIME, the folder of the program, the user's cache, the
system.

  moments onnxruntime
  moments onnxruntime --install`
}

// Run prints where the library is.
func (v *onnxruntimeCommand) Run(ctx context.Context, c *console) error {
	r, err := onnxruntime.Open(c.library)
	if err != nil && v.Install && c.library == "" {
		if _, err := onnxruntime.Install(ctx); err != nil {
			return err
		}
		r, err = onnxruntime.Open("")
	}
	if err != nil {
		return err
	}
	c.printf("%s %s\n", r.Path(), r.Version())
	return nil
}
