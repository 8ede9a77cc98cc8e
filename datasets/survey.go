package datasets

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"moments/features"
)

// survey is the first pass over the sorted data: it counts what only an order
// by customer shows, and keeps the journeys in memory if they fit.
func (d *Dataset) survey(ctx context.Context, rejected *quarantine) error {
	v := &surveyor{Dataset: d, first: features.NoLimit, last: beforeEvents, unlabelled: make([]int64, len(d.task.outcomes()))}
	p := &pass{keep: d.options.Cache > 0}
	p.duplicate = func(seq int64, customer, body string, reason Reason) error {
		return v.duplicate(rejected, seq, customer, body, reason)
	}
	cached := []*history{}
	size := int64(0)
	for h, err := range d.stream(ctx, p) {
		if err != nil {
			return err
		}
		v.look(h, p.seqs)
		if !p.keep {
			continue
		}
		if size += h.size(); size+p.fresh > d.options.Cache {
			p.keep, cached = false, nil
			continue
		}
		h.tighten()
		cached = append(cached, h)
	}
	if d.quality.Customers == 0 {
		return fmt.Errorf("datasets: no usable row is left\n%s", d.quality.String())
	}
	v.report()
	if p.keep {
		d.cache = cached
		d.engine.close()
		d.engine = nil
	}
	return nil
}

// size is about what a history takes in memory, in bytes, without its texts.
func (h *history) size() int64 {
	n := int64(unsafe.Sizeof(*h)) + int64(len(h.journey.Customer))
	n += int64(len(h.journey.Profile)) * int64(unsafe.Sizeof(features.Value{}))
	for i := range h.journey.Events {
		n += int64(unsafe.Sizeof(features.Event{})) + int64(len(h.journey.Events[i].Values))*int64(unsafe.Sizeof(features.Value{}))
	}
	return n + int64(len(h.labels))*int64(unsafe.Sizeof(label{}))
}

// tighten gives back the memory that growing slices left over.
func (h *history) tighten() {
	total := 0
	for i := range h.journey.Events {
		total += len(h.journey.Events[i].Values)
	}
	values := make([]features.Value, 0, total)
	for i := range h.journey.Events {
		e := &h.journey.Events[i]
		n := len(values)
		values = append(values, e.Values...)
		e.Values = values[n:len(values):len(values)]
	}
	h.journey.Events = slices.Clip(slices.Clone(h.journey.Events))
	h.profiles = nil
}

// A surveyor counts.
type surveyor struct {
	*Dataset
	first, last int64
	unlabelled  []int64
	lows        []int64 // by input: the lowest seq of the later events
	seen        map[string]bool
}

func (v *surveyor) look(h *history, seqs []int64) {
	q := &v.quality
	q.Customers++
	q.Events += int64(len(h.journey.Events))
	if n := len(h.journey.Events); n > 0 {
		v.first = min(v.first, h.journey.Events[0].Time)
		v.last = max(v.last, h.journey.Events[n-1].Time)
	}
	for i, t := range v.task.outcomes() {
		if t.Labels != nil && !slices.ContainsFunc(h.labels, func(l label) bool { return l.target == i }) {
			v.unlabelled[i]++
		}
	}
	if len(h.journey.Events) == 0 && h.journey.Profile == nil {
		for _, in := range v.inputs {
			if in.role == labelRow && slices.ContainsFunc(h.labels, func(l label) bool { return l.target == in.target }) {
				in.quality.remark(UnknownCustomer, 1)
			}
		}
	}
	v.order(seqs)
	v.repeats(h.journey.Events, seqs)
}

// order counts the events that stood in their source before an earlier one.
func (v *surveyor) order(seqs []int64) {
	v.lows = v.lows[:0]
	for range v.inputs {
		v.lows = append(v.lows, features.NoLimit)
	}
	for i := len(seqs) - 1; i >= 0; i-- {
		in := seqs[i] / seqRows
		if seqs[i] > v.lows[in] {
			v.inputs[in].quality.remark(OutOfOrder, 1)
		}
		v.lows[in] = min(v.lows[in], seqs[i])
	}
}

// repeats counts the events that say the same as another of the same time.
func (v *surveyor) repeats(events []features.Event, seqs []int64) {
	for i := 0; i < len(events); {
		end := i + 1
		for end < len(events) && events[end].Time == events[i].Time {
			end++
		}
		if end > i+1 {
			v.repeatsAt(events[i:end], seqs[i:end])
		}
		i = end
	}
}

func (v *surveyor) repeatsAt(events []features.Event, seqs []int64) {
	v.seen = map[string]bool{}
	var key []byte
	for i, e := range events {
		key = appendText(key[:0], e.Type)
		for _, x := range e.Values {
			key = appendText(strconv.AppendFloat(key, x.Number, 'g', -1, 64), x.Text)
		}
		if v.seen[string(key)] {
			v.inputs[seqs[i]/seqRows].quality.remark(DuplicateRow, 1)
		}
		v.seen[string(key)] = true
	}
}

// duplicate quarantines a second profile or label.
func (v *surveyor) duplicate(rejected *quarantine, seq int64, customer, text string, reason Reason) error {
	in, b := v.inputs[seq/seqRows], &body{text: text}
	in.quality.Kept--
	columns, cells := []string{"customer"}, []string{customer}
	if in.role == profileRow {
		for _, p := range in.attributes {
			columns, cells = append(columns, p.column), append(cells, strings.Clone(b.string()))
		}
	} else {
		l := readLabel(in.target, b)
		columns, cells = append(columns, "label"), append(cells, strconv.FormatFloat(float64(l.value), 'g', -1, 32))
	}
	where := fmt.Sprintf("row %d", seq%seqRows)
	return rejected.add(in.quality, strings.Join(in.quality.Files, ", "), where, reason, columns, cells)
}

func (v *surveyor) report() {
	q := &v.quality
	if q.Events > 0 {
		q.First, q.Last = rfc3339(v.first), rfc3339(v.last)
	}
	if v.options.NoLabels {
		return
	}
	q.Unlabelled = map[string]int64{}
	for i, t := range v.task.outcomes() {
		if v.unlabelled[i] > 0 {
			q.Unlabelled[t.Name] = v.unlabelled[i]
		}
	}
}
