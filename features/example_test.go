package features_test

import (
	"fmt"

	"moments/features"
)

// A schema is fitted on training journeys, then encodes any journey at any
// moment, event by event.
func Example() {
	layout := features.Layout{
		Profile: []features.Field{{Name: "country", Kind: features.Categorical}},
		Event:   []features.Field{{Name: "amount", Kind: features.Numeric}},
	}
	start, _, _, err := features.ParseTime("2024-03-01T09:30:00+01:00")
	if err != nil {
		fmt.Println(err)
		return
	}
	fitter := features.NewFitter(layout, features.Options{})
	rule := features.CutoffRule{AfterFirst: 7 * features.Day}
	for i := range 30 {
		journey := &features.Journey{
			Customer: fmt.Sprint(i),
			Profile:  []features.Value{features.Text([]string{"fr", "it"}[i%2])},
			Events: []features.Event{
				{Time: start, Type: "visit", Values: []features.Value{features.Missing()}},
				{Time: start + int64(i)*features.Day, Type: "purchase", Values: []features.Value{features.Number(float64(10 * i))}},
			},
		}
		for _, cut := range rule.Cut(journey, features.NoLimit, 0) {
			fitter.Add(journey, cut)
		}
	}
	schema, err := fitter.Schema()
	if err != nil {
		fmt.Println(err)
		return
	}

	encoder := schema.NewEncoder()
	encoder.Start([]features.Value{features.Text("it")})
	encoder.Append(&features.Event{Time: start, Offset: 3600, Type: "visit"})
	encoder.Append(&features.Event{Time: start + 2*features.Day, Offset: 3600, Type: "purchase", Values: []features.Value{features.Number(25)}})
	var example features.Example
	encoder.Encode(start+3*features.Day, &example)
	for i, column := range schema.Columns() {
		switch column.Name {
		case "timing/recency_days", "timing/first_hour", "event:purchase/first_days", "attribute:amount/sum":
			fmt.Println(column.Name, example.Numeric[i])
		}
	}
	// Output:
	// timing/recency_days 1
	// timing/first_hour 9.5
	// event:purchase/first_days 2
	// attribute:amount/sum 25
}
