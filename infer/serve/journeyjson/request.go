package journeyjson

import (
	"strconv"

	"moments/features"
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
// demands well-formed JSON up to where both are known.
func Target(body string) (model, version string, err error) {
	s := scanner{text: body}
	if s.next() != '{' {
		return "", "", s.fault("got %s, want an object", s.found())
	}
	err = s.members(func(key string) (err error) {
		switch key {
		case keyModel:
			model, err = s.word(key)
		case keyVersion:
			version, err = s.word(key)
		default:
			err = s.pass()
		}
		return err
	})
	if err == nil {
		err = s.end()
	}
	return model, version, err
}

// word reads the text of a key that names something.
func (s *scanner) word(key string) (string, error) {
	k, value, err := s.scalar()
	if err == nil && (k != text || value == "") {
		err = s.fault("%s is %s, want a text that is not empty", key, k)
	}
	return value, err
}

// Request decodes a request. What requests before it were decoded to stays
// valid until Reset.
func (d *Decoder) Request(f *Format, form Form, text string, r *Request) error {
	d.start(f, text)
	*r = Request{Journeys: r.Journeys[:0]}
	var seen keySet
	one := Journey{At: features.NoLimit}
	own := formKeys[form]
	if d.next() != '{' {
		return d.wrong("got %s, want an object", d.found())
	}
	err := d.members(func(key string) error {
		known, err := d.once(own, &seen, key)
		switch {
		case err != nil:
			return err
		case !known:
			return d.wrong("unknown field %s, want %s", quote(key), own)
		}
		return d.requestKey(r, &one, key)
	})
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return err
	}
	return d.settle(r, &one, own, seen)
}

// requestKey reads the value of one key.
func (d *Decoder) requestKey(r *Request, one *Journey, key string) (err error) {
	switch key {
	case keyModel:
		r.Model, err = d.word(key)
	case keyVersion:
		r.Version, err = d.word(key)
	case keyReasons:
		r.Reasons, err = d.count()
	case keyMoments:
		r.Moments, err = d.truth()
	case keyJourneys:
		err = d.journeys(r)
	default:
		return d.journeyKey(one, key)
	}
	d.place.key = ""
	return err
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
			return d.wrong("%s stands beside journeys, want it within one of them", key)
		}
	}
	for i := range r.Journeys {
		if j := &r.Journeys[i]; j.At == features.NoLimit {
			j.At = one.At
		}
	}
	return nil
}

func (d *Decoder) journeys(r *Request) error {
	r.Many, d.place.key = true, ""
	defer func() { d.place.many = false }()
	if d.next() != '[' {
		d.place.key = keyJourneys
		return d.wrong("got %s, want an array", d.found())
	}
	return d.elements(func(i int) error {
		d.place.many, d.place.journey = true, i
		if d.MaxJourneys > 0 && i >= d.MaxJourneys {
			return d.wrong("%w: more than %d journeys", ErrTooLong, d.MaxJourneys)
		}
		r.Journeys = append(r.Journeys, Journey{})
		return d.journey(&r.Journeys[i])
	})
}

// count reads a number of reasons.
func (d *Decoder) count() (int, error) {
	k, value, err := d.scalar()
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(value)
	if k != number || err != nil || n < 0 || n > MaxReasons {
		return 0, d.wrong("got %s, want a whole number from 0 to %d", d.what(k, value), MaxReasons)
	}
	return n, nil
}

func (d *Decoder) truth() (bool, error) {
	k, value, err := d.scalar()
	if err == nil && k != boolean {
		err = d.wrong("got %s, want true or false", d.what(k, value))
	}
	return value == "true", err
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
