package train

import (
	"context"
	"fmt"

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
}

// Refs lists every labelled cut of a data set, for datasets.Split and
// datasets.Folds.
func Refs(ctx context.Context, ds *datasets.Dataset) ([]datasets.Ref, error) {
	var refs []datasets.Ref
	for cut, err := range ds.Cuts(ctx, datasets.CutOptions{}) {
		if err != nil {
			return nil, err
		}
		refs = append(refs, datasets.Ref{Customer: cut.Journey.Customer, Time: cut.Cutoff.Time, Labels: append([]float32{}, cut.Labels...)})
	}
	return refs, nil
}

// Prepare encodes a data set whose i-th cut, refs[i], belongs to parts[i]. It
// passes over the journeys twice: to fit the schema on the training part, and
// to encode every part.
func Prepare(ctx context.Context, ds *datasets.Dataset, refs []datasets.Ref, parts []datasets.Part, c Config) (*Prepared, error) {
	part := map[string]datasets.Part{} // a customer is never in two
	for i, r := range refs {
		part[r.Customer] = parts[i]
	}
	cuts := datasets.CutOptions{Extra: c.ExtraCuts, Seed: c.Seed}
	fitter := features.NewFitter(ds.Layout(), features.DefaultOptions())
	for cut, err := range ds.Cuts(ctx, cuts) {
		if err != nil {
			return nil, err
		}
		if part[cut.Journey.Customer] == datasets.Train {
			fitter.Add(cut.Journey, cut.Cutoff)
		}
	}
	schema, err := fitter.Schema()
	if err != nil {
		return nil, err
	}
	p := &Prepared{Layout: ds.Layout(), Schema: schema, Targets: ds.TargetNames()}
	encoder := schema.NewEncoder()
	for cut, err := range ds.Cuts(ctx, cuts) {
		if err != nil {
			return nil, err
		}
		into := p.part(part[cut.Journey.Customer], cut.Extra)
		if into == nil {
			continue
		}
		ex := features.Example{Customer: cut.Journey.Customer, Cutoff: cut.Cutoff, Labels: append([]float32{}, cut.Labels...)}
		encoder.EncodeJourney(cut.Journey, cut.Cutoff, &ex)
		*into = append(*into, ex)
	}
	if len(p.Train) == 0 {
		return nil, fmt.Errorf("train: the training part is empty: the task yields %d labelled examples in all", len(refs))
	}
	return p, schema.FitNormalizer(p.Train, c.Seed)
}

// part returns the examples of a part; extra cuts are for training only.
func (p *Prepared) part(part datasets.Part, extra bool) *[]features.Example {
	switch {
	case part == datasets.Train:
		return &p.Train
	case extra:
		return nil
	case part == datasets.Validation:
		return &p.Validation
	case part == datasets.Test:
		return &p.Test
	}
	return nil
}
