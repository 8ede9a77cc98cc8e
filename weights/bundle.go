// Package weights keeps a trained task on disk: the bundle, a folder that holds
// everything needed to score and nothing else.
//
//	manifest.json          what the bundle is, with the size and SHA-256 of every other file
//	task.yaml              the task it was trained for
//	schema.json            how journeys are encoded
//	reference.safetensors  what scores are compared with: calibration scores, typical values
//	<network>.safetensors  the parameters of one network
//	<network>.onnx         or the model of a network that was trained elsewhere
//
// Networks are not code but a registered architecture's name and config, drawn
// again by package model; see model.Saved. One that was trained elsewhere is a
// file that package weights/onnx reads, with a [Mapping]. [Bundle.Save] puts a
// bundle in place whole or not at all, and [Open] refuses one that is damaged,
// incomplete, edited, or of another format version. Neither trains nor scores.
package weights

import (
	"encoding/json"

	"moments/features"
	"moments/model"
)

// A Bundle is a trained task.
type Bundle struct {
	Name          string
	Targets       []string        // in the order of every probability and label
	PositiveRates []float64       // share of positives among training examples, by target; nil when not measured
	TaskYAML      []byte          // the task file as it was read
	Layout        features.Layout // columns of the journeys that were trained on
	Schema        *features.Schema
	Networks      []Network
	Reference     Reference
	AlertRate     float64           // share of normal journeys that may be flagged, in [0, 1]
	NoiseSeed     uint64            // of the denoiser's noise, so that anomaly scores repeat
	Metrics       json.RawMessage   // figures of the evaluation, opaque here; nil when there are none
	Versions      map[string]string // of the programs that made it, opaque here
	Attachments   map[string][]byte // further files by name, such as report.html, opaque here
}

// A Network is one trained network.
type Network struct {
	Name   string // letters, digits, dots, dashes and underscores: it names a file
	Role   Role
	Saved  model.Saved
	Weight float64 // classifiers: share in the blend; the shares add up to 1; one of 0 is no part of it, and may still foretell the next event
	Params map[string]Tensor
	ONNX   []byte // of a foreign network, in place of Params: the model's file
}

// Role says what a network is for.
type Role string

const (
	Classifier Role = "classifier" // its output "probability" is blended
	Denoiser   Role = "denoiser"   // its reconstruction error is an anomaly score; at most one
	Foreteller Role = "foreteller" // how unlikely it finds the events of a journey is an anomaly score; at most one
)

// A Reference is what scores are compared with.
type Reference struct {
	Conformal []float32            // anomaly scores of held-out normal journeys, ascending; empty when there is no detector
	Detectors map[string][]float32 // the raw scores that the detectors give them, by name, ascending; several detectors are blended by rank in theirs
	Typical   Typical

	Transitions []Transition // how often types followed each other in training, ascending; empty when that is no detector

	// Deviations are, by detector, the standard deviation of the logarithm of its
	// scores among training examples: how fast scores grow beyond all of Detectors.
	Deviations map[string]float32

	// Blend is how much each kind of evidence counts, by name, in the scores of
	// Conformal, and as "others" the part of those that are not the strangest.
	// Empty in bundles from before kinds had weights.
	Blend map[string]float32

	Neighbours map[string]Neighbours // by detector, those that compare with normal examples; all have the same ones
}

// Neighbours are normal examples that others are compared with, as rows of what
// a schema makes of them.
type Neighbours struct {
	Rows    Tensor // (n, F) of training examples
	HeldOut Tensor // (m, F) of calibration examples
}
