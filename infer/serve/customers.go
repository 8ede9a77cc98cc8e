package serve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"moments/features"
	"moments/infer"
	"moments/infer/customers"
	"moments/infer/serve/fault"
	"moments/infer/serve/journeyjson"
)

// errNoCustomers is the answer of a server that keeps none.
var errNoCustomers = fault.New(http.StatusNotImplemented, errors.New("serve: this server keeps no customers: start it with --state DIR"))

// withCustomers answers only where customers are kept.
func (s *Server) withCustomers(answer func(w http.ResponseWriter, r *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.options.Customers == nil {
			return errNoCustomers
		}
		return answer(w, r)
	}
}

// A known is what is known of a stored customer when a request is answered.
type known struct {
	*asked
	id     string
	at     int64 // of the score, in microseconds; features.NoLimit for now
	score  infer.Score
	events int // that the score has seen
	stored *StoredEvents
}

// appendEvents answers POST /v1/customers/{id}/events.
func (s *Server) appendEvents(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r, "late")
	if err != nil {
		return err
	}
	late, err := truth("late", query.Get("late"))
	if err != nil {
		return err
	}
	return s.decoded(w, r, &s.engine.storing, journeyjson.EventsForm, func(x *scratch, a *asked) (int, error) {
		k := &known{asked: a, id: r.PathValue("id"), at: a.Journeys[0].At}
		err := s.appendTo(r, k, late)
		if err == nil {
			x.text = k.append(x.text[:0])
		}
		return 1, err
	})
}

// appendTo appends what is new of a journey and scores it.
func (s *Server) appendTo(r *http.Request, k *known, late bool) error {
	j := &k.Journeys[0]
	now := k.began.UnixMicro()
	if n := len(j.Events); n > 0 {
		if err := journeyjson.CheckClock(j.Events[n-1].Time, now); err != nil {
			return fault.Wrong(err)
		}
	}
	at := s.storedMoment(r.Context(), k, now, len(j.Events) > 0)
	var result customers.Result
	err := s.engine.storing.do(r.Context(), func() (err error) {
		result, err = s.options.Customers.Append(r.Context(), k.model.Scorer, &customers.Request{
			Customer: k.id, Profile: j.Profile, Events: j.Events, IDs: j.IDs, Late: late, At: at,
		})
		return err
	})
	if err != nil {
		return err
	}
	k.stored = &StoredEvents{New: result.Stored, Duplicates: result.Duplicates}
	return s.settle(r, k, result.Score, result.Info)
}

// getCustomer answers GET /v1/customers/{id}.
func (s *Server) getCustomer(w http.ResponseWriter, r *http.Request) error {
	k, release, err := s.askedByQuery(r)
	if err != nil {
		return err
	}
	defer release()
	if err := k.enter(&s.engine.storing); err != nil {
		return err
	}
	defer k.leave()
	var score infer.Score
	var info customers.Info
	at := s.storedMoment(r.Context(), k, k.began.UnixMicro(), false)
	err = s.engine.storing.do(r.Context(), func() (err error) {
		score, info, err = s.options.Customers.Score(r.Context(), k.model.Scorer, k.id, at)
		return err
	})
	if err == nil {
		err = s.settle(r, k, score, info)
	}
	if err == nil {
		write(w, http.StatusOK, k.append(nil))
	}
	s.count(k.asked, 1, err)
	return err
}

// askedByQuery reads a request that has no body; release the model.
func (s *Server) askedByQuery(r *http.Request) (k *known, release func(), err error) {
	query, err := queryOf(r, "model", "version", "at", "reasons", "moments")
	if err != nil {
		return nil, nil, err
	}
	now := s.options.Now()
	k = &known{asked: &asked{Request: &journeyjson.Request{}, came: now, began: now}, id: r.PathValue("id"), at: features.NoLimit}
	if k.model, release, err = s.acquire(query.Get("model"), query.Get("version")); err != nil {
		return nil, nil, err
	}
	k.format, err = s.engine.Format(k.model)
	if text := query.Get("at"); err == nil && text != "" {
		k.at, err = k.format.Moment(text)
		err = fault.Wrong(err)
	}
	if text := query.Get("reasons"); err == nil && text != "" {
		if k.Reasons, err = strconv.Atoi(text); err != nil || k.Reasons < 0 || k.Reasons > journeyjson.MaxReasons {
			err = fault.Wrong(fmt.Errorf("serve: reasons is %q, want a whole number from 0 to %d", text, journeyjson.MaxReasons))
		}
	}
	if err == nil {
		k.Moments, err = truth("moments", query.Get("moments"))
	}
	if err == nil {
		err = k.check()
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	k.decoded = k.began
	return k, release, nil
}

// storedMoment is the moment at which a followed journey is scored, so that it
// has the cutoff that the task's rule would give the whole journey: that of its
// last event, or the one before now.
func (s *Server) storedMoment(ctx context.Context, k *known, now int64, events bool) int64 {
	if k.at != features.NoLimit {
		now = k.at
	}
	if k.format.Rule().AtEnd() && (events || s.hasEvents(ctx, k.id)) {
		return math.MinInt64
	}
	return now - 1
}

// hasEvents says whether events of a customer are stored.
func (s *Server) hasEvents(ctx context.Context, id string) bool {
	info, err := s.options.Customers.Info(ctx, id)
	return err == nil && info.Events > 0
}

// settle takes the score of a followed journey or, where that cannot be what was
// asked for, reads the stored journey and scores it as if it had just come:
// because some events are not to be seen, or because reasons or moments are
// wanted.
func (s *Server) settle(r *http.Request, k *known, score infer.Score, info customers.Info) error {
	hidden := k.at != features.NoLimit && info.Events > 0 && info.Last >= k.at
	if !hidden && k.Reasons == 0 && !k.Moments && k.format.Rule().AfterFirst == 0 {
		k.score, k.events = score, info.Events
		if info.Events > 0 {
			k.score.Cutoff = max(score.Cutoff, info.Last)
		}
		if s.options.Observer.Scored != nil {
			s.options.Observer.Scored(k.model, nil, &k.score)
		}
		s.mirrorStored(k)
		return nil
	}
	var stored *features.Journey
	err := s.engine.storing.do(r.Context(), func() (err error) {
		stored, err = s.options.Customers.Journey(r.Context(), k.model.Scorer, k.id, s.options.MaxEvents)
		return err
	})
	if err != nil {
		return err
	}
	cut, err := k.format.Cut(&journeyjson.Journey{Journey: *stored, At: k.at}, k.began.UnixMicro())
	if err != nil {
		return fault.Wrong(err)
	}
	k.journeys, k.cutoffs = []features.Journey{*stored}, []features.Cutoff{cut}
	if err := s.compute(r, k.asked); err != nil {
		return err
	}
	k.score, k.events = k.scores[0], cut.Events
	return nil
}

// mirrorStored hands the shadow of a model a stored journey.
func (s *Server) mirrorStored(k *known) {
	if !s.options.Registry.Mirrors(k.model) {
		return
	}
	model, format, id, events, at, began := k.model, k.format, k.id, k.events, k.at, k.began.UnixMicro()
	s.options.Registry.MirrorLater(model, func() (*features.Journey, features.Cutoff, bool) {
		j, err := s.options.Customers.Journey(context.Background(), model.Scorer, id, events)
		if err != nil { // as when events have come since, which make it longer
			return nil, features.Cutoff{}, false
		}
		cut, err := format.Cut(&journeyjson.Journey{Journey: *j, At: at}, began)
		return j, cut, err == nil && cut.Events == events
	}, &k.score)
}

// append appends the response.
func (k *known) append(b []byte) []byte {
	b = appendHead(b, k.model)
	if k.stored != nil {
		b = strconv.AppendInt(append(b, `,"stored":{"new":`...), int64(k.stored.New), 10)
		b = strconv.AppendInt(append(b, `,"duplicates":`...), int64(k.stored.Duplicates), 10)
		b = append(b, '}')
	}
	one := scored{score: &k.score, events: k.events, reasons: k.Reasons}
	if k.moments != nil {
		one.moments = k.moments[0]
	}
	k.score.Customer = k.id
	return append(appendScored(append(b, ','), k.model.Bundle.Targets, &one), '}')
}

// deleteCustomer answers DELETE /v1/customers/{id}.
func (s *Server) deleteCustomer(w http.ResponseWriter, r *http.Request) error {
	if _, err := queryOf(r); err != nil {
		return err
	}
	if err := s.engine.storing.enter(); err != nil {
		return err
	}
	defer s.engine.storing.door.Leave()
	id, found := r.PathValue("id"), false
	err := s.engine.storing.do(r.Context(), func() (err error) {
		found, err = s.options.Customers.Delete(r.Context(), id)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("serve: %w", customers.ErrUnknown)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// truth reads a query's yes or no; "" is no.
func truth(name, text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, fault.Wrong(fmt.Errorf("serve: %s is %q, want true or false", name, text))
}
