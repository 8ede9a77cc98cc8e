package main

import (
	"os"
	"path/filepath"

	"moments/cmd/moments/table"
	"moments/weights"
	"moments/weights/onnx"
)

// exportCommand writes the networks of a bundle as ONNX files.
type exportCommand struct {
	Bundle string `arg:"" help:"Folder of the bundle."`
	ONNX   string `name:"onnx" required:"" placeholder:"DIR" help:"The folder to write to; it is made where it is missing."`
	JSON   bool   `name:"json" help:"Print the files as JSON."`
}

// Help says what the flags do not.
func (*exportCommand) Help() string {
	return `One file for each network, with ONNX opset 17 and a free batch. Inputs are what
the bundle's schema yields after normalisation; outputs are the calibrated
probabilities of a classifier, or the reconstruction of the anomaly network. The
bundle's probability is the mean of its classifiers', weighted by "moments.weight"
in each file's metadata. docs/onnx.md describes inputs and metadata.

  moments export weights/loans --onnx loans-onnx`
}

// An exported file, as --json prints it.
type exported struct {
	File     string            `json:"file"`
	Inputs   []string          `json:"inputs"`
	Outputs  []string          `json:"outputs"`
	Metadata map[string]string `json:"metadata"`
}

// Run exports.
func (v *exportCommand) Run(c *console) error {
	bundle, err := weights.Open(v.Bundle)
	if err != nil {
		return wrong(err)
	}
	files, err := onnx.Export(bundle, currentBuild().Version)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(v.ONNX, 0o755); err != nil {
		return wrong(err)
	}
	var all []exported
	for _, f := range files {
		path := filepath.Join(v.ONNX, f.Name)
		if err := table.WriteFile(path, f.Raw); err != nil {
			return err
		}
		e := exported{File: path, Metadata: f.Metadata}
		for _, in := range f.Inputs {
			e.Inputs = append(e.Inputs, in.String())
		}
		for _, out := range f.Outputs {
			e.Outputs = append(e.Outputs, out.String())
		}
		all = append(all, e)
	}
	if v.JSON {
		return c.printJSON(all)
	}
	for _, e := range all {
		e.print(c)
	}
	return nil
}

func (e *exported) print(c *console) {
	c.printf("%s\n", e.File)
	for _, in := range e.Inputs {
		c.printf("  input   %s\n", in)
	}
	for _, out := range e.Outputs {
		c.printf("  output  %s\n", out)
	}
}
