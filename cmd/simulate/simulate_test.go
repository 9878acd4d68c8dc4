package simulate

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

func TestQuantile(t *testing.T) {
	var r result
	for _, i := range rand.Perm(100) {
		r.add(time.Duration(i+1)*time.Millisecond, i%2 == 0, nil)
	}
	r.add(0, false, esltest.ErrNoController)
	r.took = time.Second
	var single strings.Builder
	(&result{failed: 1, took: time.Second}).print(&single)
	if !strings.HasPrefix(single.String(), "1 call in 1.00 s: ") {
		t.Error(single.String())
	}
	var b strings.Builder
	r.print(&b)
	want := "101 calls in 1.00 s: 100 calls/s, 50 to be recorded, 1 failed\nconnect to exit: p50 50.00 ms, p99 99.00 ms, longest 100.00 ms\n"
	if b.String() != want {
		t.Errorf("%s", &b)
	}
	one := result{held: []time.Duration{time.Second}}
	if one.quantile(0.5) != time.Second || one.quantile(0.99) != time.Second {
		t.Error("quantiles of one")
	}
}
