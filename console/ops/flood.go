package ops

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tapedeck/recording/audit"
)

// SignInResult is what became of an attempt to sign in. It is a word of the metric.
type SignInResult string

// The results.
const (
	SignInOK     SignInResult = "ok"
	SignInWrong  SignInResult = "wrong"  // the password, or the name
	SignInSlowed SignInResult = "slowed" // it came too soon after others
	SignInBusy   SignInResult = "busy"   // too many passwords were to be compared
)

// Meter counts for the metrics.
type Meter interface {
	SignIn(result string)
	// SignInFlood says whether there is a flood of attempts.
	SignInFlood(on bool)
}

// noMeter counts nothing.
type noMeter struct{}

func (noMeter) SignIn(string)    {}
func (noMeter) SignInFlood(bool) {}

const (
	// floodFrom is how many failed attempts there are in a minute before it is a flood,
	// and how many it needs in each minute to go on.
	floodFrom = 60
	// maxFloodNames is how many addresses, and how many accounts, of a flood are told apart.
	maxFloodNames = 10_000
)

// SignInFailed counts and writes an attempt to sign in that failed. Each wrong password
// is a line, but in a flood: that is a line at its beginning and one at its end. It reports
// whether there is a flood.
func (a *Audit) SignInFailed(v Visitor, result SignInResult, detail string) (flooded bool) {
	a.meter.SignIn(string(result))
	flood, begins := a.flood.count(v, time.Now())
	switch {
	case begins:
		a.meter.SignInFlood(true)
		a.log.Warn("flood of attempts to sign in", "failed_in_a_minute", floodFrom)
		a.signed(Visitor{}, audit.SignInFlood, fmt.Sprintf("begins: more than %d attempts failed within a minute; they are counted, not listed, until it ends", floodFrom))
	case !flood && result == SignInWrong:
		a.signed(v, audit.SignInFailed, detail)
	}
	return flood
}

// followFloods writes the end of each flood, until ctx ends.
func (a *Audit) followFloods(ctx context.Context) {
	for {
		select {
		case <-a.flood.begun:
		case <-ctx.Done():
			return
		}
		tick := time.NewTicker(time.Minute)
		for over := false; !over; {
			select {
			case <-tick.C:
				over = a.flood.calm()
			case <-ctx.Done():
				over = true
			}
		}
		tick.Stop()
		a.signed(Visitor{}, audit.SignInFlood, a.flood.end(time.Now()))
		a.meter.SignInFlood(false)
	}
}

// flood counts the attempts to sign in that failed.
type flood struct {
	begun chan struct{} // has a value when a flood has begun

	mu        sync.Mutex
	minute    time.Time // when the minute began, while there is no flood
	inMinute  int
	since     time.Time // zero: there is no flood
	failed    int       // since then
	addresses map[string]bool
	accounts  map[string]bool
}

func newFlood() *flood { return &flood{begun: make(chan struct{}, 1)} }

// count counts a failed attempt. It reports whether there is a flood, and whether it
// begins now.
func (f *flood) count(v Visitor, now time.Time) (on, begins bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	on = !f.since.IsZero()
	if !on && now.Sub(f.minute) >= time.Minute {
		f.minute, f.inMinute = now, 0
	}
	f.inMinute++
	if !on && f.inMinute <= floodFrom {
		return false, false
	}
	if !on {
		f.since, f.failed = now, 0
		f.addresses, f.accounts = map[string]bool{}, map[string]bool{}
		f.begun <- struct{}{} // the last one's was taken before it could end
	}
	f.failed++
	note(f.addresses, v.From)
	note(f.accounts, v.Account.Name)
	return true, !on
}

// note adds a name to those that are told apart.
func note(names map[string]bool, name string) {
	if name != "" && len(names) < maxFloodNames {
		names[name] = true
	}
}

// calm reports whether a flood has not gone on since calm was called last.
func (f *flood) calm() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	calm := f.inMinute <= floodFrom
	f.inMinute = 0
	return calm
}

// end ends a flood, and says what it was.
func (f *flood) end(now time.Time) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := fmt.Sprintf("ends: %d more attempts failed in %v, on %s, from %s", f.failed, now.Sub(f.since).Round(time.Second),
		amount(len(f.accounts), "account"), amount(len(f.addresses), "address"))
	f.since, f.minute, f.inMinute, f.addresses, f.accounts = time.Time{}, now, 0, nil, nil
	return text
}

// amount is how many names there were, as far as they were told apart.
func amount(n int, word string) string {
	many := ""
	if n == maxFloodNames {
		many = " or more"
	}
	if n != 1 && word == "address" {
		word += "es"
	} else if n != 1 {
		word += "s"
	}
	return fmt.Sprintf("%d%s %s", n, many, word)
}
