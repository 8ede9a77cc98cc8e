package weights

import (
	"fmt"
	"strings"
)

// Names of the tensors in reference.safetensors.
const (
	tensorConformal = "conformal"
	tensorNumeric   = "typical/numeric"
	tensorCategory  = "typical/category"

	tensorTransitions = "transitions"

	// Followed by the name of a detector.
	tensorScores    = "detector/"
	tensorDeviation = "deviation/"
	tensorBlend     = "blend/" // and of a kind of evidence
	tensorRows      = "rows/"
	tensorHeldOut   = "held_out/"
)

// maxID is the largest vocabulary id that a float32 holds exactly.
const maxID = 1 << 24

func (r Reference) tensors() map[string]Tensor {
	category := make([]float32, len(r.Typical.Category))
	for i, id := range r.Typical.Category {
		category[i] = float32(id)
	}
	tensors := map[string]Tensor{
		tensorConformal: vector(r.Conformal),
		tensorNumeric:   vector(r.Typical.Numeric),
		tensorCategory:  vector(category),
	}
	for name, scores := range r.Detectors {
		tensors[tensorScores+name] = vector(scores)
	}
	for name, deviation := range r.Deviations {
		tensors[tensorDeviation+name] = vector([]float32{deviation})
	}
	for name, weight := range r.Blend {
		tensors[tensorBlend+name] = vector([]float32{weight})
	}
	for name, n := range r.Neighbours {
		tensors[tensorRows+name], tensors[tensorHeldOut+name] = n.Rows, n.HeldOut
	}
	if len(r.Transitions) > 0 {
		tensors[tensorTransitions] = transitionsTensor(r.Transitions)
	}
	return tensors
}

func vector(data []float32) Tensor { return Tensor{[]int{len(data)}, data} }

func readReference(tensors map[string]Tensor) (Reference, error) {
	var r Reference
	for _, name := range []string{tensorConformal, tensorNumeric, tensorCategory} {
		if _, ok := tensors[name]; !ok {
			return r, fmt.Errorf("want the vectors %s, %s and %s", tensorConformal, tensorNumeric, tensorCategory)
		}
	}
	for name, t := range tensors {
		if name == tensorTransitions {
			var err error
			if r.Transitions, err = readTransitions(t); err != nil {
				return r, err
			}
			continue
		}
		if err := r.readDetector(name, t); err != nil {
			return r, err
		}
	}
	r.Conformal = tensors[tensorConformal].Data
	r.Typical.Numeric = tensors[tensorNumeric].Data
	for _, x := range tensors[tensorCategory].Data {
		if !(x >= 0 && x <= maxID) || x != float32(int32(x)) {
			return r, fmt.Errorf("%s has %v, want whole numbers from 0 to %d", tensorCategory, x, maxID)
		}
		r.Typical.Category = append(r.Typical.Category, int32(x))
	}
	return r, nil
}

// readDetector reads one tensor of a detector.
func (r *Reference) readDetector(name string, t Tensor) error {
	kind, detector, _ := strings.Cut(name, "/")
	kind += "/"
	if want := dimensions[kind]; want > 0 && len(t.Shape) != want {
		return fmt.Errorf("%s has shape %v, want %d dimensions", name, t.Shape, want)
	}
	switch kind {
	case tensorScores:
		put(&r.Detectors, detector, t.Data)
	case tensorDeviation, tensorBlend:
		if len(t.Data) != 1 {
			return fmt.Errorf("%s has %d values, want 1", name, len(t.Data))
		}
		to := &r.Deviations
		if kind == tensorBlend {
			to = &r.Blend
		}
		put(to, detector, t.Data[0])
	case tensorRows, tensorHeldOut:
		n := r.Neighbours[detector]
		if kind == tensorRows {
			n.Rows = t
		} else {
			n.HeldOut = t
		}
		put(&r.Neighbours, detector, n)
	default:
		if name != tensorConformal && name != tensorNumeric && name != tensorCategory || len(t.Shape) != 1 {
			return fmt.Errorf("%s of shape %v is no tensor of a reference", name, t.Shape)
		}
	}
	return nil
}

// dimensions are those of the tensors of a detector.
var dimensions = map[string]int{tensorScores: 1, tensorDeviation: 1, tensorBlend: 1, tensorRows: 2, tensorHeldOut: 2}

func put[T any](to *map[string]T, name string, value T) {
	if *to == nil {
		*to = map[string]T{}
	}
	(*to)[name] = value
}
