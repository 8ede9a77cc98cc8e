package datasets

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones by name, where the machine has none

	"moments/features"
)

// bundleName is what may stand in a path without leaving its folder.
var bundleName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// scoreColumns are the columns of score files beside those of the targets.
var scoreColumns = []string{"customer", "cutoff", "anomaly", "anomaly_score", "anomaly_direction", "anomaly_alert", "anomaly_causes", "reasons"}

// check validates what can be known without the data and parses the moments
// and durations of the file.
func (t *Task) check() error {
	if !bundleName.MatchString(t.Name) {
		return t.fault([]any{"name"}, "got %q, want a name for the bundle's folder: letters, digits, dots, dashes and underscores", t.Name)
	}
	if len(t.Events)+len(t.Profiles) == 0 {
		return t.fault([]any{"events"}, "the task has neither events nor profiles, want at least one source")
	}
	steps := []func() error{t.checkZone, t.checkEvents, t.checkProfiles, t.checkCutoffs, t.checkTargets, t.checkShares}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Task) checkZone() error {
	zone, err := parseZone(t.Timezone)
	if err != nil {
		return t.fault([]any{"timezone"}, "%v", err)
	}
	t.zone = zone
	if t.DataEnd != "" {
		t.end, err = t.moment([]any{"data_end"}, t.DataEnd)
	}
	return err
}

// parseZone reads an IANA name or an offset such as +02:00; "" is UTC.
func parseZone(name string) (*time.Location, error) {
	if at, err := time.Parse("-07:00", name); err == nil {
		_, offset := at.Zone()
		return time.FixedZone(name, offset), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("got %q, want a zone such as Europe/Amsterdam or +02:00", name)
	}
	return zone, nil
}

// moment parses a time of the task file.
func (t *Task) moment(path []any, text string) (int64, error) {
	micros, _, _, err := features.ParseTimeIn(text, t.zone)
	if err != nil {
		return 0, t.fault(path, "%v", err)
	}
	return micros, nil
}

func (t *Task) duration(path []any, text string) (int64, error) {
	micros, err := features.ParseDuration(text)
	if err != nil {
		return 0, t.fault(path, "%v", err)
	}
	return micros, nil
}

// oneOf demands that exactly one of two keys is set.
func (t *Task) oneOf(path []any, first, a, second, b string) error {
	if (a == "") == (b == "") {
		return t.fault(path, "got %s %q and %s %q, want exactly one of the two", first, a, second, b)
	}
	return nil
}

// need demands that a key is set.
func (t *Task) need(path []any, key, value string) error {
	if value == "" {
		return t.fault(append(path[:len(path):len(path)], key), "is missing, want the name of a column")
	}
	return nil
}

func (t *Task) checkEvents() error {
	for i, e := range t.Events {
		path := []any{"events", i}
		err := firstError(
			t.oneOf(path, "source", e.Source, "sql", e.SQL),
			t.need(path, "customer", e.Customer),
			t.need(path, "time", e.Time),
			t.oneOf(path, "type", e.Type, "type_value", e.TypeValue),
			t.checkAttributes(append(path, "attributes"), e.Attributes),
			t.checkAttributes(append(path, "profile"), e.Profile),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *Task) checkProfiles() error {
	for i, p := range t.Profiles {
		path := []any{"profiles", i}
		err := firstError(
			t.oneOf(path, "source", p.Source, "sql", p.SQL),
			t.checkAttributes(append(path, "attributes"), p.Attributes),
		)
		if err != nil {
			return err
		}
		if p.Customer == "" && len(t.Events)+len(t.Profiles) > 1 {
			return t.fault(append(path, "customer"), "is missing, want a column: only the one source of a task without events may number its rows instead")
		}
	}
	return nil
}

func (t *Task) checkAttributes(path []any, attributes []Attribute) error {
	seen := map[string]bool{}
	for i, a := range attributes {
		at := append(path[:len(path):len(path)], i)
		switch {
		case a.Name == "":
			return t.fault(at, "has no name, want the name of a column")
		case seen[a.Name]:
			return t.fault(at, "column %q is named twice", a.Name)
		case a.Kind != "" && a.Kind != features.Numeric && a.Kind != features.Categorical:
			return t.fault(append(at, "kind"), "got %q, want numeric or categorical", a.Kind)
		}
		seen[a.Name] = true
	}
	return nil
}

// checkCutoffs turns the cutoffs into a rule.
func (t *Task) checkCutoffs() (err error) {
	c, path := t.Cutoffs, []any{"cutoffs"}
	forms := 0
	for _, set := range []bool{len(c.AfterEvents) > 0, c.At != "", c.AfterFirst != "", c.Every != "" || c.From != "" || c.To != "", c.Column != ""} {
		if set {
			forms++
		}
	}
	if forms > 1 {
		return t.fault(path, "got %d forms, want one of after_events, at, after_first, every (with from and to) and column", forms)
	}
	for i, k := range c.AfterEvents {
		if k < 1 {
			return t.fault(append(path, "after_events", i), "got %d, want a number of events from 1 on", k)
		}
	}
	t.rule = features.CutoffRule{AfterEvents: c.AfterEvents, Column: c.Column != ""}
	if c.At != "" {
		t.rule.At, err = t.moment(append(path, "at"), c.At)
	}
	if c.AfterFirst != "" {
		t.rule.AfterFirst, err = t.duration(append(path, "after_first"), c.AfterFirst)
	}
	if err == nil && (c.Every != "" || c.From != "" || c.To != "") {
		err = t.checkEvery()
	}
	return err
}

func (t *Task) checkEvery() (err error) {
	c, path := t.Cutoffs, []any{"cutoffs"}
	if t.rule.Every, err = t.duration(append(path, "every"), c.Every); err != nil {
		return err
	}
	if t.rule.From, err = t.moment(append(path, "from"), c.From); err != nil {
		return err
	}
	if t.rule.To, err = t.moment(append(path, "to"), c.To); err != nil {
		return err
	}
	if t.rule.To < t.rule.From {
		return t.fault(append(path, "to"), "got %s, want a time from %s on", c.To, c.From)
	}
	return nil
}

func (t *Task) checkTargets() error {
	seen := map[string]bool{}
	for i := range t.Targets {
		target := &t.Targets[i]
		path := []any{"targets", target.Name}
		switch {
		case seen[target.Name]:
			return t.fault(path, "the target is named twice")
		case target.Name == "" || slices.Contains(scoreColumns, target.Name):
			return t.fault(path, "got the name %q, want another: score files have a column of the target's name beside %s", target.Name, strings.Join(scoreColumns, ", "))
		}
		seen[target.Name] = true
		if err := t.checkTarget(path, target); err != nil {
			return err
		}
	}
	if t.Anomaly.Labels != nil {
		if err := t.checkLabels(t.path(len(t.Targets)), t.Anomaly.Labels); err != nil {
			return err
		}
	}
	if t.rule.Column {
		for _, outcome := range t.outcomes() {
			if outcome.Labels != nil {
				return nil
			}
		}
		return t.fault([]any{"cutoffs", "column"}, "no target reads labels, want one whose source has the column")
	}
	return nil
}

func (t *Task) checkTarget(path []any, target *Target) (err error) {
	forms := 0
	for _, set := range []bool{target.Labels != nil, target.Event != nil, target.Inactivity != nil} {
		if set {
			forms++
		}
	}
	if forms != 1 {
		return t.fault(path, "got %d outcomes, want exactly one of labels, event and inactivity", forms)
	}
	switch {
	case target.Labels != nil:
		return t.checkLabels(append(path, "labels"), target.Labels)
	case target.Event != nil:
		path = append(path, "event")
		if target.Event.Type == "" {
			return t.fault(append(path, "type"), "is missing, want a type of event")
		}
		target.event.Type = target.Event.Type
		target.event.Within, err = t.duration(append(path, "within"), target.Event.Within)
	default:
		target.inactivity.Types = target.Inactivity.Types
		target.inactivity.For, err = t.duration(append(path, "inactivity", "for"), target.Inactivity.For)
	}
	if err == nil && len(t.Events) == 0 {
		return t.fault(path, "the outcome is read from events and the task has none")
	}
	return err
}

func (t *Task) checkLabels(path []any, l *LabelSpec) error {
	if l.Column != "" {
		switch {
		case l.Source != "" || l.SQL != "" || l.Customer != "" || l.Value != "":
			return t.fault(append(path, "column"), "stands for source, sql, customer and value, want it without them")
		case len(t.Profiles) != 1:
			return t.fault(append(path, "column"), "is read from the profile source, got %d of them, want 1", len(t.Profiles))
		}
		return nil
	}
	if err := firstError(t.oneOf(path, "source", l.Source, "sql", l.SQL), t.need(path, "value", l.Value)); err != nil {
		return err
	}
	if l.Customer == "" && !t.numbersRows() {
		return t.need(path, "customer", "")
	}
	if len(l.Negative) > 0 && len(l.Positive) == 0 {
		return t.fault(append(path, "positive"), "is missing, want the values that are positive beside the negative ones")
	}
	return nil
}

// numbersRows says whether customers are row numbers.
func (t *Task) numbersRows() bool {
	return len(t.Events) == 0 && len(t.Profiles) == 1 && t.Profiles[0].Customer == ""
}

func (t *Task) checkShares() error {
	s := &t.Split
	if s.By == "" {
		s.By = "customer"
		if len(t.rule.AfterEvents) > 1 || t.rule.Every > 0 {
			s.By = "time"
		}
	}
	switch {
	case s.By != "customer" && s.By != "time":
		return t.fault([]any{"split", "by"}, "got %q, want customer or time", s.By)
	case !(s.Test > 0 && s.Test < 1):
		return t.fault([]any{"split", "test"}, "got %g, want a share between 0 and 1", s.Test)
	case !(s.Validation > 0 && s.Validation < 1):
		return t.fault([]any{"split", "validation"}, "got %g, want a share between 0 and 1", s.Validation)
	case !(t.Anomaly.AlertRate > 0 && t.Anomaly.AlertRate < 1):
		return t.fault([]any{"anomaly", "alert_rate"}, "got %g, want a share between 0 and 1", t.Anomaly.AlertRate)
	case !(t.Anomaly.Contamination >= 0 && t.Anomaly.Contamination < 0.5):
		return t.fault([]any{"anomaly", "contamination"}, "got %g, want a share from 0 to below a half", t.Anomaly.Contamination)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Anomaly.Senses)) {
		sense := t.Anomaly.Senses[name]
		if sense != "positive" && sense != "negative" && sense != "mixed" {
			return t.fault([]any{"anomaly", "senses", name}, "got %q, want positive, negative or mixed", sense)
		}
	}
	return t.checkNetworks()
}

// CheckSenses demands that the names of anomaly.senses are known, as columns or
// groups of the encoded journeys.
func (t *Task) CheckSenses(known func(name string) bool, like []string) error {
	for _, name := range slices.Sorted(maps.Keys(t.Anomaly.Senses)) {
		if !known(name) {
			return t.fault([]any{"anomaly", "senses", name}, "is no column of the encoded journeys and no group of them, want such as %q", like)
		}
	}
	return nil
}

func (t *Task) checkNetworks() error {
	n := t.Networks
	for _, c := range []struct {
		key   string
		value int
	}{
		{"members", n.Members}, {"width", n.Width}, {"layers", n.Layers}, {"embedding", deref(n.Embedding)}, {"epochs", n.Epochs},
		{"patience", n.Patience}, {"batch", n.Batch}, {"ensemble", n.Ensemble}, {"threads", n.Threads}, {"extra_cuts", deref(n.ExtraCuts)},
		{"recurrent", deref(n.Recurrent)}, {"state", n.State},
	} {
		if c.value < 0 {
			return t.fault([]any{"networks", c.key}, "got %d, want a positive number", c.value)
		}
	}
	for _, c := range []struct {
		key   string
		value float64
	}{{"learning_rate", n.LearningRate}, {"weight_decay", deref(n.WeightDecay)}, {"dropout", deref(n.Dropout)}} {
		if !(c.value >= 0 && c.value < 1) {
			return t.fault([]any{"networks", c.key}, "got %g, want a number from 0 to below 1", c.value)
		}
	}
	if !(n.Positive >= 0 && n.Positive <= 1e6) {
		return t.fault([]any{"networks", "positive_weight"}, "got %g, want a number above 0", n.Positive)
	}
	if a := n.Architecture; a != "" && a != "tabm" && a != "mlp" {
		return t.fault([]any{"networks", "architecture"}, "got %q, want tabm or mlp", a)
	}
	return nil
}

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
