package synthetic_test

import (
	"fmt"

	"moments/datasets/synthetic"
)

// The planted truth stands beside every journey.
func ExampleGenerate() {
	config := synthetic.Default()
	config.Customers = 3
	customers, err := synthetic.Generate(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	for journey, truth := range customers {
		fmt.Printf("%s, %s, %d events, churns with probability %.2f\n", journey.Customer, truth.Stage, truth.Cutoff.Events, truth.Probability[synthetic.Churn])
		if cause := truth.Cause[synthetic.Churn]; cause != nil {
			fmt.Printf("  %s: %+.0f points\n", cause.Type, 100*cause.Impact)
		}
	}
	// Output:
	// c00000000, purchase, 7 events, churns with probability 0.95
	//   ticket_opened: +61 points
	// c00000001, loyalty, 57 events, churns with probability 0.35
	//   price_increase: +31 points
	// c00000002, adoption, 35 events, churns with probability 0.79
	//   service_call: +28 points
}
