package jsontext_test

import (
	"fmt"

	"moments/infer/serve/jsontext"
)

func Example() {
	read := func(text string) (name string, sizes []string, err error) {
		s := jsontext.New(text)
		for key := range s.Members() {
			switch key {
			case "name":
				name = s.Text()
			case "sizes":
				for range s.Elements() {
					sizes = append(sizes, s.Number())
				}
			default:
				s.Skip()
			}
		}
		return name, sizes, s.End()
	}
	fmt.Println(read(`{"name": "shoe", "note": {"new": true}, "sizes": [41, 42.5]}`))
	fmt.Println(read(`{"name": "shoe", "sizes": [41, NaN]}`))
	fmt.Println(read(`{"name": "shoe", "name": "boot"}`))
	// Output:
	// shoe [41 42.5] <nil>
	// shoe [41 ] byte 31: got NaN, which is not JSON: leave the value out, or give null, where it is missing
	// shoe [] byte 23: "name" stands twice in one object
}
