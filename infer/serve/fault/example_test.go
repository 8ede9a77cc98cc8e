package fault_test

import (
	"errors"
	"fmt"
	"io/fs"

	"moments/infer/serve/fault"
)

func Example() {
	statuses := fault.Table{{fs.ErrNotExist, 404}}
	fmt.Println(statuses.Status(fmt.Errorf("model m: %w", fs.ErrNotExist)))
	fmt.Println(statuses.Status(fault.Wrong(errors.New("reasons is -1, want 0 at least"))))
	fmt.Println(statuses.Status(errors.New("the disk is on fire")))
	// Output:
	// 404
	// 400
	// 500
}
