package synthetic

import (
	"fmt"
	"time"
)

// taskText is a task file for what Write makes. The cutoff's day is given
// rather than the labels' cutoff column, so that the same file serves targets
// read from events.
func taskText(c Config) string {
	return fmt.Sprintf(`# A synthetic customer base; %[4]s holds what was planted, for judging, and no training may read it.
name: synthetic

events:
  - source: %[1]s
    customer: customer
    time: time
    type: type
    attributes:
      - {name: channel, kind: categorical}
      - {name: amount, kind: numeric}
      - {name: status, kind: categorical}
      - {name: satisfaction, kind: numeric}
      - {name: stars, kind: numeric}
    ignore: [event_id]

profiles:
  - source: %[2]s
    customer: customer

cutoffs: {at: "%[5]s"}

targets:
  conversion:
    labels: {source: %[3]s, customer: customer, value: conversion, positive: ["1"], negative: ["0"]}
  churn:
    labels: {source: %[3]s, customer: customer, value: churn, positive: ["1"], negative: ["0"]}
# The same outcomes, read from the events that follow the cutoff:
#   conversion:
#     event: {type: purchase, within: %[6]dd}
#   churn:
#     inactivity: {for: %[6]dd, types: [site_visit, product_view, cart_add, login, feature_use]}

split: {by: customer, test: 0.2, validation: 0.2, seed: 1}

anomaly: {alert_rate: 0.02}
`, EventsFile(c.Format), ProfilesFile, LabelsFile, TruthFile, c.Cutoff().UTC().Format(time.RFC3339), c.Horizon)
}
