package datasets_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"moments/datasets"
)

// A task, its data, and what is cut from it.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	texts := map[string]string{
		"visits.csv":   "customer,time,type,amount\nann,2024-01-01,view,\nann,2024-01-03,buy,9.5\nbob,2024-01-02,view,\nbob,yesterday,view,\n",
		"outcomes.csv": "customer,returned\nann,yes\nbob,no\n",
		"returns.yaml": `
name: returns
events:
  - {source: visits.csv, customer: customer, time: time, type: type}
targets:
  returned:
    labels: {source: outcomes.csv, customer: customer, value: returned, positive: ["yes"]}
`}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			fmt.Println(err)
			return
		}
	}
	task, err := datasets.LoadTask(filepath.Join(dir, "returns.yaml"))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	data, err := datasets.Open(ctx, task, datasets.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer data.Close()
	for cut, err := range data.Cuts(ctx, datasets.CutOptions{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(cut.Journey.Customer, "has", cut.Cutoff.Events, "events, label", cut.Labels[0])
	}
	for _, s := range data.Quality().Sources {
		fmt.Println(s.Name, "kept", s.Kept, "of", s.Read, s.Reasons)
	}
	// Output:
	// ann has 2 events, label 1
	// bob has 1 events, label 0
	// targets.returned.labels kept 2 of 2 map[]
	// events[0] kept 3 of 4 map[unparsable time:1]
}

// By time, the last customers are the test part.
func ExampleSplit() {
	var refs []datasets.Ref
	for day := range int64(10) {
		refs = append(refs, datasets.Ref{Customer: fmt.Sprint("c", day), Time: day, Labels: []float32{0}})
	}
	parts, err := datasets.Split(refs, datasets.SplitSpec{By: "time", Test: 0.2, Validation: 0.25})
	fmt.Println(parts, err)
	// Output: [train train train train train train validation validation test test] <nil>
}
