package datasets

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Reason says why a row was quarantined.
type Reason string

// A row with one of these faults cannot be used and is quarantined.
const (
	MissingCustomer  Reason = "missing customer"
	MissingTime      Reason = "missing time"
	UnparsableTime   Reason = "unparsable time"
	FutureTime       Reason = "time in the future"
	MissingType      Reason = "missing event type"
	UnparsableNumber Reason = "unparsable number in a numeric column"
	MisshapenLine    Reason = "line of the wrong shape"
	UnreadableLine   Reason = "line is not a JSON object"
	DuplicateProfile Reason = "customer has a profile already"
	DuplicateLabel   Reason = "customer has a label already"
)

// A Remark counts rows that were kept and that somebody should know of.
type Remark string

// Rows with one of these remarks are kept.
const (
	DuplicateRow    Remark = "same event twice"
	OutOfOrder      Remark = "out of order (sorted)"
	MixedZones      Remark = "time without a zone beside times with one"
	InfiniteNumber  Remark = "infinite number (read as missing)"
	UnknownCustomer Remark = "label of a customer without profile and events"
	OtherValue      Remark = "label value neither positive nor negative (unlabelled)"
	MissingValue    Remark = "missing label value (unlabelled)"
	OutsideWhere    Remark = "outside the condition (not of the population)"
)

// Quality is the report on the data of a task: nothing is dropped without
// being counted here. For every source, Read = Kept + Quarantined.
type Quality struct {
	Sources    []*SourceQuality `json:"sources"`
	Customers  int64            `json:"customers"`
	Events     int64            `json:"events"`
	First      string           `json:"first_event,omitempty"` // RFC 3339, UTC
	Last       string           `json:"last_event,omitempty"`
	Unlabelled map[string]int64 `json:"unlabelled,omitempty"` // by target: customers without a row in its label source
	Notes      []string         `json:"notes,omitempty"`      // about columns
	Quarantine string           `json:"quarantine,omitempty"` // the file that holds the quarantined rows
}

// SourceQuality counts the rows of one source of the task file.
type SourceQuality struct {
	Name        string           `json:"name"` // the key in the task file, such as events[0]
	Files       []string         `json:"files"`
	Read        int64            `json:"read"` // rows of the population
	Kept        int64            `json:"kept"`
	Quarantined int64            `json:"quarantined"`
	Reasons     map[Reason]int64 `json:"reasons,omitempty"` // of the quarantined rows, one each
	Remarks     map[Remark]int64 `json:"remarks,omitempty"`
}

func (s *SourceQuality) remark(r Remark, n int64) {
	if n > 0 {
		s.Remarks[r] += n
	}
}

// String is the report for people.
func (q *Quality) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "source\tread\tkept\tquarantined\t\n")
	for _, s := range q.Sources {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t\n", s.Name, s.Read, s.Kept, s.Quarantined)
	}
	w.Flush()
	for _, s := range q.Sources {
		for _, r := range slices.Sorted(maps.Keys(s.Reasons)) {
			fmt.Fprintf(&b, "%s: quarantined %d: %s\n", s.Name, s.Reasons[r], r)
		}
		for _, r := range slices.Sorted(maps.Keys(s.Remarks)) {
			fmt.Fprintf(&b, "%s: %d: %s\n", s.Name, s.Remarks[r], r)
		}
	}
	fmt.Fprintf(&b, "customers %d, events %d", q.Customers, q.Events)
	if q.First != "" {
		fmt.Fprintf(&b, ", from %s to %s", q.First, q.Last)
	}
	b.WriteByte('\n')
	for _, target := range slices.Sorted(maps.Keys(q.Unlabelled)) {
		fmt.Fprintf(&b, "%s: %d customers without a label\n", target, q.Unlabelled[target])
	}
	for _, note := range q.Notes {
		fmt.Fprintf(&b, "%s\n", note)
	}
	if q.Quarantine != "" {
		fmt.Fprintf(&b, "quarantined rows: %s\n", q.Quarantine)
	}
	return b.String()
}

// quarantine writes rejected rows to a CSV file, which appears under its name
// once it is complete, and only when there is a row to write.
type quarantine struct {
	path string // "" counts only
	file *os.File
	csv  *csv.Writer
}

// add counts one rejected row and writes it. columns and cells are the row as
// it was read, or a single cell with the whole line.
func (q *quarantine) add(s *SourceQuality, file, where string, reason Reason, columns, cells []string) error {
	s.Quarantined++
	s.Reasons[reason]++
	if q.path == "" {
		return nil
	}
	if q.file == nil {
		if err := q.create(); err != nil {
			return fmt.Errorf("datasets: quarantine: %w", err)
		}
	}
	return q.csv.Write([]string{s.Name, file, where, string(reason), rowJSON(columns, cells)})
}

func (q *quarantine) create() (err error) {
	if q.file, err = os.Create(q.path + ".partial"); err != nil {
		return err
	}
	q.csv = csv.NewWriter(q.file)
	return q.csv.Write([]string{"source", "file", "where", "reason", "row"})
}

// finish makes the file appear; the path is "" when there was nothing to write.
func (q *quarantine) finish() (path string, err error) {
	if q.file == nil {
		return "", nil
	}
	q.csv.Flush()
	if err := firstError(q.csv.Error(), q.file.Close(), os.Rename(q.path+".partial", q.path)); err != nil {
		return "", fmt.Errorf("datasets: quarantine: %w", err)
	}
	q.file = nil
	return q.path, nil
}

// abandon removes what an interrupted load has written.
func (q *quarantine) abandon() {
	if q.file != nil {
		q.file.Close()
		os.Remove(q.path + ".partial")
	}
}

// rowJSON is an object in the order of the columns, which a map would lose.
func rowJSON(columns, cells []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		key, _ := json.Marshal(c) // a string always encodes
		value, _ := json.Marshal(cells[i])
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.String()
}

func rfc3339(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano) }
