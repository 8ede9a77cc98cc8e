package datasets

import (
	"slices"
	"strings"
	"testing"

	"moments/features"
)

const goodTask = `name: loans
timezone: Europe/Amsterdam
data_end: 2012-04-01
events:
  - source: ${DATA}/events.csv.gz
    customer: "case:concept:name"
    time: "time:timestamp"
    type: "concept:name"
    attributes: ["lifecycle:transition", {name: resource, kind: categorical}]
    profile: ["case:AMOUNT_REQ"]
  - sql: "SELECT * FROM 'x.parquet'"
    customer: c
    time: t
    type_value: purchase
    attributes: []
profiles:
  - source: customers.csv
    customer: id
    ignore: [name]
cutoffs: {after_events: [5, 10]}
targets:
  zebra:
    labels: {source: o.csv, customer: c, value: outcome, positive: [accepted, 1, TRUE], negative: [declined], until: at, where: x > 1}
  apple:
    event: {type: purchase, within: 30d}
  mango:
    inactivity: {for: 39w, types: [a, b]}
split: {by: time, test: 0.3, validation: 0.1, seed: 7}
networks: {members: 16, dropout: 0, learning_rate: 0.002}
anomaly: {alert_rate: 0.05}
`

func TestLoadTask(t *testing.T) {
	task, err := LoadTaskBytes([]byte(goodTask), "somewhere")
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, target := range task.Targets {
		order = append(order, target.Name)
	}
	if want := []string{"zebra", "apple", "mango"}; !slices.Equal(order, want) {
		t.Errorf("targets are in the order %v, want %v", order, want)
	}
	if a := task.Events[0].Attributes; len(a) != 2 || a[0].Kind != "" || a[1] != (Attribute{"resource", features.Categorical}) {
		t.Errorf("got attributes %v", a)
	}
	if a := task.Events[1].Attributes; a == nil || len(a) != 0 {
		t.Errorf("got attributes %#v for an empty list, want none rather than the default", a)
	}
	if task.Events[0].Source != "${DATA}/events.csv.gz" {
		t.Errorf("got source %q: variables stay until the data is opened", task.Events[0].Source)
	}
	if got := task.Rule(); !slices.Equal(got.AfterEvents, []int{5, 10}) {
		t.Errorf("got rule %+v", got)
	}
	if got := task.Targets[1].event; got != (features.EventTarget{Type: "purchase", Within: 30 * features.Day}) {
		t.Errorf("got event target %+v", got)
	}
	if got := task.Targets[2].inactivity; got.For != 39*features.Week || len(got.Types) != 2 {
		t.Errorf("got inactivity %+v", got)
	}
	if want := micros("2012-03-31T22:00:00Z"); task.end != want {
		t.Errorf("got data end %d, want %d: midnight in Amsterdam", task.end, want)
	}
	if n := task.Networks; n.Members != 16 || n.Dropout == nil || *n.Dropout != 0 || n.WeightDecay != nil || n.LearningRate != 0.002 {
		t.Errorf("got networks %+v", n)
	}
	if string(task.Raw) != goodTask {
		t.Error("the raw text is not kept")
	}
}

func TestTaskDefaults(t *testing.T) {
	const events = "name: x\nevents: [{source: e.csv, customer: c, time: t, type: k}]\n"
	tests := []struct {
		name, text string
		want       SplitSpec
	}{
		{"one cutoff", events, SplitSpec{"customer", 0.2, 0.2, 1}},
		{"one number of events", events + "cutoffs: {after_events: [3]}", SplitSpec{"customer", 0.2, 0.2, 1}},
		{"several numbers", events + "cutoffs: {after_events: [3, 4]}", SplitSpec{"time", 0.2, 0.2, 1}},
		{"every week", events + "cutoffs: {every: 7d, from: 2020-01-01, to: 2020-03-01}", SplitSpec{"time", 0.2, 0.2, 1}},
		{"part of it is said", events + "split: {test: 0.5}", SplitSpec{"customer", 0.5, 0.2, 1}},
		{"a seed of zero", events + "split: {seed: 0}", SplitSpec{"customer", 0.2, 0.2, 0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			task, err := LoadTaskBytes([]byte(test.text), "")
			if err != nil {
				t.Fatal(err)
			}
			if task.Split != test.want {
				t.Errorf("got split %+v, want %+v", task.Split, test.want)
			}
			if task.Anomaly.AlertRate != 0.01 {
				t.Errorf("got alert rate %g, want 0.01", task.Anomaly.AlertRate)
			}
		})
	}
}

// Bad task files are named by their fault; the error names line, key, got and want.
func TestBadTasks(t *testing.T) {
	const events = "name: x\nevents: [{source: e.csv, customer: c, time: t, type: k}]\n"
	tests := []struct{ name, text, want string }{
		{"empty file", "", "want one that is not empty"},
		{"two documents", "name: x\n---\nname: y\n", "got 2 YAML documents"},
		{"a list", "- a\n", "task.yaml:1:"},
		{"broken YAML", "name: [x\n", "task.yaml:1:"},
		{"tag before a colon", "target|: {a: {labels: 3}}\neventsbels: 3}}\nevents: !: 7", "is no YAML that can be read"},
		{"unknown key", events + "cutofs: {at: 2020-01-01}", `task.yaml:3: unknown field "cutofs"`},
		{"unknown key of a source", "name: x\nevents:\n  - source: a\n    custmer: c\n", `task.yaml:4: unknown field "custmer"`},
		{"unknown key of a target", events + "targets:\n  churn:\n    label: {}\n", `task.yaml:5: unknown field "label"`},
		{"unknown key of labels", events + "targets:\n  churn:\n    labels: {sauce: x}\n", `task.yaml:5: unknown field "sauce"`},
		{"unknown key of an attribute", "name: x\nevents:\n  - source: a\n    attributes: [{nam: c}]\n", `task.yaml:4: unknown field "nam"`},
		{"unknown network choice", events + "networks: {learning: 1}", `task.yaml:3: unknown field "learning"`},
		{"key given twice", "name: x\nname: y\n", "task.yaml:2:"},
		{"no name", "events: [{source: e.csv, customer: c, time: t, type: k}]", `name: got "", want a name`},
		{"name that leaves its folder", "name: ../x\nprofiles: [{source: a}]", `task.yaml:1: name: got "../x"`},
		{"target named like a score", events + "targets:\n  anomaly:\n    inactivity: {for: 1d}\n", `task.yaml:4: targets.anomaly: got the name "anomaly"`},
		{"no source at all", "name: x", "neither events nor profiles"},
		{"source and sql", "name: x\nevents:\n  - {source: a, sql: b, customer: c, time: t, type: k}", `task.yaml:3: events[0]: got source "a" and sql "b", want exactly one`},
		{"neither type", "name: x\nevents:\n  - source: a\n    customer: c\n    time: t\n", "want exactly one of the two"},
		{"no time", "name: x\nevents:\n  - source: a\n    customer: c\n    type: t\n", "events[0].time: is missing"},
		{"bad kind", "name: x\nprofiles:\n  - source: a\n    attributes:\n      - {name: b, kind: number}\n", `task.yaml:5: profiles[0].attributes[0].kind: got "number", want numeric or categorical`},
		{"attribute twice", "name: x\nprofiles:\n  - source: a\n    attributes: [b, b]\n", `column "b" is named twice`},
		{"profiles without customer beside events", events + "profiles:\n  - source: p.csv\n", "profiles[0].customer: is missing"},
		{"two forms of cutoffs", events + "cutoffs: {at: 2020-01-01, after_first: 5d}", "task.yaml:3: cutoffs: got 2 forms"},
		{"impossible date", events + "cutoffs:\n  at: 2020-02-30", `task.yaml:4: cutoffs.at: features: time "2020-02-30"`},
		{"bad duration", events + "cutoffs:\n  after_first: 5 days", `task.yaml:4: cutoffs.after_first: features: duration "5 days"`},
		{"every without from", events + "cutoffs:\n  every: 7d\n", "cutoffs.from"},
		{"to before from", events + "cutoffs: {every: 7d, from: 2020-02-01, to: 2020-01-01}", "cutoffs.to: got 2020-01-01, want a time from 2020-02-01 on"},
		{"after zero events", events + "cutoffs: {after_events: [0]}", "got 0, want a number of events from 1 on"},
		{"cutoff column without labels", events + "cutoffs: {column: c}", "no target reads labels"},
		{"two outcomes", events + "targets:\n  churn:\n    event: {type: a, within: 1d}\n    inactivity: {for: 1d}\n", "task.yaml:4: targets.churn: got 2 outcomes"},
		{"no outcome", events + "targets:\n  churn: {}\n", "targets.churn: got 0 outcomes"},
		{"bad horizon", events + "targets:\n  churn:\n    event:\n      type: a\n      within: 0d\n", "task.yaml:7: targets.churn.event.within"},
		{"event target without events", "name: x\nprofiles: [{source: a}]\ntargets: {b: {event: {type: a, within: 1d}}}", "the task has none"},
		{"label without value", events + "targets: {a: {labels: {source: l.csv, customer: c}}}", "targets.a.labels.value: is missing"},
		{"label without customer", events + "targets: {a: {labels: {source: l.csv, value: c}}}", "targets.a.labels.customer: is missing"},
		{"label column and source", "name: x\nprofiles: [{source: a}]\ntargets: {b: {labels: {column: c, source: d}}}", "stands for source"},
		{"label column without profile", events + "targets: {b: {labels: {column: c}}}", "want 1"},
		{"negative without positive", events + "targets: {a: {labels: {source: l.csv, customer: c, value: v, negative: [0]}}}", "labels.positive: is missing"},
		{"share of one", events + "split: {test: 1}", "split.test: got 1, want a share between 0 and 1"},
		{"unknown split", events + "split: {by: week}", `split.by: got "week", want customer or time`},
		{"alert rate", events + "anomaly: {alert_rate: 2}", "anomaly.alert_rate: got 2"},
		{"contamination", events + "anomaly: {contamination: 0.5}", "anomaly.contamination: got 0.5, want a share from 0 to below a half"},
		{"anomaly labels", events + "anomaly: {labels: {source: l.csv, customer: c}}", "anomaly.labels.value: is missing"},
		{"sense", events + "anomaly: {senses: {timing: bad}}", `anomaly.senses.timing: got "bad", want positive, negative or mixed`},
		{"negative width", events + "networks: {width: -3}", "networks.width: got -3"},
		{"dropout of one", events + "networks: {dropout: 1}", "networks.dropout: got 1"},
		{"unknown zone", events + "timezone: Mars/Olympus", `task.yaml:3: timezone: got "Mars/Olympus", want a zone`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := LoadTaskBytes([]byte(test.text), "")
			if err == nil {
				t.Fatal("the task loads, want an error")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant ...%s...", err, test.want)
			}
			if !strings.HasPrefix(err.Error(), "datasets: ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want one line that begins with the package", err)
			}
		})
	}
}

func TestWithSources(t *testing.T) {
	task, err := LoadTaskBytes([]byte(goodTask), "somewhere")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := task.WithSources([]string{"a.csv"}, nil); err == nil || !strings.Contains(err.Error(), "got 1 event files, want 2") {
		t.Errorf("got %v", err)
	}
	other, err := task.WithSources([]string{"a.csv", "/b.parquet"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if other.Events[1].Source != "/b.parquet" || other.Events[1].SQL != "" || !strings.HasSuffix(other.Events[0].Source, "/a.csv") {
		t.Errorf("got sources %q and %q", other.Events[0].Source, other.Events[1].Source)
	}
	if other.Profiles[0].Source != "customers.csv" || task.Events[1].SQL == "" {
		t.Error("another source has changed")
	}
}

func FuzzLoadTask(f *testing.F) {
	f.Add([]byte(goodTask))
	f.Add([]byte("name: x\ntargets: []\n"))
	f.Add([]byte("targets: {a: {labels: 3}}\nevents: 7"))
	f.Add([]byte("events: [{attributes: {a: b}}]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		task, err := LoadTaskBytes(raw, "")
		if (task == nil) != (err != nil) {
			t.Fatalf("got task %v and error %v, want exactly one", task, err)
		}
	})
}
