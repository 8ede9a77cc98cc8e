package journeyjson_test

import (
	"fmt"

	"moments/features"
	"moments/infer/serve/journeyjson"
)

func Example() {
	schema := &features.Schema{Events: 1, Layout: features.Layout{Event: []features.Field{{Name: "amount", Kind: features.Numeric}}}}
	format := journeyjson.New(schema, features.CutoffRule{}, nil)
	var decoder journeyjson.Decoder
	var j journeyjson.Journey
	err := decoder.Journey(format, `{"customer": "c17", "events": [{"time": 1780300800, "type": "purchase", "amount": 12.5}]}`, &j)
	fmt.Println(j.Customer, j.Events[0].Type, j.Events[0].Values[0].Number, err)
	err = decoder.Journey(format, `{"customer": "c17", "events": [{"time": 1780300800, "type": "purchase", "amuont": 12.5}]}`, &j)
	fmt.Println(err)
	// Output:
	// c17 purchase 12.5 <nil>
	// journeyjson: events[0]: unknown field "amuont", want time, type, id, attributes or one of amount
}
