package datasets

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"moments/features"
)

// A loader reads every input into records: (customer, time, seq, body). The
// body of a row is compact bytes that only record.go understands, so one table
// and one sort serve every source; profiles and labels sort before all events.
type loader struct {
	plan       *planner
	session    *session
	records    *appender
	quarantine *quarantine
	now        int64
	zone       *time.Location
	body       []byte
	daily      bool  // every event so far is at a midnight
	last       int64 // time of the last event
}

// beforeEvents is the time of the records of profiles and labels.
const beforeEvents = math.MinInt64

// seqRows is the number of rows an input may have; the input's index stands in
// the bits above.
const seqRows = 1 << 44

// load reads every input, in the order of the plan.
func (l *loader) load(ctx context.Context) error {
	for _, in := range l.plan.inputs {
		row := int64(0)
		for _, t := range in.tables {
			if err := l.table(ctx, in, t, &row); err != nil {
				return l.plan.task.fault(in.path, "%s: %w", t.name, err)
			}
		}
		in.quality.remark(OutsideWhere, in.excluded)
		if in.zoned > 0 {
			in.quality.remark(MixedZones, in.unzoned)
		}
		if err := in.usable(); err != nil {
			return l.plan.task.fault(in.path, "%s: %w", strings.Join(in.quality.Files, ", "), err)
		}
	}
	return nil
}

// usable demands rows, and of labels that some are known.
func (in *input) usable() error {
	switch {
	case in.quality.Read == 0 && in.excluded > 0:
		return fmt.Errorf("the condition leaves out all %d rows", in.excluded)
	case in.quality.Read == 0:
		return errors.New("there are no rows below the header")
	case in.role == labelRow && in.quality.Kept > 0 && in.classes == [2]int64{}:
		return fmt.Errorf("no row has a positive or negative value; there are values such as %q", in.others)
	}
	return nil
}

// table reads one file or query. row counts the rows of the input.
func (l *loader) table(ctx context.Context, in *input, t table, row *int64) error {
	columns := in.columns(t)
	query, err := l.session.selectText(ctx, t, columns, in.where)
	if err != nil {
		return err
	}
	rows, err := l.session.query(ctx, query)
	if err != nil {
		return err
	}
	cells := make([]string, len(columns))
	for number := int64(1); ; {
		more, err := rows.next()
		if err != nil || !more {
			rows.close()
			if err == nil && t.rejects {
				err = l.rejects(ctx, in, t, number-1)
			}
			return err
		}
		for i := range rows.size {
			*row++
			if rows.text(len(columns), i) != "true" {
				in.excluded++
				number++
				continue
			}
			for c := range cells {
				cells[c] = strings.TrimSpace(rows.text(c, i))
			}
			if err := l.row(in, t, columns, cells, *row, number); err != nil {
				rows.close()
				return err
			}
			number++
		}
	}
}

// rejects quarantines the lines that DuckDB could not split into columns. read
// is the number of rows that it could: with the rejected lines they must be all
// the records of the file, unless quotes are at fault, after which it is a
// matter of taste where the next record begins.
func (l *loader) rejects(ctx context.Context, in *input, t table, read int64) error {
	lines, err := l.session.rejected(ctx)
	if err != nil {
		return err
	}
	quotes := false
	for _, r := range lines {
		in.quality.Read++
		quotes = quotes || strings.Contains(r.text, `"`)
		where := "line " + r.line + ": " + r.fault
		if err := l.quarantine.add(in.quality, t.name, where, MisshapenLine, []string{"line"}, []string{r.text}); err != nil {
			return err
		}
	}
	if total := read + int64(len(lines)); total != t.records && !quotes {
		return fmt.Errorf("got %d rows and lines of the wrong shape, want the %d records of the file", total, t.records)
	}
	return nil
}

// row turns one row into a record, or quarantines it.
func (l *loader) row(in *input, t table, columns, cells []string, row, number int64) error {
	in.quality.Read++
	customer, at, reason := cells[0], int64(beforeEvents), Reason("")
	if in.customer == "" {
		customer = fmt.Sprint(row)
	}
	l.body = l.body[:0]
	switch {
	case customer == "" && !t.rejects && allEmpty(cells):
		reason = UnreadableLine // what DuckDB makes of a line that is no JSON object
	case customer == "":
		reason = MissingCustomer
	case in.role == eventRow:
		at, reason = l.event(in, cells)
	case in.role == labelRow:
		reason = l.label(in, cells)
	case !readable(in.attributes, cells[1:]):
		reason = UnparsableNumber
	default:
		l.values(in.attributes, cells[1:])
	}
	if reason != "" {
		return l.quarantine.add(in.quality, t.name, fmt.Sprintf("row %d", number), reason, named(columns), cells)
	}
	in.quality.Kept++
	return l.records.add(customer, at, int64(in.index)*seqRows+row, l.body)
}

// event encodes the clock's offset, the type and the attributes.
func (l *loader) event(in *input, cells []string) (at int64, reason Reason) {
	if cells[1] == "" {
		return 0, MissingTime
	}
	at, offset, zoned, err := features.ParseTimeIn(cells[1], l.zone)
	kind := cells[2]
	if in.kind == "" {
		kind = in.typeValue
	}
	switch {
	case err != nil:
		return 0, UnparsableTime
	case at > l.now:
		return 0, FutureTime
	case kind == "":
		return 0, MissingType
	}
	l.body = binary.AppendVarint(l.body, int64(offset))
	l.body = appendText(l.body, kind)
	attributes, profile := cells[3:3+len(in.attributes)], cells[3+len(in.attributes):]
	if !readable(in.attributes, attributes) || !readable(in.profile, profile) {
		return 0, UnparsableNumber
	}
	l.values(in.attributes, attributes)
	l.values(in.profile, profile)
	if zoned {
		in.zoned++
	} else {
		in.unzoned++
	}
	l.last = max(l.last, at)
	l.daily = l.daily && (at+int64(offset)*features.Second)%features.Day == 0
	return at, ""
}

// covered is the last instant that the data covers: what the task says, else
// the last event, and the whole day of it where events carry dates only.
func (l *loader) covered(t *Task) int64 {
	switch {
	case t.end != 0:
		return t.end - 1
	case l.daily:
		return l.last + features.Day - 1
	}
	return l.last
}

// readable says whether the declared numbers of a row are numbers.
func readable(places []place, cells []string) bool {
	for i, p := range places {
		if p.info.kind == features.Numeric && cells[i] != "" {
			if _, ok := features.ParseNumber(cells[i]); !ok {
				return false
			}
		}
	}
	return true
}

// values encodes cells as they stand: the kind of a field is known only at the
// end.
func (l *loader) values(places []place, cells []string) {
	for i := range places {
		if places[i].info.observe(cells[i]) {
			places[i].infinite++
		}
		l.body = appendText(l.body, cells[i])
	}
}

// label encodes one label, its cutoff and its limit.
func (l *loader) label(in *input, cells []string) Reason {
	r := labelRecord{value: float32(math.NaN()), cutoff: features.NoLimit, until: features.NoLimit}
	if in.cutoff != "" && cells[2] == "" {
		return MissingTime
	}
	for i, at := range []*int64{&r.cutoff, &r.until} {
		if text := cells[2+i]; text != "" {
			micros, _, _, err := features.ParseTimeIn(text, l.zone)
			if err != nil {
				return UnparsableTime
			}
			*at = micros
		}
	}
	r.value = in.classify(cells[1])
	l.body = r.append(l.body)
	return ""
}

// classify says whether a label value is positive, negative or NaN, and counts.
func (in *input) classify(text string) float32 {
	switch value := canonical(text); {
	case value == "":
		in.quality.remark(MissingValue, 1)
	case in.positive[value]:
		in.classes[1]++
		return 1
	case in.negative[value], len(in.negative) == 0:
		in.classes[0]++
		return 0
	default:
		in.quality.remark(OtherValue, 1)
		if len(in.others) < 5 && !slices.Contains(in.others, text) {
			in.others = append(in.others, strings.Clone(text))
		}
	}
	return float32(math.NaN())
}

// named gives a name to the cells that no column feeds.
func named(columns []string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		if out[i] = c; c == "" {
			out[i] = fmt.Sprintf("(no column %d)", i+1)
		}
	}
	return out
}

func allEmpty(cells []string) bool {
	for _, c := range cells {
		if c != "" {
			return false
		}
	}
	return true
}
