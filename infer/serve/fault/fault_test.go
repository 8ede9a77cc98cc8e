package fault

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
)

func TestStatus(t *testing.T) {
	errFull, errPlain := errors.New("full"), errors.New("plain")
	table := Table{{errFull, http.StatusInsufficientStorage}}
	for _, test := range []struct {
		name string
		err  error
		want int
	}{
		{"an error that nobody knows", errPlain, 500},
		{"the table's", errFull, 507},
		{"the table's, wrapped", fmt.Errorf("disk: %w", errFull), 507},
		{"the table's, which knows more than who passed it on", Wrong(errFull), 507},
		{"its own", New(http.StatusForbidden, errPlain), 403},
		{"its own, wrapped", fmt.Errorf("serve: %w", Wrong(errPlain)), 400},
		{"the outer of two", New(http.StatusNotFound, Wrong(errPlain)), 404},
		{"a body that is too large", Wrong(&http.MaxBytesError{Limit: 5}), 413},
	} {
		if got := table.Status(test.err); got != test.want {
			t.Errorf("%s: got %d, want %d", test.name, got, test.want)
		}
	}
	if err := Wrong(errFull); !errors.Is(err, errFull) || err.Error() != "full" {
		t.Errorf("got %v, want the error that was given", err)
	}
	if New(http.StatusNotFound, nil) != nil || Wrong(nil) != nil {
		t.Error("nil becomes an error")
	}
}
