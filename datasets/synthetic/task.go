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

anomaly:
  alert_rate: 0.02
  senses: # what more of it means to the company; more events and amounts are positive where nothing is said
    event:payment_failed: negative
    event:ticket_opened: negative
    event:price_increase: negative
    # People come and buy at leisure: hours full of it are the work of thieves.
    event:login/busiest_hour: negative
    event:purchase/busiest_hour: negative
    event:onboarding_step/busiest_hour: negative
    event:referral/busiest_hour: negative
    event:site_visit/busiest_hour: negative
    timing/busiest_hour: negative
    # Out of rhythm it deserves a look, whichever way it goes.
    event:purchase: mixed
    attribute:amount: mixed
`, EventsFile(c.Format), ProfilesFile, LabelsFile, TruthFile, c.Cutoff().UTC().Format(time.RFC3339), c.Horizon)
}
