package page_test

import (
	"fmt"
	"os"
	"time"

	"moments/cmd/moments/page"
)

func ExampleJourney_Text() {
	j := &page.Journey{
		Customer: "4711", Target: "conversion", Cutoff: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), Start: 0.1, Final: 0.4,
		Events: []page.Event{{Time: time.Date(2026, 5, 2, 8, 15, 0, 0, time.UTC), Type: "quote", Values: "amount=90", After: 0.5, Impact: 0.3}},
	}
	j.Mark(3)
	if err := j.Text(os.Stdout, page.Screen{Width: 90}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Customer 4711: conversion 40.0 % as of 2026-06-01 00:00:00 UTC, after 1 event
	//
	//     time (UTC)        event    values      score  impact
	//                       (start)             10.0 %
	// ▲1  2026-05-02 08:15  quote    amount=90  50.0 %   +30.0            │██████████
	//                       (now)               40.0 %
	//
	// Impact: the score at the end minus what it would be had the event not happened and all
	// else gone on as it did, in points: percentage points of probability. ▲ and ▼ mark the
	// moments of truth, the largest impacts.
	//
	// Suggestions and impacts are what the networks expect of journeys like this one, not
	// causes: only a randomised test proves that making a touchpoint happen changes the outcome.
}
