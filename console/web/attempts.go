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

// One account at one address is one person; an address may be a whole office.
var (
	pairPace    = pace{free: 5, first: 2 * time.Second, longest: 15 * time.Minute}
	addressPace = pace{free: 30, first: 2 * time.Second, longest: time.Minute}
)

const (
	// maxRemembered is how many pairs of account and address, and how many
	// addresses, are remembered: 10,000 are about 2 MB.
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
	pairs     *ledger[pair]
	addresses *ledger[netip.Prefix]
}

type pair struct {
	account string
	address netip.Prefix
}

func newAttempts() *attempts {
	return &attempts{pairs: newLedger[pair](pairPace), addresses: newLedger[netip.Prefix](addressPace)}
}

// begin counts an attempt before its password is compared, so that many at once count
// as many. If the attempt comes too soon, begin returns how long to wait, and does
// not count it.
func (a *attempts) begin(account string, from netip.Addr) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	address := identity.Network(from)
	key := pair{account, address}
	if wait := max(a.addresses.wait(address), a.pairs.wait(key)); wait > 0 {
		return wait
	}
	a.addresses.add(address)
	a.pairs.add(key)
	return 0
}

// right says that the password was right. It forgets the attempts on this account
// from this address; those on other accounts from there still count.
func (a *attempts) right(account string, from netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	address := identity.Network(from)
	a.pairs.kept.Forget(pair{account, address})
	a.addresses.undo(address)
}

// untried takes back an attempt whose password was not compared.
func (a *attempts) untried(account string, from netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	address := identity.Network(from)
	a.pairs.undo(pair{account, address})
	a.addresses.undo(address)
}

// ledger counts attempts by key, for the latest maxRemembered keys.
type ledger[K comparable] struct {
	pace
	kept recent.Map[K, tries]
}

// tries is how many attempts there were, and when the last one was.
type tries struct {
	n    int
	last time.Time
}

func newLedger[K comparable](p pace) *ledger[K] {
	return &ledger[K]{pace: p, kept: recent.Map[K, tries]{Limit: maxRemembered, Keep: forgetAfter}}
}

func (l *ledger[K]) wait(key K) time.Duration {
	t, ok := l.kept.Get(key)
	if !ok {
		return 0
	}
	return time.Until(t.last.Add(l.delay(t.n)))
}

func (l *ledger[K]) add(key K) {
	t, _ := l.kept.Get(key)
	l.kept.Put(key, tries{t.n + 1, time.Now()})
}

// undo takes back the last attempt.
func (l *ledger[K]) undo(key K) {
	t, ok := l.kept.Get(key)
	switch {
	case ok && t.n > 1:
		l.kept.Put(key, tries{t.n - 1, t.last})
	case ok:
		l.kept.Forget(key)
	}
}
