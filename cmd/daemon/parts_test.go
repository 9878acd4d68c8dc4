package daemon

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestPartsStopInReverse: each part ends before the one that was started before it.
func TestPartsStopInReverse(t *testing.T) {
	p := newParts()
	var ended []string // only stop's goroutine and the part that it waits for write it
	part := func(name string) func(context.Context) error {
		return func(ctx context.Context) error {
			<-ctx.Done()
			ended = append(ended, name)
			return ctx.Err()
		}
	}
	p.start("first", part("first"))
	p.atStop(func() { ended = append(ended, "between") })
	p.start("last", part("last"))
	p.stop()
	if want := []string{"last", "between", "first"}; !slices.Equal(ended, want) {
		t.Errorf("ended %q, want %q", ended, want)
	}
	p.stop() // nothing is left
	select {
	case err := <-p.failed:
		t.Errorf("a part that was stopped has failed: %v", err)
	default:
	}
}

// TestPartThatEnds: a part that ends by itself has failed, and its error names it.
func TestPartThatEnds(t *testing.T) {
	cause := errors.New("no more disk")
	for _, end := range []error{cause, nil} {
		p := newParts()
		p.start("archive", func(context.Context) error { return end })
		err := <-p.failed
		if !errors.Is(err, cmp.Or(end, errEndedEarly)) || !strings.HasPrefix(err.Error(), "archive: ") || strings.Contains(err.Error(), "%!") {
			t.Errorf("%v", err)
		}
		p.stop()
	}
}
