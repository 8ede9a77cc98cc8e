package customers_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"moments/features"
	"moments/infer"
	"moments/infer/customers"
	"moments/weights"
)

func ExampleStore_Append() {
	bundle, err := weights.Open("weights/loan-acceptance")
	if err != nil {
		log.Fatal(err)
	}
	scorer, err := infer.NewScorer(bundle, infer.ScorerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	store, err := customers.Open("/var/lib/moments", customers.Options{Sync: customers.OS, Retention: 400 * 24 * time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	now := time.Now().UnixMicro()
	result, err := store.Append(context.Background(), scorer, &customers.Request{
		Customer: "customer 7",
		Events:   []features.Event{{Time: now, Type: "offer sent"}},
		IDs:      []string{"3f1c"}, // sent again, the event is stored once
		At:       now,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Info.Events, result.Score.Probabilities)
}
