package web

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"tapedeck/console/identity"
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
func (a *attempts) begin(account string, from netip.Addr, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	address := identity.Network(from)
	key := pair{account, address}
	if wait := max(a.addresses.wait(address, now), a.pairs.wait(key, now)); wait > 0 {
		return wait
	}
	a.addresses.add(address, now)
	a.pairs.add(key, now)
	return 0
}

// right says that the password was right. It forgets the attempts on this account
// from this address; those on other accounts from there still count.
func (a *attempts) right(account string, from netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	address := identity.Network(from)
	a.pairs.drop(pair{account, address})
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

// ledger counts attempts by key, for the keys that were used last.
type ledger[K comparable] struct {
	pace
	lines map[K]*list.Element
	order *list.List // of *line[K], the one that was used last at the front
}

type line[K comparable] struct {
	key  K
	n    int
	last time.Time
}

func newLedger[K comparable](p pace) *ledger[K] {
	return &ledger[K]{pace: p, lines: map[K]*list.Element{}, order: list.New()}
}

func (l *ledger[K]) wait(key K, now time.Time) time.Duration {
	l.forget(now)
	e := l.lines[key]
	if e == nil {
		return 0
	}
	entry := e.Value.(*line[K])
	return entry.last.Add(l.delay(entry.n)).Sub(now)
}

func (l *ledger[K]) add(key K, now time.Time) {
	e := l.lines[key]
	if e == nil {
		e = l.order.PushFront(&line[K]{key: key})
		l.lines[key] = e
	}
	l.order.MoveToFront(e)
	entry := e.Value.(*line[K])
	entry.n, entry.last = entry.n+1, now
	if l.order.Len() > maxRemembered {
		l.remove(l.order.Back())
	}
}

// undo takes back one attempt.
func (l *ledger[K]) undo(key K) {
	e := l.lines[key]
	if e == nil {
		return
	}
	if entry := e.Value.(*line[K]); entry.n > 1 {
		entry.n--
	} else {
		l.remove(e)
	}
}

func (l *ledger[K]) drop(key K) {
	if e := l.lines[key]; e != nil {
		l.remove(e)
	}
}

func (l *ledger[K]) remove(e *list.Element) {
	delete(l.lines, e.Value.(*line[K]).key)
	l.order.Remove(e)
}

// forget removes what is too long ago.
func (l *ledger[K]) forget(now time.Time) {
	for e := l.order.Back(); e != nil && now.Sub(e.Value.(*line[K]).last) >= forgetAfter; e = l.order.Back() {
		l.remove(e)
	}
}
