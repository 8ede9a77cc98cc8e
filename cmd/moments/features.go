package main

import (
	"context"
	"time"

	"moments/cmd/moments/table"
	"moments/datasets"
	"moments/features"
)

// featuresCommand writes encoded examples.
type featuresCommand struct {
	Task      string `arg:"" help:"The task file."`
	Output    string `short:"o" required:"" placeholder:"FILE" help:"The file to write: .csv, .jsonl or .parquet."`
	Folds     int    `placeholder:"N" help:"Write the parts of this many cross-validation folds, rather than of the task's split."`
	ExtraCuts bool   `help:"Add the random further cuts of training journeys that train adds, as part \"extra\"."`
}

// Help says what the flags do not.
func (*featuresCommand) Help() string {
	return `One row for each example: customer, cutoff, group, fold, part, label_<target>,
and one column a feature, in its own units, before any normalisation; empty where
missing. The schema is fitted on the training part alone, exactly as train and
evaluate do, so other tools can be compared on the same rows and folds.

With --folds every example has one row for each fold, because every fold has a
schema of its own: select one fold, train on part "train", stop early on
"validation", and test on "test". A column that a fold's schema lacks is empty in
its rows. Without --folds the fold is 0 and the parts are those of the task's split.

  moments features task.yaml -o features.parquet
  moments features task.yaml --folds 5 -o folds.csv`
}

// Run encodes in two passes over the data, in bounded memory: the first fits a
// schema for each fold, the second encodes and writes.
func (v *featuresCommand) Run(ctx context.Context, c *console) error {
	if err := table.Check(v.Output); err != nil {
		return wrong(err)
	}
	began := time.Now()
	s, err := openTask(ctx, c, v.Task, datasets.OpenOptions{Quarantine: quarantineOf(v.Output)})
	if err != nil {
		return err
	}
	defer s.close(c)
	folds, err := v.split(s)
	if err != nil {
		return wrong(err)
	}
	config, err := s.settings()
	if err != nil {
		return err
	}
	w := &featureWriter{source: s, folds: make([]fold, len(folds)), cuts: datasets.CutOptions{Extra: config.ExtraCuts, Seed: config.Seed}}
	for k, parts := range folds {
		w.folds[k].division = datasets.NewDivision(s.refs, parts)
	}
	if err := w.fit(ctx); err != nil {
		return err
	}
	if err := w.write(ctx, v.Output, v.ExtraCuts); err != nil {
		return err
	}
	c.log.Info("wrote "+v.Output, "rows", w.out.Rows(), "features", w.width, "took", round(time.Since(began)))
	return nil
}

// split returns the parts of every cut, by fold.
func (v *featuresCommand) split(s *source) ([][]datasets.Part, error) {
	if v.Folds != 0 {
		return datasets.Folds(s.refs, s.task.Split, v.Folds)
	}
	parts, err := datasets.Split(s.refs, s.task.Split)
	return [][]datasets.Part{parts}, err
}

// A fold is one division of the customers and the schema that it leads to.
type fold struct {
	division *datasets.Division
	schema   *features.Schema
	encoder  *features.Encoder
	columns  []int // where each of the schema's columns stands among the features of the file
}

// A featureWriter encodes the examples of every fold.
type featureWriter struct {
	source *source
	cuts   datasets.CutOptions
	folds  []fold
	width  int // features of the file: those of any fold
	out    *table.Writer
	row    []table.Cell
	ex     features.Example
}

// fit fits the schema of every fold on its training part, with the cuts that
// train adds.
func (w *featureWriter) fit(ctx context.Context) error {
	fitters := make([]*features.Fitter, len(w.folds))
	for k := range fitters {
		fitters[k] = features.NewFitter(w.source.data.Layout(), features.DefaultOptions())
	}
	own := 0 // cuts so far that are not extra
	for cut, err := range w.source.data.Cuts(ctx, w.cuts) {
		if err != nil {
			return wrong(err)
		}
		for k := range w.folds {
			if w.folds[k].division.Part(own, &cut) == datasets.Train {
				fitters[k].Add(cut.Journey, cut.Cutoff, cut.Labels...)
			}
		}
		if !cut.Extra {
			own++
		}
	}
	for k := range w.folds {
		schema, err := fitters[k].Schema()
		if err != nil {
			return wrong(err)
		}
		w.folds[k].schema, w.folds[k].encoder = schema, schema.NewEncoder()
	}
	return nil
}

// write writes a row for each cut and fold.
func (w *featureWriter) write(ctx context.Context, path string, extra bool) (err error) {
	if w.out, err = table.Create(path, w.columns()); err != nil {
		return err
	}
	defer w.out.Abort()
	if !extra {
		w.cuts.Extra = 0
	}
	own := 0
	for cut, err := range w.source.data.Cuts(ctx, w.cuts) {
		if err != nil {
			return wrong(err)
		}
		for k := range w.folds {
			part := partName(w.folds[k].division.Part(own, &cut), cut.Extra)
			if part == "" {
				continue
			}
			if err := w.writeRow(k, part, &cut); err != nil {
				return err
			}
		}
		if !cut.Extra {
			own++
		}
	}
	return w.out.Commit()
}

// partName is the part as the file calls it; "" for examples of no part.
func partName(part datasets.Part, extra bool) string {
	switch {
	case part == datasets.Train && extra:
		return "extra"
	case part == datasets.Train:
		return "train"
	case part == datasets.Validation:
		return "validation"
	case part == datasets.Test:
		return "test"
	}
	return ""
}

// columns lists the columns of the file and tells every fold its own.
func (w *featureWriter) columns() []table.Column {
	columns := []table.Column{
		{Name: "customer"}, {Name: "cutoff", Type: table.Time}, {Name: "group"}, {Name: "fold", Type: table.Integer}, {Name: "part"},
	}
	for _, target := range w.source.data.TargetNames() {
		columns = append(columns, table.Column{Name: "label_" + target, Type: table.Single})
	}
	fixed := len(columns)
	at := map[features.Column]int{}
	for k := range w.folds {
		f := &w.folds[k]
		for _, c := range f.schema.Columns() {
			if _, ok := at[c]; !ok {
				at[c] = len(columns) - fixed
				columns = append(columns, featureColumn(c))
			}
			f.columns = append(f.columns, at[c])
		}
	}
	w.width = len(columns) - fixed
	return columns
}

func featureColumn(c features.Column) table.Column {
	if c.Kind == features.Numeric {
		return table.Column{Name: c.Name, Type: table.Single}
	}
	return table.Column{Name: c.Name}
}

// unseenLevel stands in the file for a category that training did not see.
const unseenLevel = "(unseen)"

func (w *featureWriter) writeRow(k int, part string, cut *datasets.Cut) error {
	f := &w.folds[k]
	f.encoder.EncodeJourney(cut.Journey, cut.Cutoff, &w.ex)
	w.row = append(w.row[:0],
		table.String(cut.Journey.Customer), cutoffCell(cut.Cutoff.Time), table.String(cut.Cutoff.Group), table.Int(int64(k)), table.String(part))
	for _, label := range cut.Labels {
		w.row = append(w.row, table.Float(float64(label)))
	}
	fixed := len(w.row)
	w.row = append(w.row, make([]table.Cell, w.width)...)
	for i, x := range w.ex.Numeric {
		w.row[fixed+f.columns[i]] = table.Float(float64(x))
	}
	for i, id := range w.ex.Category {
		w.row[fixed+f.columns[len(w.ex.Numeric)+i]] = levelCell(f.schema.Levels()[i], id)
	}
	return w.out.Write(w.row)
}

func levelCell(levels []string, id int32) table.Cell {
	switch {
	case id == features.MissingID:
		return table.Cell{}
	case id >= features.FirstKnownID:
		return table.String(levels[id-features.FirstKnownID])
	}
	return table.String(unseenLevel)
}

// cutoffCell writes a cutoff; one of a journey without events and without a
// date, which is the epoch, is missing.
func cutoffCell(micros int64) table.Cell {
	if micros == 0 {
		return table.Cell{}
	}
	return table.Int(micros)
}
