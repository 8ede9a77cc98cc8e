package datasets

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"moments/features"
)

// Inspect looks at data files and returns a commented task file to edit, which
// loads and opens as it is. dir is the folder that the task file will be written
// to: paths are relative to it where they can be.
//
// It reads the first rows of each file and guesses from names and values: which
// files hold events, profiles and labels, which columns are customer, time and
// type, and which column is an outcome. Every guess is explained in a comment;
// none of them is more than a guess.
func Inspect(ctx context.Context, files []string, dir string) ([]byte, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("datasets: got no file to inspect, want one or more")
	}
	spill, err := os.MkdirTemp("", "moments-")
	if err != nil {
		return nil, fmt.Errorf("datasets: %w", err)
	}
	defer os.RemoveAll(spill)
	e, err := openEngine(engineConfig{Spill: spill, Search: ".", Memory: 512 << 20, Threads: runtime.GOMAXPROCS(0)})
	if err != nil {
		return nil, err
	}
	defer e.close()
	s, err := e.connect()
	if err != nil {
		return nil, err
	}
	defer s.close()
	var sketches []*sketch
	for _, file := range files {
		k, err := s.sketch(ctx, file)
		if err != nil {
			return nil, fmt.Errorf("datasets: inspect: %w", err)
		}
		sketches = append(sketches, k)
	}
	g, err := guess(sketches)
	if err != nil {
		return nil, err
	}
	yaml := g.write(dir)
	if _, err := loadTask(yaml, dir, "the file that inspect wrote"); err != nil {
		return nil, err
	}
	return yaml, nil
}

// inspectRows is how much of a file is looked at.
const inspectRows = 20_000

// A sketch is what the first rows of a file look like.
type sketch struct {
	file    string
	role    role
	rows    int
	columns []*columnSketch

	customer, time, kind *columnSketch   // guessed; nil where there is none
	outcomes             []*columnSketch // the likeliest first
	begin, end           string          // the first and last time of the whole file
}

// A columnSketch is what the values of one column look like.
type columnSketch struct {
	name                           string
	present, numbers, whole, times int
	values                         map[string]int // counts, of the first maxDistinct values
	distinct                       int
}

const maxDistinct = inspectRows + 1

func (s *session) sketch(ctx context.Context, file string) (*sketch, error) {
	t, err := s.open(ctx, file)
	if err != nil {
		return nil, err
	}
	k := &sketch{file: file}
	for _, c := range t.columns {
		k.columns = append(k.columns, &columnSketch{name: c, values: map[string]int{}})
	}
	query, err := s.selectText(ctx, t, t.columns, "")
	if err != nil {
		return nil, err
	}
	rows, err := s.strings(ctx, fmt.Sprintf("%s LIMIT %d", query, inspectRows))
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", file, err)
	}
	if t.rejects {
		if _, err := s.rejected(ctx); err != nil {
			return nil, fmt.Errorf("file %s: %w", file, err)
		}
	}
	for _, row := range rows {
		k.rows++
		for i, c := range k.columns {
			c.observe(strings.TrimSpace(row[i]))
		}
	}
	if k.rows == 0 {
		return nil, fmt.Errorf("file %s has no rows below its header", file)
	}
	if k.time = k.guessTime(); k.time != nil {
		k.begin, k.end, err = s.timeRange(ctx, t, k.time)
	}
	return k, err
}

func (c *columnSketch) observe(text string) {
	if text == "" {
		return
	}
	c.present++
	if x, ok := features.ParseNumber(text); ok && x == x {
		c.numbers++
		if !strings.ContainsAny(text, ".eE") {
			c.whole++
		}
	}
	if _, _, _, err := features.ParseTime(text); err == nil {
		c.times++
	}
	if len(c.values) < maxDistinct {
		c.values[strings.Clone(text)]++
	}
	c.distinct = len(c.values)
}

// timeRange is the first and the last time of a file; a column of texts of one
// form sorts by time.
func (s *session) timeRange(ctx context.Context, t table, c *columnSketch) (begin, end string, err error) {
	name := quoteName(c.name)
	if c.numbers == c.present {
		name = "TRY_CAST(" + name + " AS BIGINT)"
	}
	cells, err := s.strings(ctx, fmt.Sprintf("SELECT CAST(min(%s) AS VARCHAR), CAST(max(%s) AS VARCHAR) FROM %s", name, name, t.reader))
	if err == nil && t.rejects {
		_, err = s.rejected(ctx)
	}
	if err != nil || len(cells) == 0 {
		return "", "", err
	}
	return cells[0][0], cells[0][1], nil
}

// Names that columns of a kind go by, the likeliest first, without case and
// punctuation.
var (
	customerNames = []string{"customerid", "customer", "customernumber", "clientid", "client", "userid", "user", "memberid", "member", "subscriberid", "subscriber",
		"accountid", "account", "playerid", "player", "caseconceptname", "caseid", "case", "visitorid", "visitor", "sessionid", "session", "deviceid", "device", "personid", "patientid", "id"}
	timeNames    = []string{"timestamp", "timetimestamp", "time", "datetime", "eventtime", "eventtimestamp", "eventdate", "date", "createdat", "created", "occurredat", "at", "ts", "day", "month"}
	typeNames    = []string{"type", "eventtype", "event", "eventname", "activity", "conceptname", "action", "what", "name", "kind", "status", "category"}
	outcomeNames = []string{"churn", "churned", "converted", "conversion", "label", "target", "outcome", "exited", "attrition", "revenue", "purchased", "subscribed",
		"response", "responded", "default", "defaulted", "bought", "accepted", "rejected", "suspended", "cancelled", "fraud", "isfraud", "class", "y"}
	outcomeParts = []string{"churn", "convert", "conversion", "label", "outcome", "target", "reject", "suspend", "attrition", "cancel"}
	positives    = []string{"1", "true", "yes", "y", "t", "churn", "churned", "converted", "accepted", "positive", "bought", "exited"}
)

var punctuation = regexp.MustCompile(`[^a-z0-9]+`)

func fold(name string) string { return punctuation.ReplaceAllString(strings.ToLower(name), "") }

// pick returns the column of the likeliest name among those that fit.
func (k *sketch) pick(names []string, fits func(*columnSketch) bool) *columnSketch {
	for _, name := range names {
		for _, c := range k.columns {
			if fold(c.name) == name && fits(c) {
				return c
			}
		}
	}
	return nil
}

// guessTime prefers a name; without one, the first column of dates will do.
func (k *sketch) guessTime() *columnSketch {
	if c := k.pick(timeNames, func(c *columnSketch) bool { return c.present > 0 && c.times*20 >= c.present*19 }); c != nil {
		return c
	}
	for _, c := range k.columns {
		if c.present > 0 && c.numbers == 0 && c.times*20 >= c.present*19 {
			return c
		}
	}
	return nil
}

// guessCustomer prefers a name; without one, a column whose name ends in id.
// rank is the place of the name among those known, the lower the likelier.
func (k *sketch) guessCustomer(fits func(*columnSketch) bool) (c *columnSketch, rank int) {
	for rank, name := range customerNames {
		if c := k.pick([]string{name}, fits); c != nil {
			return c, rank
		}
	}
	for _, c := range k.columns {
		if strings.HasSuffix(fold(c.name), "id") && fits(c) {
			return c, len(customerNames)
		}
	}
	return nil, len(customerNames) + 1
}

// otherTimes are the columns of dates beside the time of the events.
func (k *sketch) otherTimes() []*columnSketch {
	var found []*columnSketch
	for _, c := range k.columns {
		if (c != k.time || k.role != eventRow) && c.present > 0 && c.numbers == 0 && c.times*20 >= c.present*19 {
			found = append(found, c)
		}
	}
	return found
}

// identifier says whether a column names rows rather than describes them.
func (k *sketch) identifier(c *columnSketch) bool {
	return k.rows >= 20 && c.distinct == k.rows && (c.numbers == 0 && c.times == 0 || c.whole == c.present)
}

// guessOutcomes lists the columns that are named like outcomes and have few values.
func (k *sketch) guessOutcomes() []*columnSketch {
	few := func(c *columnSketch) bool { return c.distinct >= 2 && c.distinct <= 6 && c != k.customer }
	var found []*columnSketch
	add := func(c *columnSketch) {
		if c != nil && !slices.Contains(found, c) {
			found = append(found, c)
		}
	}
	for _, name := range outcomeNames {
		add(k.pick([]string{name}, few))
	}
	for _, part := range outcomeParts {
		for _, c := range k.columns {
			if strings.Contains(fold(c.name), part) && few(c) {
				add(c)
			}
		}
	}
	return found
}
