package onnx

import (
	"encoding/json"
	"fmt"
	"strings"

	"moments/model"
	"moments/weights"
)

// Keys of the metadata of an exported file.
const (
	MetadataBundle  = "moments.bundle"      // the bundle's name
	MetadataSchema  = "moments.schema_hash" // features.Schema.Hash of the schema that makes the inputs
	MetadataRole    = "moments.role"        // weights.Role
	MetadataWeight  = "moments.weight"      // share of a classifier in the bundle's blend
	MetadataTargets = "moments.targets"     // JSON list: the columns of output "probability"
	MetadataInputs  = "moments.inputs"      // JSON object: an InputDescription for each input
)

// An InputDescription says what the columns of an input are.
type InputDescription struct {
	Columns []string   `json:"columns"`          // of the schema; column=level for one level of it
	Levels  [][]string `json:"levels,omitempty"` // known levels of each column, whose ids count from 2; 0 is missing, 1 unseen
	Values  string     `json:"values"`           // for people
}

// A File is an exported network.
type File struct {
	Name string // of the file, with its ending
	Raw  []byte
	*Model
}

// Export writes every network of a bundle, in its order; version is that of
// the program, and may be empty. A network that came from elsewhere is returned
// as it came.
func Export(b *weights.Bundle, version string) ([]File, error) {
	inputs := describeInputs(b)
	files := make([]File, 0, len(b.Networks))
	for i := range b.Networks {
		n := &b.Networks[i]
		raw := n.ONNX
		if !n.Foreign() {
			var err error
			if raw, err = encodeNetwork(b, n, inputs, version); err != nil {
				return nil, fmt.Errorf("onnx: network %s: %w", n.Name, err)
			}
		}
		m, err := Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("onnx: network %s, as written: %w", n.Name, err)
		}
		files = append(files, File{n.Name + Suffix, raw, m})
	}
	return files, nil
}

// Suffix ends the name of a model's file.
const Suffix = ".onnx"

func encodeNetwork(b *weights.Bundle, n *weights.Network, inputs map[string]InputDescription, version string) ([]byte, error) {
	g, err := n.Graph()
	if err != nil {
		return nil, err
	}
	o := Options{Name: n.Name, Version: version, Inputs: map[string]string{}}
	o.Metadata, err = metadata(b, n)
	if err != nil {
		return nil, err
	}
	output := model.OutputProbability
	o.Doc = "calibrated probabilities of " + strings.Join(b.Targets, ", ")
	switch n.Role {
	case weights.Denoiser:
		output, o.Doc = model.OutputReconstruction, "reconstruction of a noisy standardised row"
		inputs = describeDenoiser(b)
	case weights.Foreteller:
		output, o.Doc = model.OutputCells, "logits of each attribute of every event, one attribute after the other in the order of the input "+model.InputEventBefore
		inputs = describeForeteller(b)
	}
	o.Outputs = []string{output}
	read := map[string]InputDescription{}
	for _, in := range g.Inputs() {
		read[in.Name] = inputs[in.Name]
		o.Inputs[in.Name] = inputs[in.Name].Values
	}
	text, err := json.Marshal(read)
	if err != nil {
		return nil, err
	}
	o.Metadata[MetadataInputs] = string(text)
	return Encode(g, n.Values(), o)
}

func metadata(b *weights.Bundle, n *weights.Network) (map[string]string, error) {
	targets := b.Targets
	if n.Role != weights.Classifier {
		targets = nil
	}
	text, err := json.Marshal(append([]string{}, targets...))
	return map[string]string{
		MetadataBundle:  b.Name,
		MetadataSchema:  b.Schema.Hash(),
		MetadataRole:    string(n.Role),
		MetadataWeight:  fmt.Sprint(n.Weight),
		MetadataTargets: string(text),
	}, err
}

// describeInputs describes what a classifier may read, by input.
func describeInputs(b *weights.Bundle) map[string]InputDescription {
	numeric, _, _, _ := b.Schema.Table()
	names := b.Schema.StandardColumns()
	category := InputDescription{Values: ids}
	if n := b.Schema.Normalizer; n != nil {
		columns, levels := b.Schema.Columns(), b.Schema.Levels()
		for _, at := range n.Category {
			category.Columns = append(category.Columns, columns[at].Name)
			category.Levels = append(category.Levels, levels[at-(len(columns)-len(levels))])
		}
	}
	described := describeEvents(b)
	described[model.InputNumeric] = InputDescription{Columns: names[:numeric], Values: "normal quantile of the column's rank among the training examples; missing is 0"}
	described[model.InputBinary] = InputDescription{Columns: names[numeric:], Values: "1 where the column has the level, else 0"}
	described[model.InputCategory] = category
	return described
}

// describeEvents describes the inputs of networks that read events.
func describeEvents(b *weights.Bundle) map[string]InputDescription {
	numeric, binary := InputDescription{Values: "normal quantile of the number's rank among training events; missing is 0"}, InputDescription{Values: "1 where the number is missing, else 0"}
	if n := b.Schema.TokenNormalizer; n != nil {
		columns := b.Schema.TokenColumns()
		for i := range n.Numeric {
			numeric.Columns = append(numeric.Columns, columns[n.Numeric[i].Column])
		}
		for _, at := range n.Missing {
			binary.Columns = append(binary.Columns, columns[at])
		}
	}
	category := InputDescription{Columns: []string{"type"}, Levels: [][]string{b.Schema.Types}, Values: ids}
	for _, a := range b.Schema.Attributes {
		if a.Kind == "categorical" && a.Dropped == "" {
			category.Columns, category.Levels = append(category.Columns, a.Name), append(category.Levels, a.Levels)
		}
	}
	return map[string]InputDescription{
		model.InputEventNumeric: numeric, model.InputEventBinary: binary, model.InputEventCategory: category,
		model.InputRow: {Columns: []string{"step"}, Values: "the event of the journey that is the example's last, counted from 0; -1 for none"},
	}
}

const ids = "ids of levels as whole numbers: 0 missing, 1 unseen, 2 and up the known levels in their order"

// describeForeteller describes what the network that foretells events reads.
func describeForeteller(b *weights.Bundle) map[string]InputDescription {
	before := InputDescription{Values: "attributes of the event before, 0 before the first; of categories " + ids +
		"; of numbers 0 missing, and from 1 on bins of equal shares of training events, finer at both ends"}
	events := describeEvents(b)[model.InputEventCategory]
	for _, cell := range b.Schema.Cells() {
		before.Columns = append(before.Columns, cell.Name)
	}
	before.Levels = events.Levels
	kind := InputDescription{Columns: events.Columns[:1], Levels: events.Levels[:1], Values: "the event's own type: " + ids}
	return map[string]InputDescription{model.InputEventBefore: before, model.InputEventType: kind}
}

// describeDenoiser describes what the anomaly network reads.
func describeDenoiser(b *weights.Bundle) map[string]InputDescription {
	return map[string]InputDescription{
		model.InputNumeric: {Columns: b.Schema.StandardColumns(), Values: "signal(t) times the standardised column, within 10 deviations, missing 0, plus noise(t) times a normal draw"},
		model.InputTime:    {Columns: []string{"sin(t)", "sin(t/100)", "cos(t)", "cos(t/100)"}, Values: "embedding of step t of the noise schedule"},
	}
}
