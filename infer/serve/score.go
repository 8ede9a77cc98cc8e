package serve

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"moments/features"
	"moments/infer"
	"moments/infer/registry"
	"moments/infer/serve/journeyjson"
	"moments/infer/serve/queue"
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
		return nil, nil, wrong(fmt.Errorf("serve: model %s is a bare ONNX model, which knows no journeys: ask below /v2", name))
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
		return "", wrong(fmt.Errorf("serve: %d bundles are served, want the request to name its model", f.count))
	}
	return f.name, nil
}

// admit refuses a request before anything is read of it while the line that it
// will stand in is full.
func admit[T any](line *queue.Queue[T]) error {
	if line.Full() {
		return turned(line.Refuse())
	}
	return nil
}

// An asked is a decoded request to score, on its way.
type asked struct {
	*journeyjson.Request
	model   *registry.Model
	format  *journeyjson.Format
	began   time.Time
	decoded time.Time
	waited  time.Duration

	journeys []features.Journey
	cutoffs  []features.Cutoff
	scores   []infer.Score
	moments  []*infer.Explanation // nil unless asked for
}

// decode reads a request's body; release the model.
func (s *Server) decode(x *scratch, form journeyjson.Form, body string) (a *asked, release func(), err error) {
	a = &asked{Request: &x.request, began: s.options.Now()}
	name, version, err := journeyjson.Target(body)
	if err != nil {
		return nil, nil, wrong(err)
	}
	if a.model, release, err = s.acquire(name, version); err != nil {
		return nil, nil, err
	}
	if a.format, err = s.engine.Format(a.model); err == nil {
		err = wrong(x.decoder.Request(a.format, form, body, a.Request))
	}
	if err == nil {
		err = a.check()
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	a.decoded = s.options.Now()
	return a, release, nil
}

// check refuses what the bundle cannot answer.
func (a *asked) check() error {
	switch {
	case a.Reasons > 0 && a.model.Reasoning == nil:
		return wrong(fmt.Errorf("serve: model %s knows no typical values, so it gives no reasons", a.model.Name))
	case a.Moments && len(a.model.Bundle.Targets) == 0:
		return wrong(fmt.Errorf("serve: model %s has no targets, so events have no moments", a.model.Name))
	}
	return nil
}

// score answers POST /v1/score.
func (s *Server) score(w http.ResponseWriter, r *http.Request) error {
	if err := admit(s.engine.scores); err != nil {
		return err
	}
	return s.decoded(w, r, journeyjson.ScoreForm, func(x *scratch, a *asked) (int, error) {
		err := s.scoreAsked(r, a)
		if err == nil {
			x.text = a.append(x.text[:0])
		}
		return len(a.Journeys), err
	})
}

// decoded reads a request of a form and answers it with the text that do leaves
// in the scratch; do says how many journeys were asked about, too.
func (s *Server) decoded(w http.ResponseWriter, r *http.Request, form journeyjson.Form, do func(x *scratch, a *asked) (journeys int, err error)) error {
	body, done, err := s.bodies.read(w, r)
	if err != nil {
		return err
	}
	defer done()
	x := s.takeScratch()
	defer giveScratch(x)
	a, release, err := s.decode(x, form, body)
	if err != nil {
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

// scoreAsked cuts and scores the journeys of a request.
func (s *Server) scoreAsked(r *http.Request, a *asked) error {
	now := a.began.UnixMicro()
	for i := range a.Journeys {
		j := &a.Journeys[i]
		cut, err := a.format.Cut(j, now)
		if err != nil {
			return wrong(err)
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
	err = in(r.Context(), s.engine.long, func() (err error) {
		e, err = m.Scorer.Explain(j, c, infer.ExplainOptions{})
		return err
	})
	return e, err
}

// count adds a request to the model's statistics.
func (s *Server) count(a *asked, journeys int, err error) {
	a.model.Stats.Add(registry.Request{
		Journeys: journeys, Failed: err != nil, Queue: a.waited,
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
