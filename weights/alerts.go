package weights

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
)

// Sense says what more of something means to those who read the alerts.
type Sense string

// The senses.
const (
	Good   Sense = "positive"
	Bad    Sense = "negative"
	Either Sense = "mixed" // it deserves a look, whichever way it goes
)

// Valid says whether s is one of the senses.
func (s Sense) Valid() bool { return s == Good || s == Bad || s == Either }

// Alerts say when an anomaly is worth an alert and what it means. They are kept
// apart from what was trained, so that they can change without it.
type Alerts struct {
	Senses     map[string]Sense   `json:"senses,omitempty"`     // by column or group, see features.Column; what is not named has a default
	Thresholds map[string]float64 `json:"thresholds,omitempty"` // the largest p-value that alerts, by cause; Bundle.AlertRate for others
	Verdicts   []Verdict          `json:"verdicts,omitempty"`   // that the thresholds were tuned by
}

// A Verdict is what people found a flagged, or an overlooked, journey to be.
type Verdict struct {
	Customer string  `json:"customer"`
	Cutoff   int64   `json:"cutoff"`  // microseconds since the Unix epoch
	Verdict  string  `json:"verdict"` // Confirmed, Refuted or Desirable
	Cause    string  `json:"cause"`   // key of the journey's first cause
	PValue   float64 `json:"p_value"`
}

// The verdicts.
const (
	Confirmed = "true"      // worth an alert
	Refuted   = "false"     // ordinary
	Desirable = "desirable" // unusual, and welcome: not worth an alert
)

// alertsFile is the attachment that holds Alerts.
const alertsFile = "alerts.json"

// Alerts reads the bundle's alerts; those of a bundle without any are empty.
func (b *Bundle) Alerts() (Alerts, error) {
	var a Alerts
	raw, ok := b.Attachments[alertsFile]
	if !ok {
		return a, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return Alerts{}, fmt.Errorf("weights: %s: %w", alertsFile, err)
	}
	return a, a.validate()
}

// SetAlerts replaces the bundle's alerts; [Bundle.Save] keeps them.
func (b *Bundle) SetAlerts(a Alerts) error {
	if err := a.validate(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("weights: %s: %w", alertsFile, err)
	}
	b.Attachments = maps.Clone(b.Attachments)
	if b.Attachments == nil {
		b.Attachments = map[string][]byte{}
	}
	if b.Attachments[alertsFile] = text; len(a.Senses)+len(a.Thresholds)+len(a.Verdicts) == 0 {
		delete(b.Attachments, alertsFile)
	}
	return nil
}

func (a Alerts) validate() error {
	for name, sense := range a.Senses {
		if name == "" || !sense.Valid() {
			return fmt.Errorf("weights: sense of %q is %q, want %s, %s or %s", name, sense, Good, Bad, Either)
		}
	}
	for cause, p := range a.Thresholds {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("weights: threshold of %q is %v, want 0 to 1", cause, p)
		}
	}
	for i, v := range a.Verdicts {
		if !(v.PValue >= 0 && v.PValue <= 1) || v.Verdict != Confirmed && v.Verdict != Refuted && v.Verdict != Desirable {
			return fmt.Errorf("weights: verdict %d is %q with p-value %v, want %s, %s or %s and 0 to 1", i, v.Verdict, v.PValue, Confirmed, Refuted, Desirable)
		}
	}
	return nil
}
