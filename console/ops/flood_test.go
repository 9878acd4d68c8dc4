package ops

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/console/access"
	"tapedeck/internal/testkit"
	"tapedeck/recording/audit"
)

// signInMeter remembers what it was told.
type signInMeter struct {
	mu      sync.Mutex
	results map[string]int
	floods  []bool
}

func (m *signInMeter) SignIn(result string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.results[result]++
}

func (m *signInMeter) SignInFlood(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.floods = append(m.floods, on)
}

// TestFlood: a flood is a line when it begins and one when it is over, with how much it
// was; before and after it each wrong password is a line. It ends with Run, too.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, lines := &signInMeter{results: map[string]int{}}, audit.New(t.TempDir(), nil)
		a := &Audit{auditWriter: &auditWriter{file: lines, log: slog.New(slog.DiscardHandler)}, flood: newFlood(), meter: m}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { a.followFloods(ctx); close(ended) }()
		fail := func(n int) {
			for i := range n {
				result := SignInWrong
				if i%2 == 1 {
					result = SignInSlowed
				}
				a.SignInFailed(Visitor{Account: access.Account{Name: fmt.Sprint("account", i%3)}, From: fmt.Sprint("192.0.2.", i)}, result, "")
			}
		}
		count := func() (wrong int, floods []string) {
			for _, l := range testkit.JSONLines[audit.Line](t, lines.Path()) {
				if l.What == audit.SignInFailed {
					wrong++
				} else {
					floods = append(floods, l.Detail)
				}
			}
			return wrong, floods
		}
		fail(floodFrom)
		time.Sleep(2 * time.Minute)
		if wrong, floods := count(); wrong != floodFrom/2 || len(floods) > 0 {
			t.Errorf("not more than may be: %d lines, %q", wrong, floods)
		}
		fail(floodFrom + 100)
		time.Sleep(30 * time.Second)
		fail(floodFrom + 1)
		time.Sleep(time.Minute)
		fail(5)
		if wrong, floods := count(); wrong != floodFrom || len(floods) != 1 {
			t.Errorf("in the flood: %d lines, %q", wrong, floods)
		}
		time.Sleep(2 * time.Minute)
		const want = "ends: 166 more attempts failed in 2m0s, on 3 accounts, from 160 addresses"
		if _, floods := count(); len(floods) != 2 || floods[1] != want {
			t.Errorf("%q, want %q at the end", floods, want)
		}
		fail(1)
		if wrong, _ := count(); wrong != floodFrom+1 {
			t.Errorf("after the flood: %d lines", wrong)
		}
		fail(floodFrom + 1)
		synctest.Wait()
		cancel()
		<-ended
		if _, floods := count(); len(floods) != 4 {
			t.Errorf("ended with Run: %q", floods)
		}
		if fmt.Sprint(m.floods) != "[true false true false]" || m.results["wrong"] == 0 || m.results["slowed"] == 0 {
			t.Errorf("metrics: %v, %v", m.floods, m.results)
		}
	})
}
