package synthetic

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"moments/features"
)

// The streamed tables, in the order of output.tableNames.
const (
	eventTable = iota
	profileTable
	labelTable
	truthTable
	tables
)

// ratingNames are the names of the columns that ratingColumn points to.
var ratingNames = [5]string{3: "satisfaction", 4: "stars"}

func headers(format string) [tables]string {
	events := "event_id,customer,time,type,channel,amount,status,satisfaction,stars\n"
	if format == "jsonl" {
		events = ""
	}
	var profile []string
	for _, f := range Layout().Profile {
		profile = append(profile, f.Name)
	}
	truth := "customer,cutoff,stage"
	for _, t := range Targets {
		truth += strings.ReplaceAll(",T_probability,T_outcome,T_cause_event,T_cause_time,T_cause_type,T_cause_points,T_cause_ties", "T", t)
	}
	return [tables]string{
		events,
		"customer," + strings.Join(profile, ",") + "\n",
		"customer,cutoff,conversion,churn\n",
		truth + ",anomaly,anomaly_direction,anomaly_type,anomaly_attribute,anomaly_time\n",
	}
}

// appendRows writes the customer under construction to all tables.
func (m *maker) appendRows(text *[tables][]byte, o [2]outcome, impact [2][]float64) {
	customer := name(m.c.index)
	for i := range m.c.events {
		if m.config.Format == "jsonl" {
			text[eventTable] = m.appendJSON(text[eventTable], customer, i)
		} else {
			text[eventTable] = m.appendCSV(text[eventTable], customer, i)
		}
	}
	p := m.c.profile.shown()
	b := append(append(text[profileTable], customer...), ',')
	b = appendNumber(b, p.age)
	for _, s := range []string{regionNames[p.region], segmentNames[p.segment], planNames[p.plan], acquisitionNames[p.acquisition], deviceNames[p.device]} {
		b = append(append(b, ','), s...)
	}
	text[profileTable] = append(b, '\n')

	b = append(append(text[labelTable], customer...), ',')
	b = appendTime(b, m.cutoff, 0)
	for _, k := range o {
		b = append(append(b, ','), bit(k)...)
	}
	text[labelTable] = append(b, '\n')
	text[truthTable] = m.appendTruth(text[truthTable], customer, o, impact)
}

func bit(o outcome) string {
	if o.positive() {
		return "1"
	}
	return "0"
}

func (m *maker) appendCSV(b []byte, customer string, i int) []byte {
	ev := &m.c.events[i]
	b = appendID(b, customer, i)
	b = append(append(append(b, ','), customer...), ',')
	b = appendTime(b, ev.at, m.c.zone.offset(ev.at))
	b = append(append(b, ','), typeNames[ev.typ]...)
	b = append(append(b, ','), channelNames[ev.channel]...)
	b = appendNumber(append(b, ','), ev.amount)
	b = append(append(b, ','), statusNames[ev.status]...)
	for column := 3; column <= 4; column++ {
		b = append(b, ',')
		if ev.rating > 0 && column == ratingColumn(ev) {
			b = append(b, '0'+ev.rating)
		}
	}
	return append(b, '\n')
}

// appendJSON writes one line; missing values are left out. No name in this
// package needs escaping.
func (m *maker) appendJSON(b []byte, customer string, i int) []byte {
	ev := &m.c.events[i]
	b = appendID(append(b, `{"event_id":"`...), customer, i)
	b = append(append(b, `","customer":"`...), customer...)
	b = appendTime(append(b, `","time":"`...), ev.at, m.c.zone.offset(ev.at))
	b = append(append(b, `","type":"`...), typeNames[ev.typ]...)
	b = append(b, '"')
	if ev.channel > 0 {
		b = append(append(append(b, `,"channel":"`...), channelNames[ev.channel]...), '"')
	}
	if !math.IsNaN(ev.amount) {
		b = appendNumber(append(b, `,"amount":`...), ev.amount)
	}
	if ev.status > 0 {
		b = append(append(append(b, `,"status":"`...), statusNames[ev.status]...), '"')
	}
	if ev.rating > 0 {
		b = append(append(b, `,"`...), ratingNames[ratingColumn(ev)]...)
		b = append(b, '"', ':', '0'+ev.rating)
	}
	return append(b, '}', '\n')
}

func (m *maker) appendTruth(b []byte, customer string, o [2]outcome, impact [2][]float64) []byte {
	b = append(append(b, customer...), ',')
	b = append(append(appendTime(b, m.cutoff, 0), ','), m.stage()...)
	for target, k := range o {
		b = strconv.AppendFloat(append(b, ','), k.probability, 'f', 6, 64)
		b = append(append(append(b, ','), bit(k)...), ',')
		i := cause(impact[target])
		if i < 0 {
			b = append(b, ",,,,"...)
			continue
		}
		ev := &m.c.events[i]
		b = append(appendID(b, customer, i), ',')
		b = appendTime(b, ev.at, m.c.zone.offset(ev.at))
		b = append(append(append(b, ','), typeNames[ev.typ]...), ',')
		b = strconv.AppendFloat(b, 100*impact[target][i], 'f', 3, 64)
		b = append(b, ',')
		for k, tie := range ties(impact[target], i) {
			if k > 0 {
				b = append(b, ' ')
			}
			b = appendID(b, customer, tie)
		}
	}
	a := m.c.anomaly
	if a == nil {
		return append(b, ",,,,,\n"...)
	}
	b = fmt.Appendf(b, ",%s,%s,%s,%s,", a.Kind, a.Direction, a.Type, a.Attribute)
	return append(appendTime(b, a.Time, m.c.zone.offset(a.Time)), '\n')
}

// appendID names an event by its customer and its position in the journey.
func appendID(b []byte, customer string, i int) []byte {
	return strconv.AppendInt(append(append(b, customer...), '-'), int64(i), 10)
}

// appendNumber writes nothing for NaN.
func appendNumber(b []byte, x float64) []byte {
	if math.IsNaN(x) {
		return b
	}
	return strconv.AppendFloat(b, x, 'f', -1, 64)
}

// appendTime writes ISO 8601 on the clock of the place, with its offset.
func appendTime(b []byte, at int64, offset int32) []byte {
	t := time.UnixMicro(at + int64(offset)*features.Second).UTC()
	b = t.AppendFormat(b, "2006-01-02T15:04:05")
	if offset == 0 {
		return append(b, 'Z')
	}
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	hour, minute := offset/3600, offset/60%60
	return append(b, sign, '0'+byte(hour/10), '0'+byte(hour%10), ':', '0'+byte(minute/10), '0'+byte(minute%10))
}
