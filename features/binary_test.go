package features

import (
	"bytes"
	"encoding"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

var (
	_ encoding.BinaryAppender    = &Encoder{}
	_ encoding.BinaryUnmarshaler = &Encoder{}
)

// state is the encoder's, in bytes.
func state(t testing.TB, e *Encoder) []byte {
	t.Helper()
	data, err := e.AppendBinary([]byte("kept"))
	if err != nil || !bytes.HasPrefix(data, []byte("kept")) {
		t.Fatalf("got %q and error %v, want the bytes appended", data, err)
	}
	return data[len("kept"):]
}

// An encoder that goes through bytes after any event goes on as if it had not.
func TestEncoderThroughBytes(t *testing.T) {
	for _, options := range []Options{{}, {Tail: 3, With: everything}} {
		s, journeys, cuts := fitShop(t, options, 300)
		r := rand.New(rand.NewPCG(3, 6))
		e, through := s.NewEncoder(), s.NewEncoder()
		for i, j := range journeys {
			e.Start(j.Profile)
			cut := r.IntN(len(j.Events) + 1)
			for k := range cut {
				e.Append(&j.Events[k])
			}
			other := journeys[r.IntN(len(journeys))]
			through.EncodeJourney(other, Cutoff{Events: len(other.Events)}, &Example{})
			data := state(t, e)
			if err := through.UnmarshalBinary(data); err != nil {
				t.Fatal(err)
			}
			if through.Events() != cut || through.LastTime() != e.LastTime() || !bytes.Equal(state(t, through), data) {
				t.Fatalf("journey %d after %d events has another state once read", i, cut)
			}
			var want, got Example
			for k := cut; k < len(j.Events); k++ {
				e.Append(&j.Events[k])
				through.Append(&j.Events[k])
			}
			e.Encode(cuts[i].Time, &want)
			through.Encode(cuts[i].Time, &got)
			if !same(&got, &want) || got.Cutoff != want.Cutoff {
				t.Fatalf("journey %d through bytes after %d events ends differently", i, cut)
			}
			if len(j.Events) > 0 {
				var a, b Tokens
				e.AppendToken(&a)
				through.AppendToken(&b)
				if !sameBits(a.Values, b.Values) {
					t.Fatalf("journey %d through bytes after %d events ends with another token", i, cut)
				}
			}
		}
	}
}

func TestStatesOfNoJourneyAreRefused(t *testing.T) {
	s, journeys, _ := fitShop(t, Options{}, 50)
	e := s.NewEncoder()
	e.EncodeJourney(journeys[3], Cutoff{Events: len(journeys[3].Events)}, &Example{})
	good := state(t, e)
	for name, row := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":       {nil, "does not begin with version 1"},
		"version":       {append([]byte{9}, good[1:]...), "does not begin with version 1"},
		"cut short":     {good[:len(good)-1], "end early"},
		"a byte more":   {append(bytes.Clone(good), 0), "1 bytes more than the state needs"},
		"only a length": {[]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f}, "end early"},
	} {
		fresh := s.NewEncoder()
		if err := fresh.UnmarshalBinary(row.data); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got error %v, want %q", name, err, row.want)
		}
		if fresh.Events() != 0 || !bytes.Equal(state(t, fresh), state(t, s.NewEncoder())) {
			t.Errorf("%s: the encoder holds something after the error", name)
		}
	}
}

// FuzzUnmarshalBinary demands that whatever is accepted encodes without a panic
// or an infinite number, and is written as it was read.
func FuzzUnmarshalBinary(f *testing.F) {
	s, journeys, cuts := fitShop(f, Options{Tail: 20}, 60)
	e := s.NewEncoder()
	for i, j := range journeys[:20] {
		e.EncodeJourney(j, cuts[i], &Example{})
		f.Add(state(f, e))
	}
	numeric, binary, cardinalities, _ := s.Table()
	f.Fuzz(func(t *testing.T, data []byte) {
		e := s.NewEncoder()
		if e.UnmarshalBinary(data) != nil {
			return
		}
		var ex Example
		var tokens Tokens
		for range 3 {
			e.Append(&Event{Time: e.LastTime() + Day, Type: "view", Values: []Value{Number(1), Text("web")}})
			e.AppendToken(&tokens)
			e.Encode(e.LastTime()+Day, &ex)
		}
		if len(ex.Numeric)+len(ex.Category) != len(s.Columns()) || tokens.Events != 3 {
			t.Errorf("%d columns and %d tokens, want %d and 3", len(ex.Numeric)+len(ex.Category), tokens.Events, len(s.Columns()))
		}
		for _, x := range append(ex.Numeric, tokens.Values...) {
			if math.IsInf(float64(x), 0) {
				t.Errorf("infinite number in %v or %v", ex.Numeric, tokens.Values)
			}
		}
		if numeric+binary+len(cardinalities) > 0 {
			s.Normalize(&ex, make([]float32, numeric), make([]float32, binary), make([]float32, len(cardinalities)))
		}
		data = state(t, e)
		if again := s.NewEncoder(); again.UnmarshalBinary(data) != nil || !bytes.Equal(state(t, again), data) {
			t.Error("what was read and written is not read again")
		}
	})
}

func TestWarmStateAllocatesNothing(t *testing.T) {
	s, journeys, _ := fitShop(t, Options{}, 50)
	e := s.NewEncoder()
	e.EncodeJourney(journeys[3], Cutoff{Events: len(journeys[3].Events)}, &Example{})
	buf := state(t, e)
	if got := testing.AllocsPerRun(10, func() { buf, _ = e.AppendBinary(buf[:0]) }); got != 0 {
		t.Errorf("%g allocations, want none", got)
	}
}
