package journeyjson

import (
	"fmt"
	"strconv"

	"moments/features"
	"moments/infer/serve/jsontext"
)

// A Request is the body of a request to score.
type Request struct {
	Model, Version string    // "" where none is named
	Reasons        int       // to give for each target and the anomaly
	Moments        bool      // explain every event
	Many           bool      // journeys were given as a list
	Journeys       []Journey // one at least, unless Many
}

// MaxReasons is the most reasons that a request may ask for.
const MaxReasons = 100

// A Form is what kind of request a body may be.
type Form int

// The forms.
const (
	ScoreForm  Form = iota // one journey, or "journeys", a list
	EventsForm             // what is new of a journey whose customer is named elsewhere
)

var formKeys = [...]ownKeys{
	ScoreForm:  {keyModel, keyVersion, keyReasons, keyMoments, keyAt, keyJourneys, keyCustomer, keyProfile, keyEvents},
	EventsForm: {keyModel, keyVersion, keyReasons, keyMoments, keyAt, keyProfile, keyEvents},
}

// Target looks in a request's body for the model and version that it names, ""
// where it names none: they decide about the format that the rest is read in. It
// is exact where Request accepts the body. All that it does not need it passes
// over lightly, and may accept what is not JSON.
func Target(body string) (model, version string, err error) {
	s := jsontext.New(body)
	for key := range s.MembersUnchecked() {
		switch key {
		case keyModel:
			model = word(s, key)
		case keyVersion:
			version = word(s, key)
		default:
			s.Pass()
		}
		if model != "" && version != "" {
			return model, version, nil
		}
	}
	return model, version, named(s.End())
}

// word reads the text of a key that names something.
func word(s *jsontext.Scanner, key string) string {
	k, value := s.Scalar()
	if k != jsontext.Text || value == "" {
		s.Failf("%s is %s, want a text that is not empty", key, k)
	}
	return value
}

// Request decodes a request. What requests before it were decoded to stays
// valid until Reset.
func (d *Decoder) Request(f *Format, form Form, text string, r *Request) error {
	d.start(f, text)
	*r = Request{Journeys: r.Journeys[:0]}
	one := Journey{At: features.NoLimit}
	seen := d.request(formKeys[form], r, &one)
	if err := d.end(); err != nil {
		return err
	}
	return named(d.settle(r, &one, formKeys[form], seen))
}

// request reads an object whose own keys are given, and says which it had.
func (d *Decoder) request(own ownKeys, r *Request, one *Journey) (seen keySet) {
	if !d.want('{', "an object") {
		return seen
	}
	for key := range d.json.MembersUnchecked() {
		if !d.once(own, &seen, key) {
			d.wrong("unknown field %s, want %s", quote(key), own)
		}
		d.requestKey(r, one, key)
	}
	return seen
}

// requestKey reads the value of one key.
func (d *Decoder) requestKey(r *Request, one *Journey, key string) {
	switch key {
	case keyModel:
		r.Model = word(&d.json, key)
	case keyVersion:
		r.Version = word(&d.json, key)
	case keyReasons:
		r.Reasons = d.count()
	case keyMoments:
		r.Moments = d.truth()
	case keyJourneys:
		d.journeys(r)
	default:
		d.journeyKey(one, key)
	}
	d.place.key = ""
}

// settle decides whether it is one journey or many. A moment beside a list is
// that of all journeys that name none.
func (d *Decoder) settle(r *Request, one *Journey, own ownKeys, seen keySet) error {
	if !r.Many {
		r.Journeys = append(r.Journeys, *one)
		return nil
	}
	for _, key := range []string{keyCustomer, keyProfile, keyEvents} {
		if own.in(seen, key) {
			return fmt.Errorf("%s stands beside journeys, want it within one of them", key)
		}
	}
	for i := range r.Journeys {
		if j := &r.Journeys[i]; j.At == features.NoLimit {
			j.At = one.At
		}
	}
	return nil
}

func (d *Decoder) journeys(r *Request) {
	r.Many = true
	if !d.want('[', "an array") {
		return
	}
	d.place.key = ""
	for i := range d.json.Elements() {
		d.place.many, d.place.journey = true, i
		if d.MaxJourneys > 0 && i >= d.MaxJourneys {
			d.wrong("%w: more than %d journeys", ErrTooLong, d.MaxJourneys)
			break
		}
		r.Journeys = append(r.Journeys, Journey{})
		d.journey(&r.Journeys[i])
	}
	d.place.many = false
}

// count reads a number of reasons.
func (d *Decoder) count() int {
	k, value := d.json.Scalar()
	n, err := strconv.Atoi(value)
	if k != jsontext.Number || err != nil || n < 0 || n > MaxReasons {
		d.wrong("got %s, want a whole number from 0 to %d", what(k, value), MaxReasons)
	}
	return n
}

func (d *Decoder) truth() bool {
	k, value := d.json.Scalar()
	if k != jsontext.Bool {
		d.wrong("got %s, want true or false", what(k, value))
	}
	return value == "true"
}

// String lists the keys for an error.
func (own ownKeys) String() string {
	text := ""
	for i, key := range own {
		switch {
		case i == len(own)-1:
			text += " or "
		case i > 0:
			text += ", "
		}
		text += key
	}
	return text
}
