package train

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"moments/datasets"
	"moments/features"
)

// A Prepared data set is split, and encoded by a schema that was fitted on its
// training part alone.
type Prepared struct {
	Layout                  features.Layout
	Schema                  *features.Schema
	Targets                 []string
	Train, Validation, Test []features.Example // labels filled; Train holds the extra cuts too
	Trimmed                 map[int]bool       // training examples that are taken to be anomalies without a label; see Normal
	Unlabelled              []features.Example // further journeys to train on, without labels; only for pretraining
}

// Refs lists every labelled cut of a data set, for datasets.Split and
// datasets.Folds.
func Refs(ctx context.Context, ds *datasets.Dataset) ([]datasets.Ref, error) {
	var refs []datasets.Ref
	for cut, err := range ds.Cuts(ctx, datasets.CutOptions{}) {
		if err != nil {
			return nil, err
		}
		refs = append(refs, datasets.Ref{Customer: cut.Journey.Customer, Time: cut.Cutoff.Time, Labels: append([]float32{}, cut.Labels...), Anomalous: cut.Anomaly == 1})
	}
	return refs, nil
}

// Normal are the training examples that anomaly networks learn from: those that
// are neither labelled as anomalies nor trimmed.
func (p *Prepared) Normal() []features.Example {
	var normal []features.Example
	for i := range p.Train {
		if p.Train[i].Anomaly != 1 && !p.Trimmed[i] {
			normal = append(normal, p.Train[i])
		}
	}
	return normal
}

// Prepare encodes a data set whose i-th cut, refs[i], belongs to parts[i]. It
// passes over the journeys twice: to fit the schema on the training part, and
// to encode every part.
func Prepare(ctx context.Context, ds *datasets.Dataset, refs []datasets.Ref, parts []datasets.Part, c Config) (*Prepared, error) {
	division := datasets.NewDivision(refs, parts)
	cuts := datasets.CutOptions{Extra: c.ExtraCuts, Seed: c.Seed}
	fitter := features.NewFitter(ds.Layout(), features.DefaultOptions())
	own := 0 // cuts so far that are not extra
	for cut, err := range ds.Cuts(ctx, cuts) {
		if err != nil {
			return nil, err
		}
		if partOf(division.Part(own, &cut), &cut, ds) == datasets.Train {
			fitter.Add(cut.Journey, cut.Cutoff, c.labelsOf(&cut)...)
		}
		if !cut.Extra {
			own++
		}
	}
	schema, err := fitter.Schema()
	if err != nil {
		return nil, err
	}
	p := &Prepared{Layout: ds.Layout(), Schema: schema, Targets: ds.TargetNames()}
	encoder, reader := schema.NewEncoder(), newTokenReader(schema)
	own, cuts.Unlabelled = 0, c.Pretrain
	for cut, err := range ds.Cuts(ctx, cuts) {
		if err != nil {
			return nil, err
		}
		into := p.into(partOf(division.Part(own, &cut), &cut, ds), &cut, c)
		if !cut.Extra {
			own++
		}
		if into == nil {
			continue
		}
		ex := features.Example{Customer: cut.Journey.Customer, Cutoff: cut.Cutoff, Labels: append([]float32{}, cut.Labels...), Anomaly: cut.Anomaly}
		encoder.EncodeJourney(cut.Journey, cut.Cutoff, &ex)
		if c.Recurrent > 0 || c.Foretell {
			ex.Tokens = reader.read(cut.Journey, cut.Cutoff.Events)
		}
		*into = append(*into, ex)
	}
	if len(p.Train) == 0 {
		return nil, fmt.Errorf("train: the training part is empty: the task yields %d labelled examples in all", len(refs))
	}
	if err := schema.FitNormalizer(p.Train, c.Seed); err != nil {
		return nil, err
	}
	return p, schema.FitTokens(seenTokens(p.Train), c.Seed)
}

// partOf moves labelled anomalies to the test part where nothing but anomalies
// is learned: what is fitted and calibrated there is what is normal.
func partOf(part datasets.Part, cut *datasets.Cut, ds *datasets.Dataset) datasets.Part {
	switch {
	case cut.Anomaly != 1 || len(ds.TargetNames()) > 0 || part == datasets.None:
		return part
	case cut.Extra:
		return datasets.None
	}
	return datasets.Test
}

// A tokenReader reads the events of journeys that come with several cuts, one
// after the other.
type tokenReader struct {
	encoder  *features.Encoder
	customer string
	tokens   *features.Tokens
}

func newTokenReader(s *features.Schema) *tokenReader {
	return &tokenReader{encoder: s.NewEncoder()}
}

// read returns the tokens of a journey, at least the first n. Cuts of the same
// journey share them.
func (r *tokenReader) read(j *features.Journey, n int) *features.Tokens {
	if r.tokens == nil || r.customer != j.Customer {
		r.customer, r.tokens = j.Customer, &features.Tokens{}
		r.encoder.Start(j.Profile)
	}
	for i := r.tokens.Events; i < n; i++ {
		r.encoder.Append(&j.Events[i])
		r.encoder.AppendToken(r.tokens)
	}
	return r.tokens
}

// seenTokens returns the tokens of every journey, those alone that an example
// sees.
func seenTokens(examples []features.Example) []*features.Tokens {
	most, order := map[*features.Tokens]int{}, []*features.Tokens{}
	for i := range examples {
		t := examples[i].Tokens
		if t == nil {
			continue
		}
		if _, known := most[t]; !known {
			order = append(order, t)
		}
		most[t] = max(most[t], examples[i].Cutoff.Events)
	}
	for i, t := range order {
		order[i] = first(t, most[t])
	}
	return order
}

// first returns the first n tokens.
func first(t *features.Tokens, n int) *features.Tokens {
	if t.Events == 0 {
		return t
	}
	ids, values := len(t.IDs)/t.Events, len(t.Values)/t.Events
	return &features.Tokens{Events: n, IDs: t.IDs[:n*ids], Values: t.Values[:n*values]}
}

// into returns where a cut of a part belongs, nil for nowhere.
func (p *Prepared) into(part datasets.Part, cut *datasets.Cut, c Config) *[]features.Example {
	unknown := len(cut.Labels) > 0 && !slices.ContainsFunc(cut.Labels, func(y float32) bool { return y == y })
	if part == datasets.Train || part == datasets.Validation {
		if unknown = unknown || !c.seesLabels(cut.Journey.Customer); unknown && c.Pretrain {
			return &p.Unlabelled
		}
	}
	switch {
	case unknown:
		return nil
	case part == datasets.Train:
		return &p.Train
	case part == datasets.Validation:
		return &p.Validation
	case part == datasets.Test:
		return &p.Test
	}
	return nil
}

// labelsOf are the labels of a cut that may be used.
func (c Config) labelsOf(cut *datasets.Cut) []float32 {
	if c.seesLabels(cut.Journey.Customer) {
		return cut.Labels
	}
	return nil
}

// seesLabels says whether a customer is of the share whose labels are used.
func (c Config) seesLabels(customer string) bool {
	h := fnv.New64a()
	h.Write([]byte(customer))
	return c.LabelShare == 1 || float64(mix(c.Seed, h.Sum64())) < c.LabelShare*math.MaxUint64
}
