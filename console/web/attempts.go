package web

import (
	"net/netip"
	"sync"
	"time"

	"tapedeck/console/identity"
	"tapedeck/internal/recent"
)

// pace says how fast a client may try passwords.
type pace struct {
	free    int           // attempts before the first delay
	first   time.Duration // which doubles with every attempt
	longest time.Duration
}

// One account at one address is one person, and so is a browser in which it has signed
// in before; an address may be a whole office. An account is slowed down whatever
// the addresses are, and never for longer than a minute: strangers must not lock its owner out.
var (
	pairPace    = pace{free: 5, first: 2 * time.Second, longest: 15 * time.Minute}
	browserPace = pairPace
	addressPace = pace{free: 30, first: 2 * time.Second, longest: time.Minute}
	accountPace = pace{free: 20, first: 2 * time.Second, longest: time.Minute}
)

const (
	// maxRemembered is how many keys of each ledger are remembered: 10,000 are about
	// 2 MB.
	maxRemembered = 10_000
	// forgetAfter is how long after the last attempt the attempts are forgotten.
	forgetAfter = time.Hour
)

// delay returns how long to wait after n attempts.
func (p pace) delay(n int) time.Duration {
	d := p.first
	if n < p.free {
		return 0
	}
	for range n - p.free {
		if d *= 2; d >= p.longest {
			return p.longest
		}
	}
	return d
}

// attempts slows down clients that guess passwords. Each instance has its own, in
// memory: a restart forgets them.
type attempts struct {
	mu        sync.Mutex
	pairs     *ledger // of account and address
	addresses *ledger
	accounts  *ledger
	nobodies  *ledger // names that no account has: they are apart, so that they push no account out
	browsers  *ledger
}

func newAttempts() *attempts {
	return &attempts{pairs: newLedger(pairPace), addresses: newLedger(addressPace),
		accounts: newLedger(accountPace), nobodies: newLedger(accountPace), browsers: newLedger(browserPace)}
}

// attempt is one password that is tried.
type attempt struct {
	name    string // of the account; empty if none can have it
	exists  bool   // there is such an account
	from    netip.Addr
	browser string // in which this account has signed in before; empty: it is not known
}

// tally is where attempts are counted.
type tally struct {
	*ledger
	key string
}

// tallies are where an attempt counts. In a known browser only its own attempts do, so
// that nobody else can slow it down.
func (a *attempts) tallies(t attempt) []tally {
	if t.browser != "" {
		return []tally{{a.browsers, t.browser}}
	}
	address, names := identity.Network(t.from).String(), a.accounts
	if !t.exists {
		names = a.nobodies
	}
	return []tally{{a.addresses, address}, {names, t.name}, {a.pairs, t.name + " " + address}}
}

// begin counts an attempt before its password is compared, so that many at once count
// as many. If the attempt comes too soon, begin returns how long to wait, and does
// not count it.
func (a *attempts) begin(t attempt) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	tallies := a.tallies(t)
	for _, in := range tallies {
		wait = max(wait, in.wait(in.key))
	}
	if wait > 0 {
		return wait
	}
	for _, in := range tallies {
		in.add(in.key)
	}
	return 0
}

// wrong says that the password was wrong. The next wait counts from now on: comparing it may
// have taken a while.
func (a *attempts) wrong(t attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, in := range a.tallies(t) {
		in.touch(in.key)
	}
}

// right says that the password was right. It forgets the attempts on this account
// from this address or browser; those on other accounts from there, and on this one from
// elsewhere, still count.
func (a *attempts) right(t attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, in := range a.tallies(t) {
		if in.ledger == a.pairs || in.ledger == a.browsers {
			in.kept.Forget(in.key)
		} else {
			in.undo(in.key)
		}
	}
}

// untried takes back an attempt whose password was not compared.
func (a *attempts) untried(t attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, in := range a.tallies(t) {
		in.undo(in.key)
	}
}

// ledger counts attempts by key, for the latest maxRemembered keys.
type ledger struct {
	pace
	kept recent.Map[string, tries]
}

// tries is how many attempts there were, and when the last one was.
type tries struct {
	n    int
	last time.Time
}

func newLedger(p pace) *ledger {
	return &ledger{pace: p, kept: recent.Map[string, tries]{Limit: maxRemembered, Keep: forgetAfter}}
}

func (l *ledger) wait(key string) time.Duration {
	t, ok := l.kept.Get(key)
	if !ok {
		return 0
	}
	return time.Until(t.last.Add(l.delay(t.n)))
}

func (l *ledger) add(key string) {
	t, _ := l.kept.Get(key)
	l.kept.Put(key, tries{t.n + 1, time.Now()})
}

// touch says that the last attempt is only now over.
func (l *ledger) touch(key string) {
	if t, ok := l.kept.Get(key); ok {
		l.kept.Put(key, tries{t.n, time.Now()})
	}
}

// undo takes back the last attempt.
func (l *ledger) undo(key string) {
	t, ok := l.kept.Get(key)
	switch {
	case ok && t.n > 1:
		l.kept.Put(key, tries{t.n - 1, t.last})
	case ok:
		l.kept.Forget(key)
	}
}
