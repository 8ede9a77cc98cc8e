package protocol

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"moments/features"
	"moments/infer"
	"moments/infer/registry"
	"moments/infer/serve/fault"
	"moments/infer/serve/journeyjson"
)

// scoreJourneys scores the journeys of an input of texts.
func (s *Service) scoreJourneys(ctx context.Context, m *registry.Model, in *input) ([]infer.Score, error) {
	format, err := s.Engine.Format(m)
	if err != nil {
		return nil, err
	}
	n := int(in.Shape[0])
	journeys, cutoffs := make([]features.Journey, n), make([]features.Cutoff, n)
	now := s.Now().UnixMicro()
	var decoder journeyjson.Decoder
	rest, events := in.Data, 0
	for i := range n {
		var text []byte
		text, rest, _ = cutText(rest)
		decoder.MaxEvents = max(s.MaxEvents-events, 1) // 0 would be no limit
		if journeys[i], cutoffs[i], err = decodeJourney(&decoder, format, string(text), now); err != nil {
			return nil, fault.Wrong(fmt.Errorf("protocol: journey %d of %d: %w", i, n, err))
		}
		if events += len(journeys[i].Events); events > s.MaxEvents {
			return nil, fault.Wrong(fmt.Errorf("protocol: journey %d of %d: %w: more than %d events in a request", i, n, journeyjson.ErrTooLong, s.MaxEvents))
		}
	}
	if n == 0 {
		return nil, nil
	}
	return s.Engine.Score(ctx, m, journeys, cutoffs)
}

// decodeJourney reads one journey; the texts in it are parts of text.
func decodeJourney(d *journeyjson.Decoder, f *journeyjson.Format, text string, now int64) (features.Journey, features.Cutoff, error) {
	var j journeyjson.Journey
	if err := d.Journey(f, text, &j); err != nil {
		return j.Journey, features.Cutoff{}, err
	}
	cut, err := f.Cut(&j, now)
	return j.Journey, cut, err
}

// scoreRows scores examples that the client has encoded.
func (s *Service) scoreRows(ctx context.Context, m *registry.Model, sig *signature, r *request) ([]infer.Score, time.Duration, error) {
	examples, err := sig.examples(r)
	if err != nil {
		return nil, 0, fault.Wrong(err)
	}
	if len(examples) == 0 {
		return nil, 0, nil
	}
	var scores []infer.Score
	var queued time.Duration
	waiting := time.Now()
	err = s.Engine.Do(ctx, func() (err error) {
		began := time.Now()
		queued = began.Sub(waiting)
		scores, err = m.Scorer.ScoreExamples(examples)
		m.Stats.AddBatch(len(examples), time.Since(began))
		return err
	})
	if err != nil { // work may go on, and write what it captured
		return nil, 0, err
	}
	return scores, queued, nil
}

// examples makes examples of a request's rows.
func (sig *signature) examples(r *request) ([]features.Example, error) {
	n := int(r.inputs[0].Shape[0])
	examples := make([]features.Example, n)
	numbers, ids := make([]float32, n*sig.numeric), make([]int32, n*len(sig.levels))
	for i := range r.inputs {
		in := &r.inputs[i]
		if in.Name == inputCategories {
			sig.fillIDs(ids, in.Data)
		} else if err := fillNumbers(numbers, in); err != nil {
			return nil, err
		}
	}
	for i := range examples {
		examples[i].Numeric = numbers[i*sig.numeric:][:sig.numeric:sig.numeric]
		examples[i].Category = ids[i*len(sig.levels):][:len(sig.levels):len(sig.levels)]
	}
	return examples, nil
}

// fillNumbers reads numbers, missing ones among them.
func fillNumbers(to []float32, in *input) error {
	for i := range to {
		if in.Datatype == registry.Float32 {
			to[i] = math.Float32frombits(binary.LittleEndian.Uint32(in.Data[4*i:]))
		} else {
			to[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(in.Data[8*i:])))
		}
		if math.IsInf(float64(to[i]), 0) {
			return fmt.Errorf("input %s has an element %d that FP32 cannot hold, want finite numbers, or NaN where one is missing", in.Name, i)
		}
	}
	return nil
}

// fillIDs looks levels up; one that training did not see is unseen.
func (sig *signature) fillIDs(to []int32, data []byte) {
	for i := range to {
		var level []byte
		level, data, _ = cutText(data)
		id, ok := sig.ids[i%len(sig.ids)][string(level)]
		if !ok {
			id = features.UnseenID
		}
		to[i] = id
	}
}

// scoreOutput is one output of a bundle.
func scoreOutput(targets []string, name string, scores []infer.Score) registry.Value {
	v := registry.Value{Tensor: registry.Tensor{Name: name, Shape: []int64{int64(len(scores))}}}
	target := slices.Index(targets, name)
	switch {
	case target >= 0 || name == outputScore:
		v.Datatype = registry.Float32
	case name == outputAnomaly:
		v.Datatype = registry.Float64
	default:
		v.Datatype = registry.Bytes
	}
	for i := range scores {
		switch s := &scores[i]; {
		case target >= 0:
			v.Data = binary.LittleEndian.AppendUint32(v.Data, math.Float32bits(s.Probabilities[target]))
		case name == outputScore:
			v.Data = binary.LittleEndian.AppendUint32(v.Data, math.Float32bits(float32(s.AnomalyScore)))
		case name == outputAnomaly:
			v.Data = binary.LittleEndian.AppendUint64(v.Data, math.Float64bits(s.Anomaly))
		default:
			v.Data = appendText(v.Data, string(s.Direction))
		}
	}
	return v
}
