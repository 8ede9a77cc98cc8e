package datasets

import (
	"fmt"
	"path/filepath"
	"time"

	"moments/features"
)

// Rule says where the task cuts journeys.
func (t *Task) Rule() features.CutoffRule { return t.rule }

// Zone is where clocks are that name no zone.
func (t *Task) Zone() *time.Location { return t.zone }

// Moment reads a time as the task file would: one that names no zone is in the
// task's timezone. It returns microseconds since the Unix epoch.
func (t *Task) Moment(text string) (int64, error) {
	micros, _, _, err := features.ParseTimeIn(text, t.zone)
	return micros, err
}

// WithSources is the task reading other files, one for each of its event
// sources and one for each of its profile sources, in the order of the task
// file; none of a kind keeps those of the task. The files have the columns of
// the sources they stand for. Paths are relative to the process.
//
// It is how a saved task scores new customers: open it with the NoLabels and
// Layout options.
func (t *Task) WithSources(events, profiles []string) (*Task, error) {
	other := *t
	other.Events = append([]EventSource(nil), t.Events...)
	other.Profiles = append([]ProfileSource(nil), t.Profiles...)
	events, err := replacements("event", events, len(t.Events))
	if err != nil {
		return nil, err
	}
	for i, file := range events {
		other.Events[i].Source, other.Events[i].SQL = file, ""
	}
	if profiles, err = replacements("profile", profiles, len(t.Profiles)); err != nil {
		return nil, err
	}
	for i, file := range profiles {
		other.Profiles[i].Source, other.Profiles[i].SQL = file, ""
	}
	return &other, nil
}

func replacements(what string, files []string, want int) ([]string, error) {
	if len(files) > 0 && len(files) != want {
		return nil, fmt.Errorf("datasets: got %d %s files, want %d: one for each %s source of the task, in its order; a source of many files is a quoted glob", len(files), what, want, what)
	}
	out := make([]string, len(files))
	for i, file := range files {
		path, err := filepath.Abs(file)
		if err != nil {
			return nil, fmt.Errorf("datasets: %w", err)
		}
		out[i] = path
	}
	return out, nil
}
