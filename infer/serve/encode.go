package serve

import (
	"math"
	"strconv"
	"time"

	"moments/infer"
	"moments/infer/registry"
	"moments/infer/serve/jsontext"
)

// Responses to requests for scores are written by hand, for they are written
// while the customer waits; a test compares them with what encoding/json makes
// of the types in api.go.

// appendHead begins the object of a response.
func appendHead(b []byte, m *registry.Model) []byte {
	b = jsontext.AppendText(append(b, `{"model":`...), m.Name)
	return jsontext.AppendText(append(b, `,"version":`...), m.Version)
}

// A scored is one journey's share of a response.
type scored struct {
	score   *infer.Score
	events  int
	reasons int // the most for each target
	moments *infer.Explanation
}

// appendScored appends the members of a Scored.
func appendScored(b []byte, targets []string, s *scored) []byte {
	if s.score.Customer != "" {
		b = append(jsontext.AppendText(append(b, `"customer":`...), s.score.Customer), ',')
	}
	b = append(b, `"cutoff":`...)
	if s.score.Cutoff == 0 {
		b = append(b, "null"...)
	} else {
		b = appendTime(b, s.score.Cutoff)
	}
	b = strconv.AppendInt(append(b, `,"events":`...), int64(s.events), 10)
	b = appendByTarget(append(b, `,"scores":`...), targets, s.score.Probabilities)
	b = appendFloat(append(b, `,"anomaly":`...), s.score.Anomaly, 64)
	b = appendFloat(append(b, `,"anomaly_score":`...), s.score.AnomalyScore, 64)
	b = append(b, `,"anomaly_direction":`...)
	if s.score.Direction == "" {
		b = append(b, "null"...)
	} else {
		b = jsontext.AppendText(b, string(s.score.Direction))
	}
	if s.reasons > 0 && len(s.score.Reasons) > 0 {
		b = appendReasons(b, s.score.Reasons, s.reasons)
	}
	if s.moments != nil {
		b = appendMoments(b, s.moments)
	}
	return b
}

// appendReasons appends the first most reasons of each target.
func appendReasons(b []byte, reasons []infer.Reason, most int) []byte {
	b = append(b, `,"reasons":[`...)
	given, target := 0, ""
	for i := range reasons {
		r := &reasons[i]
		if r.Target != target {
			given, target = 0, r.Target
		}
		if given++; given > most {
			continue
		}
		b = jsontext.AppendText(append(b, `{"target":`...), r.Target)
		b = jsontext.AppendText(append(b, `,"group":`...), r.Group)
		b = appendFloat(append(b, `,"impact":`...), math.Round(r.Impact*1e4)/1e4, 64)
		b = append(b, '}', ',')
	}
	return append(b[:len(b)-1], ']')
}

func appendMoments(b []byte, e *infer.Explanation) []byte {
	b = appendByTarget(append(b, `,"moments":{"start":`...), e.Targets, e.Start)
	b = appendByTarget(append(b, `,"final":`...), e.Targets, e.Final)
	b = append(b, `,"events":[`...)
	for i := range e.Events {
		m := &e.Events[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTime(append(b, `{"time":`...), m.Time)
		b = jsontext.AppendText(append(b, `,"type":`...), m.Type)
		b = append(b, `,"after":`...)
		if m.After == nil {
			b = append(b, "null"...)
		} else {
			b = appendByTarget(b, e.Targets, m.After)
		}
		b = append(b, `,"impact":{`...)
		for t, target := range e.Targets {
			if t > 0 {
				b = append(b, ',')
			}
			b = appendFloat(append(jsontext.AppendText(b, target), ':'), m.Impact[t], 64)
		}
		b = append(b, '}', '}')
	}
	return append(b, ']', '}')
}

// appendByTarget appends an object of probabilities.
func appendByTarget(b []byte, targets []string, probabilities []float32) []byte {
	b = append(b, '{')
	for t := range probabilities {
		if t > 0 {
			b = append(b, ',')
		}
		b = appendFloat(append(jsontext.AppendText(b, targets[t]), ':'), float64(probabilities[t]), 32)
	}
	return append(b, '}')
}

// appendFloat appends the shortest number that reads as x, as score files have
// it; null where there is none.
func appendFloat(b []byte, x float64, bits int) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, x, 'g', -1, bits)
}

func appendTime(b []byte, micros int64) []byte {
	b = time.UnixMicro(micros).UTC().AppendFormat(append(b, '"'), time.RFC3339Nano)
	return append(b, '"')
}
