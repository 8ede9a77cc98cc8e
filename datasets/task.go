package datasets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"moments/features"
)

// A Task is one task file: which data, which outcomes, which split. Paths keep
// their ${NAME} until [Open], so that a task can be loaded where its data is
// not, as a saved bundle does.
type Task struct {
	Name     string          `yaml:"name"`
	Timezone string          `yaml:"timezone"` // IANA name or +hh:mm: the zone of times that name none; default UTC
	DataEnd  string          `yaml:"data_end"` // the data is complete before this time; default: the last event (its whole day, when events carry dates only)
	Events   []EventSource   `yaml:"events"`
	Profiles []ProfileSource `yaml:"profiles"`
	Cutoffs  CutoffSpec      `yaml:"cutoffs"`
	Targets  Targets         `yaml:"targets"`
	Split    SplitSpec       `yaml:"split"`
	Networks Networks        `yaml:"networks"`
	Anomaly  Anomaly         `yaml:"anomaly"`

	Raw  []byte `yaml:"-"` // the file as it was read
	Dir  string `yaml:"-"` // relative paths start here
	Path string `yaml:"-"` // the file's name in errors

	zone *time.Location
	rule features.CutoffRule
	end  int64 // data_end, exclusive, in microseconds; 0 unset
	root ast.Node
}

// An EventSource is a table whose rows are events.
type EventSource struct {
	Source     string      `yaml:"source"`     // path or glob of CSV, JSONL or Parquet files, .gz or not
	SQL        string      `yaml:"sql"`        // or a query for DuckDB
	Customer   string      `yaml:"customer"`   // column
	Time       string      `yaml:"time"`       // column
	Type       string      `yaml:"type"`       // column
	TypeValue  string      `yaml:"type_value"` // or one type for every row
	Attributes []Attribute `yaml:"attributes"` // default: every other column, which "*" stands for beside named ones
	Profile    []Attribute `yaml:"profile"`    // columns that describe the customer; read at the journey's first moment
	Ignore     []string    `yaml:"ignore"`     // columns to leave out of the default attributes
}

// A ProfileSource is a table with one row a customer.
type ProfileSource struct {
	Source     string      `yaml:"source"`
	SQL        string      `yaml:"sql"`
	Customer   string      `yaml:"customer"` // omitted: the row number, in a task without events
	Attributes []Attribute `yaml:"attributes"`
	Ignore     []string    `yaml:"ignore"`
}

// An Attribute names a column and, where it is said, its kind.
type Attribute struct {
	Name string        `yaml:"name"`
	Kind features.Kind `yaml:"kind"` // "" is inferred
}

// UnmarshalYAML reads a bare name or {name, kind}.
func (a *Attribute) UnmarshalYAML(node ast.Node) error {
	if _, ok := node.(ast.ScalarNode); ok {
		return yaml.NodeToValue(node, &a.Name, yaml.Strict())
	}
	type plain Attribute
	return yaml.NodeToValue(node, (*plain)(a), yaml.Strict())
}

// A CutoffSpec says where journeys are cut; at most one form is set, and none
// means the end of the journey. See features.CutoffRule.
type CutoffSpec struct {
	AfterEvents []int  `yaml:"after_events"`
	At          string `yaml:"at"`
	AfterFirst  string `yaml:"after_first"`
	Every       string `yaml:"every"`
	From        string `yaml:"from"`
	To          string `yaml:"to"`
	Column      string `yaml:"column"` // a column of the label sources
}

// Targets keep the order of the file.
type Targets []Target

// A Target is a named outcome; exactly one of its forms is set.
type Target struct {
	Name       string          `yaml:"-"`
	Labels     *LabelSpec      `yaml:"labels"`
	Event      *EventSpec      `yaml:"event"`
	Inactivity *InactivitySpec `yaml:"inactivity"`

	event      features.EventTarget
	inactivity features.Inactivity
}

// UnmarshalYAML reads the mapping in the order of the file.
func (t *Targets) UnmarshalYAML(node ast.Node) error {
	entries, err := mapping(node)
	if err != nil {
		return err
	}
	for _, e := range entries {
		target := Target{Name: keyText(e.Key)}
		if err := yaml.NodeToValue(e.Value, &target, yaml.Strict()); err != nil {
			return err
		}
		*t = append(*t, target)
	}
	return nil
}

// A LabelSpec reads outcomes from a table: a source of its own, a query, or a
// column of the task's profile source.
type LabelSpec struct {
	Source   string `yaml:"source"`
	SQL      string `yaml:"sql"`
	Column   string `yaml:"column"`   // a column of the profile source holds the outcome; stands for source, customer and value
	Customer string `yaml:"customer"` // column
	Value    string `yaml:"value"`    // column
	Positive []any  `yaml:"positive"` // default: 1, true, yes
	Negative []any  `yaml:"negative"` // default: 0, false, no; or, where positive is given, every other value
	Cutoff   string `yaml:"cutoff"`   // column, for cutoffs: {column: ...}; default: the name given there
	Until    string `yaml:"until"`    // column; events at or after this time are never seen
	Where    string `yaml:"where"`    // SQL condition on the source's columns: rows outside it are not of the population
}

// An EventSpec is positive when an event of the type follows within the horizon.
type EventSpec struct {
	Type   string `yaml:"type"`
	Within string `yaml:"within"`
}

// An InactivitySpec is positive when no event of these types (of any, when
// empty) follows within the horizon.
type InactivitySpec struct {
	For   string   `yaml:"for"`
	Types []string `yaml:"types"`
}

// A SplitSpec says how customers are divided. See [Split].
type SplitSpec struct {
	By         string  `yaml:"by"`         // customer or time; default customer when journeys have one cutoff, else time
	Test       float64 `yaml:"test"`       // share of the customers; default 0.2
	Validation float64 `yaml:"validation"` // share of the rest; default 0.2
	Seed       uint64  `yaml:"seed"`       // default 1
}

// Networks holds the choices of package train; zero and nil mean its default.
type Networks struct {
	Architecture string   `yaml:"architecture"` // tabm (default) or mlp
	Members      int      `yaml:"members"`      // predictions averaged inside one network; tabm only
	Width        int      `yaml:"width"`        // units a layer
	Layers       int      `yaml:"layers"`       // hidden layers
	Embedding    *int     `yaml:"embedding"`    // units a numeric column is embedded in; 0 is a choice of its own: none; tabm only
	Epochs       int      `yaml:"epochs"`       // passes over the training part at most
	Patience     int      `yaml:"patience"`     // passes without progress before training stops
	Batch        int      `yaml:"batch"`        // examples a step
	LearningRate float64  `yaml:"learning_rate"`
	WeightDecay  *float64 `yaml:"weight_decay"`    // 0 is a choice of its own
	Dropout      *float64 `yaml:"dropout"`         // 0 is a choice of its own
	Positive     float64  `yaml:"positive_weight"` // of positive examples in the loss; probabilities are corrected for it; default 1
	Additive     *bool    `yaml:"additive"`        // one more network, that adds up what each column says; false is a choice of its own
	Ensemble     int      `yaml:"ensemble"`        // independently seeded networks
	Recurrent    *int     `yaml:"recurrent"`       // further networks that follow the events one by one; 0 is a choice of its own: none
	State        int      `yaml:"state"`           // units that remember the events
	Pretrain     bool     `yaml:"pretrain"`        // networks that follow events first learn to foretell them, on journeys without label too
	LabelShare   float64  `yaml:"label_share"`     // share of the customers whose labels are trained on; default 1
	ExtraCuts    *int     `yaml:"extra_cuts"`      // random cuts a journey is trained on besides the task's own; 0 is a choice of its own
	Seed         uint64   `yaml:"seed"`
	Threads      int      `yaml:"threads"`
}

// Anomaly holds the choices of the anomaly network; zero means train's default.
type Anomaly struct {
	AlertRate float64 `yaml:"alert_rate"` // share of normal journeys that may be flagged; default 0.01

	// Labels say which customers are known anomalies, positive, or known to be
	// normal. Anomalies are kept out of what the anomaly network is fitted to and
	// calibrated on; without targets they are in no other part than the test part.
	Labels *LabelSpec `yaml:"labels"`

	Contamination float64 `yaml:"contamination"` // share of the journeys that are taken to be anomalies without a label saying so; default 0

	Off     bool  `yaml:"off"`     // trains no anomaly network
	Journey *bool `yaml:"journey"` // looks for anomalies in the sequence of events, too; false is a choice of its own
	Steps   int   `yaml:"steps"`   // of the optimiser, 64 examples each
	Width   int   `yaml:"width"`   // units a layer

	// Senses say what more of a column, or of a group of columns, means: positive,
	// negative or mixed; see features.Column. More events and amounts are positive
	// where it is not said.
	Senses map[string]string `yaml:"senses"`
}

// anomalyOutcome names the labels of anomalies among the outcomes.
const anomalyOutcome = "anomaly"

// outcomes are the targets and then the anomalies, where they have labels.
func (t *Task) outcomes() []Target {
	if t.Anomaly.Labels == nil {
		return t.Targets
	}
	return append(slices.Clip(t.Targets), Target{Name: anomalyOutcome, Labels: t.Anomaly.Labels})
}

// path is where an outcome stands in the task file.
func (t *Task) path(outcome int) []any {
	if outcome == len(t.Targets) {
		return []any{anomalyOutcome, "labels"}
	}
	return []any{"targets", t.Targets[outcome].Name, "labels"}
}

// LoadTask reads a task file. Errors name file, line, key, got and want.
func LoadTask(path string) (*Task, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("datasets: %w", err)
	}
	return loadTask(raw, filepath.Dir(path), path)
}

// LoadTaskBytes reads a task from memory; relative paths start at dir. It is
// how a bundle reads the task that was saved in it.
func LoadTaskBytes(raw []byte, dir string) (*Task, error) {
	return loadTask(raw, dir, "task.yaml")
}

func loadTask(raw []byte, dir, path string) (*Task, error) {
	t := &Task{
		Raw: raw, Dir: dir, Path: path,
		Split:   SplitSpec{Test: 0.2, Validation: 0.2, Seed: 1},
		Anomaly: Anomaly{AlertRate: 0.01},
	}
	if err := t.decode(); err != nil {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

// decode parses the file strictly. The library panics on some texts that are no
// YAML, such as a lone tag before a colon: that is an error of the file too.
func (t *Task) decode() (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("datasets: %s: is no YAML that can be read: %v", t.Path, cause)
		}
	}()
	file, err := parser.ParseBytes(t.Raw, 0)
	if err != nil {
		return t.yamlError(err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return fmt.Errorf("datasets: %s: got %d YAML documents, want one that is not empty", t.Path, len(file.Docs))
	}
	t.root = file.Docs[0].Body
	if err := yaml.NodeToValue(t.root, t, yaml.Strict()); err != nil {
		return t.yamlError(err)
	}
	return nil
}

// yamlError turns the library's error into ours: file, line, what is wrong.
func (t *Task) yamlError(err error) error {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		return fmt.Errorf("datasets: %s:%d: %s", t.Path, at.GetToken().Position.Line, firstLine(at.GetMessage()))
	}
	return fmt.Errorf("datasets: %s: %s", t.Path, firstLine(err.Error()))
}

// fault is an error about the key at a path such as "targets", "churn",
// "labels", "value" or "events", 0, "time".
func (t *Task) fault(path []any, format string, args ...any) error {
	return fmt.Errorf("datasets: %s:%d: %s: %w", t.Path, t.line(path), pathName(path), fmt.Errorf(format, args...))
}

// line finds where a key stands; a key that is absent has the line of the
// nearest parent that is there.
func (t *Task) line(path []any) int {
	node, line := t.root, 1
	for _, p := range path {
		switch p := p.(type) {
		case int:
			sequence, ok := node.(*ast.SequenceNode)
			if !ok || p >= len(sequence.Values) {
				return line
			}
			node = sequence.Values[p]
			line = node.GetToken().Position.Line
		case string:
			entries, _ := mapping(node)
			found := false
			for _, e := range entries {
				if keyText(e.Key) == p {
					node, line, found = e.Value, e.Key.GetToken().Position.Line, true
				}
			}
			if !found {
				return line
			}
		}
	}
	return line
}

// mapping lists the entries of a mapping in their order.
func mapping(node ast.Node) ([]*ast.MappingValueNode, error) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, nil
	case *ast.NullNode, nil:
		return nil, nil
	}
	return nil, fmt.Errorf("[%d:1] got %s, want a mapping", node.GetToken().Position.Line, node.Type())
}

func keyText(key ast.MapKeyNode) string { return key.GetToken().Value }
