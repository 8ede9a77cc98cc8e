package serve

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"moments/features"
	"moments/infer"
	"moments/infer/registry"
	"moments/infer/serve/fault"
	"moments/infer/serve/journeyjson"
)

// acquire finds the bundle that a request names; release it.
func (s *Server) acquire(name, version string) (m *registry.Model, release func(), err error) {
	if name == "" {
		if name, err = s.only.name(s.options.Registry, s.options.Now()); err != nil {
			return nil, nil, err
		}
	}
	m, release, err = s.options.Registry.Acquire(name, version)
	if err != nil {
		return nil, nil, err
	}
	if m.Bundle == nil {
		release()
		return nil, nil, fault.Wrong(fmt.Errorf("serve: model %s is a bare ONNX model, which knows no journeys: ask below /v2", name))
	}
	return m, release, nil
}

// An onlyModel knows the name of the bundle where only one is served.
type onlyModel struct{ found atomic.Pointer[foundModel] }

type foundModel struct {
	name  string
	count int
	at    time.Time
}

// name looks again once what it knows is a second old.
func (o *onlyModel) name(r *registry.Registry, now time.Time) (string, error) {
	f := o.found.Load()
	if age := time.Duration(0); f != nil {
		if age = now.Sub(f.at); age < 0 || age > time.Second {
			f = nil
		}
	}
	if f == nil {
		f = &foundModel{at: now}
		for _, e := range r.Index() {
			if e.Kind == registry.KindBundle {
				f.name, f.count = e.Name, f.count+1
			}
		}
		o.found.Store(f)
	}
	if f.count != 1 {
		return "", fault.Wrong(fmt.Errorf("serve: %d bundles are served, want the request to name its model", f.count))
	}
	return f.name, nil
}

// An asked is a decoded request to score, on its way.
type asked struct {
	*journeyjson.Request
	model   *registry.Model
	format  *journeyjson.Format
	line    *line // that the request is in
	came    time.Time
	began   time.Time // when its turn came to be decoded
	decoded time.Time
	waited  time.Duration // to be scored

	journeys []features.Journey
	cutoffs  []features.Cutoff
	scores   []infer.Score
	moments  []*infer.Explanation // nil unless asked for
}

// decode reads a request's body; release the model, which is nil where it fails.
func (s *Server) decode(a *asked, x *scratch, form journeyjson.Form, body string) (release func(), err error) {
	a.began = s.options.Now()
	name, version, err := journeyjson.Target(body)
	if err != nil {
		return nil, fault.Wrong(err)
	}
	if a.model, release, err = s.acquire(name, version); err != nil {
		return nil, err
	}
	if a.format, err = s.engine.Format(a.model); err == nil {
		err = fault.Wrong(x.decoder.Request(a.format, form, body, a.Request))
	}
	if err == nil {
		err = a.check()
	}
	if err != nil {
		release()
		return nil, err
	}
	a.decoded = s.options.Now()
	return release, nil
}

// check refuses what the bundle cannot answer.
func (a *asked) check() error {
	switch {
	case a.Reasons > 0 && a.model.Reasoning == nil:
		return fault.Wrong(fmt.Errorf("serve: model %s knows no typical values, so it gives no reasons", a.model.Name))
	case a.Moments && len(a.model.Bundle.Targets) == 0:
		return fault.Wrong(fmt.Errorf("serve: model %s has no targets, so events have no moments", a.model.Name))
	}
	return nil
}

// score answers POST /v1/score.
func (s *Server) score(w http.ResponseWriter, r *http.Request) error {
	return s.decoded(w, r, &s.engine.scoring, journeyjson.ScoreForm, func(x *scratch, a *asked) (int, error) {
		err := s.scoreAsked(r, a)
		if err == nil {
			x.text = a.append(x.text[:0])
		}
		return len(a.Journeys), err
	})
}

// decoded reads a request of a form, in a line, and answers it with the text that
// do leaves in the scratch; do says how many journeys were asked about, too.
func (s *Server) decoded(w http.ResponseWriter, r *http.Request, in *line, form journeyjson.Form, do func(x *scratch, a *asked) (journeys int, err error)) error {
	a := &asked{came: s.options.Now()}
	if err := a.enter(in); err != nil {
		return err
	}
	defer a.leave()
	body, done, err := s.bodies.read(w, r)
	if err != nil {
		return err
	}
	defer done()
	x := s.takeScratch()
	defer giveScratch(x)
	a.Request = &x.request
	var release func()
	if err = in.do(r.Context(), func() (err error) { release, err = s.decode(a, x, form, body); return err }); err != nil {
		return err
	}
	defer release()
	journeys, err := do(x, a)
	if err == nil {
		write(w, http.StatusOK, x.text)
	}
	s.count(a, journeys, err)
	return err
}

// enter stands in a line, or in another one than before.
func (a *asked) enter(l *line) error {
	if err := l.enter(); err != nil {
		return err
	}
	a.leave()
	a.line = l
	return nil
}

// leave makes room for another request.
func (a *asked) leave() {
	if a.line != nil {
		a.line.door.Leave()
		a.line = nil
	}
}

// scoreAsked cuts and scores the journeys of a request.
func (s *Server) scoreAsked(r *http.Request, a *asked) error {
	now := a.began.UnixMicro()
	for i := range a.Journeys {
		j := &a.Journeys[i]
		cut, err := a.format.Cut(j, now)
		if err != nil {
			return fault.Wrong(err)
		}
		a.journeys, a.cutoffs = append(a.journeys, j.Journey), append(a.cutoffs, cut)
	}
	return s.compute(r, a)
}

// compute fills in the scores and, where they are asked for, the moments.
func (s *Server) compute(r *http.Request, a *asked) (err error) {
	scorer := a.model.Scorer
	if a.Reasons > 0 {
		scorer = a.model.Reasoning
	}
	a.scores, a.waited, err = s.engine.score(r.Context(), a.model, scorer, a.journeys, a.cutoffs)
	if err != nil || !a.Moments {
		return err
	}
	if err := a.enter(&s.engine.explaining); err != nil {
		return err
	}
	a.moments = make([]*infer.Explanation, len(a.journeys))
	for i := range a.journeys {
		if a.moments[i], err = s.explain(r, a.model, &a.journeys[i], a.cutoffs[i]); err != nil {
			return err
		}
	}
	return nil
}

// explain measures what each event did.
func (s *Server) explain(r *http.Request, m *registry.Model, j *features.Journey, c features.Cutoff) (e *infer.Explanation, err error) {
	err = s.engine.explaining.do(r.Context(), func() (err error) {
		e, err = m.Scorer.Explain(j, c, infer.ExplainOptions{})
		return err
	})
	return e, err
}

// count adds a request to the model's statistics.
func (s *Server) count(a *asked, journeys int, err error) {
	a.model.Stats.Add(registry.Request{
		Journeys: journeys, Failed: err != nil, Queue: a.began.Sub(a.came) + a.waited,
		Input: a.decoded.Sub(a.began), Infer: max(0, s.options.Now().Sub(a.decoded)-a.waited),
	})
}

// append appends the response.
func (a *asked) append(b []byte) []byte {
	b = appendHead(b, a.model)
	if a.Many {
		b = append(b, `,"journeys":[`...)
	} else {
		b = append(b, ',')
	}
	for i := range a.scores {
		one := scored{score: &a.scores[i], events: a.cutoffs[i].Events, reasons: a.Reasons}
		if a.moments != nil {
			one.moments = a.moments[i]
		}
		switch {
		case a.Many && i > 0:
			b = append(b, ',', '{')
		case a.Many:
			b = append(b, '{')
		}
		b = appendScored(b, a.model.Bundle.Targets, &one)
		if a.Many {
			b = append(b, '}')
		}
	}
	if a.Many {
		b = append(b, ']')
	}
	return append(b, '}')
}
