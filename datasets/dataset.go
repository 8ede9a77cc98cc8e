// Package datasets says where journeys come from.
//
// A [Task] is a strict YAML file that names event, profile and label sources:
// CSV, JSONL and Parquet files, globs and SQL, all read by an embedded DuckDB.
// [Open] checks them, loads every row into one table of records, sorts it by
// customer and time out of core, and reports on the quality of the data.
// Rejected rows go to a quarantine file with the reason; nothing is dropped in
// silence. [Dataset.Journeys] streams the journeys in bounded memory,
// [Dataset.Cuts] cuts them and joins their labels, [Split] and [Folds] divide
// customers for training and evaluation, and [Inspect] writes a first task file
// for files that it has never seen.
//
// The package encodes nothing for a network and fits nothing: package features
// does. It refuses rows without customer or time, events of the future, and
// anything in a task file that it does not know.
package datasets

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"moments/features"
)

// OpenOptions says how much a data set may use and where it writes. The zero
// value is good for training.
type OpenOptions struct {
	TempDir    string           // folder for the sort; default: the system's. A folder of its own is made and removed in it
	Memory     int64            // bytes that DuckDB may use; default 256 MiB
	Cache      int64            // bytes of decoded journeys kept so that later passes are fast; default 256 MiB, negative none
	Threads    int              // default: all cores
	Quarantine string           // file for rejected rows; default: they are counted only
	Now        time.Time        // events after it are rejected; default: the clock
	NoLabels   bool             // does not read label sources, to score customers whose outcome is open
	Layout     *features.Layout // the columns and kinds that a bundle was trained on; others are not read, and one that is missing is an error
}

func (o OpenOptions) withDefaults() OpenOptions {
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	if o.Cache == 0 {
		o.Cache = 512 << 20
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	return o
}

// A Dataset is the sorted data of a task. Its iterators may run again and at
// the same time, and yield the same journeys in the same order each time.
type Dataset struct {
	task    *Task
	options OpenOptions
	dir     string
	engine  *engine // nil once everything is cached
	inputs  []*input
	layout  features.Layout
	quality Quality
	end     int64      // last instant that the data covers
	cache   []*history // every journey, when they fit
}

// Open reads, checks and sorts the data of a task. Close the data set to
// remove what it has written. Errors about the task's keys and columns name the
// line of the task file.
func Open(ctx context.Context, task *Task, options OpenOptions) (*Dataset, error) {
	d := &Dataset{task: task, options: options.withDefaults()}
	if err := d.open(ctx); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dataset) open(ctx context.Context) (err error) {
	if d.dir, err = os.MkdirTemp(d.options.TempDir, "moments-"); err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	search, err := filepath.Abs(d.task.Dir)
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	d.engine, err = openEngine(engineConfig{Spill: d.dir, Search: search, Memory: d.options.Memory, Threads: d.options.Threads})
	if err != nil {
		return err
	}
	s, err := d.engine.connect()
	if err != nil {
		return err
	}
	defer s.close()
	rejected := &quarantine{path: d.options.Quarantine}
	defer rejected.abandon()
	if err := d.read(ctx, s, rejected); err != nil {
		return err
	}
	if err := d.survey(ctx, rejected); err != nil {
		return err
	}
	d.quality.Quarantine, err = rejected.finish()
	return err
}

// read plans and loads the inputs and sorts their records.
func (d *Dataset) read(ctx context.Context, s *session, rejected *quarantine) error {
	p := &planner{task: d.task, session: s, quality: &d.quality}
	if layout := d.options.Layout; layout != nil {
		p.profile, p.event = fixedFields(layout.Profile), fixedFields(layout.Event)
	}
	if err := p.plan(ctx, !d.options.NoLabels); err != nil {
		return err
	}
	d.inputs = p.inputs
	l := &loader{plan: p, session: s, quarantine: rejected, now: d.options.Now.UnixMicro(), zone: d.task.zone, daily: true, last: beforeEvents}
	if err := s.exec(ctx, recordTable); err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	writer, err := d.engine.connect() // a query is still running while records are written
	if err != nil {
		return err
	}
	defer writer.close()
	if l.records, err = writer.appender(); err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	if err := firstError(l.load(ctx), l.records.close()); err != nil {
		return err
	}
	if err := sortRecords(ctx, s); err != nil {
		return fmt.Errorf("datasets: sorting: %w", err)
	}
	d.settle(p, l)
	return nil
}

// sortRecords sorts by customer and time; ties keep the order of the sources
// and of their rows.
func sortRecords(ctx context.Context, s *session) error {
	return firstError(
		s.exec(ctx, "CREATE TABLE sorted AS SELECT * FROM records ORDER BY customer, time, seq"),
		s.exec(ctx, "DROP TABLE records"))
}

// settle takes over what was learned while reading.
func (d *Dataset) settle(p *planner, l *loader) {
	profile, notes := p.profile.settle()
	event, more := p.event.settle()
	d.layout = features.Layout{Profile: profile, Event: event}
	d.quality.Notes = slices.Concat(notes, more)
	for _, in := range p.inputs {
		if in.role == labelRow && in.target < len(d.task.Targets) && (in.classes[0] == 0 || in.classes[1] == 0) {
			note := fmt.Sprintf("%s: %d labels are positive and %d negative: a network cannot learn from one kind", in.quality.Name, in.classes[1], in.classes[0])
			d.quality.Notes = append(d.quality.Notes, note)
		}
		for _, place := range slices.Concat(in.attributes, in.profile) {
			if place.info.kind == features.Numeric {
				in.quality.remark(InfiniteNumber, place.infinite)
			}
		}
	}
	d.end = l.covered(d.task)
}

// Close removes the temporary files. Journeys of a cached data set stay valid.
func (d *Dataset) Close() error {
	if d.engine != nil {
		d.engine.close()
		d.engine = nil
	}
	if d.dir == "" {
		return nil
	}
	if err := os.RemoveAll(d.dir); err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	d.dir = ""
	return nil
}

// Layout names the columns of profiles and events.
func (d *Dataset) Layout() features.Layout { return d.layout }

// Task is the task that the data set was opened for.
func (d *Dataset) Task() *Task { return d.task }

// End is the last instant that the data covers, in microseconds: outcomes whose
// horizon reaches beyond it are unknown.
func (d *Dataset) End() int64 { return d.end }

// Quality is the report on the data.
func (d *Dataset) Quality() *Quality { return &d.quality }

// TargetNames are the names of the targets in the order of the task file,
// which labels follow everywhere.
func (d *Dataset) TargetNames() []string {
	names := []string{}
	for _, t := range d.task.Targets {
		names = append(names, t.Name)
	}
	return names
}

// Journeys yields every customer in the order of their ids, in memory that does
// not grow with their number, only with the longest journey. A journey is valid
// until the next one and must not be changed: clone what must outlive it.
func (d *Dataset) Journeys(ctx context.Context) iter.Seq2[*features.Journey, error] {
	return func(yield func(*features.Journey, error) bool) {
		for h, err := range d.histories(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(&h.journey, nil) {
				return
			}
		}
	}
}
