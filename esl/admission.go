package esl

import (
	"container/list"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// Why the Server cut a connection that did nothing wrong by itself.
var (
	errEvicted = errors.New("cut to make room: it had not given its channel's data")
	errHeld    = errors.New("cut to save memory: it held the most of all")
)

// An admission says which connections a Server keeps when it cannot keep all.
// A connection waits until it has given its channel's data, which takes a
// FreeSWITCH some milliseconds; from then on it is a call. When there are too
// many, one that waits gives way: of the address that has most waiting, the
// one that waits longest. So a crowd from one address costs the others
// nothing, and one that shares FreeSWITCH's address must bring a whole house
// full within those milliseconds. A call never gives way.
type admission struct {
	most   int // connections at once
	memory int // bytes that all of them may hold together

	mu      sync.Mutex
	guests  map[*guest]struct{}
	waiting list.List // of *guest, the oldest first
	crowds  map[netip.Addr]*crowd
	proven  int   // crowds that are proven
	shares  []int // how many crowds have this share
	top     int   // the largest share
	held    int   // sum of the guests'
}

// crowd is what an admission knows of one address.
type crowd struct {
	addr    netip.Addr
	guests  int
	waiting int
	proven  bool // it has given a channel's data once: then a sixteenth of most may wait before they count
}

// guest is one connection that was let in.
type guest struct {
	conn  *Conn
	crowd *crowd
	came  time.Time
	place *list.Element // in waiting, nil of a call
	data  int           // bytes of its channel's data
	held  int           // bytes it holds, as last told
	gone  bool          // it left, or gave way
}

// mostProven is how many addresses are remembered to be FreeSWITCH's.
const mostProven = 256

// patience is how long a connection has to give its channel's data before it
// may have to give way. Divided by it, MaxConns is the rate of newcomers that a
// full Server takes: 10,240 a second.
const patience = 100 * time.Millisecond

func newAdmission(most, memory int) *admission {
	return &admission{most: most, memory: memory, shares: make([]int, most+1),
		guests: map[*guest]struct{}{}, crowds: map[netip.Addr]*crowd{}}
}

// enter lets a connection in, nil if there are calls alone and too many. If
// there may be room in a while, it returns how long that is.
func (a *admission) enter(addr netip.Addr, conn *Conn) (*guest, time.Duration) {
	a.mu.Lock()
	var victim *guest
	if len(a.guests) >= a.most {
		victim = a.choose()
		if victim == nil {
			a.mu.Unlock()
			return nil, 0
		}
		if left := patience - time.Since(victim.came); left > 0 {
			a.mu.Unlock()
			return nil, left
		}
		a.remove(victim)
	}
	c := a.crowds[addr]
	if c == nil {
		c = &crowd{addr: addr}
		a.crowds[addr] = c
		a.shares[0]++
	}
	c.guests++
	a.shift(c, func() { c.waiting++ })
	g := &guest{conn: conn, crowd: c, came: time.Now()}
	g.place = a.waiting.PushBack(g)
	a.guests[g] = struct{}{}
	a.mu.Unlock()
	if victim != nil {
		victim.conn.fail(errEvicted)
	}
	return g, 0
}

// promote makes a call of a connection that gave its channel's data. It
// reports false if that has given way meanwhile.
func (a *admission) promote(g *guest, data int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if g.gone {
		return false
	}
	a.unwait(g)
	g.data = data
	if !g.crowd.proven && a.proven < mostProven {
		a.shift(g.crowd, func() { g.crowd.proven = true })
		a.proven++
	}
	return true
}

// leave is told when a connection has ended.
func (a *admission) leave(g *guest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remove(g)
}

// relieve cuts an eighth of those that wait, one at least, and reports whether
// there was one that could be: when the process has no file descriptor left.
func (a *admission) relieve() bool {
	var victims []*guest
	a.mu.Lock()
	for range a.waiting.Len()/8 + 1 {
		if g := a.choose(); g != nil && time.Since(g.came) >= patience {
			a.remove(g)
			victims = append(victims, g)
		}
	}
	a.mu.Unlock()
	for _, g := range victims {
		g.conn.fail(errEvicted)
	}
	return len(victims) > 0
}

// hold is told by a connection's Run how many bytes it holds. If that makes too
// many of all together, those that hold the most are cut, and no more is read
// from the one that asks until their memory is free.
func (a *admission) hold(g *guest, bytes int) {
	a.mu.Lock()
	if !g.gone {
		a.account(g, bytes)
	}
	victims := a.heaviest()
	a.mu.Unlock()
	for _, victim := range victims {
		victim.conn.fail(errHeld)
	}
	for _, victim := range victims {
		select {
		case <-victim.conn.unread:
		case <-g.conn.done: // of any that wait for each other, each has been cut
		}
	}
}

// heaviest removes those that hold the most until the rest is not too much. It
// counts again before, for events may have been taken since.
func (a *admission) heaviest() (victims []*guest) {
	if a.held <= a.memory {
		return nil
	}
	for g := range a.guests {
		a.account(g, g.conn.holds())
	}
	for a.held > a.memory {
		var most *guest
		for g := range a.guests {
			if most == nil || g.held > most.held {
				most = g
			}
		}
		a.remove(most)
		victims = append(victims, most)
	}
	return victims
}

func (a *admission) account(g *guest, bytes int) {
	a.held += g.data + bytes - g.held
	g.held = g.data + bytes
}

// choose returns who has to give way, nil if nobody waits.
func (a *admission) choose() *guest {
	for e := a.waiting.Front(); e != nil; e = e.Next() {
		if g := e.Value.(*guest); a.share(g.crowd) == a.top {
			return g
		}
	}
	return nil
}

// share is how many of an address wait, as it counts against it.
func (a *admission) share(c *crowd) int {
	if c.proven {
		return max(0, c.waiting-a.most/16)
	}
	return c.waiting
}

// shift changes a crowd, and keeps shares and top.
func (a *admission) shift(c *crowd, change func()) {
	a.shares[a.share(c)]--
	change()
	share := a.share(c)
	a.shares[share]++
	for a.top = max(a.top, share); a.top > 0 && a.shares[a.top] == 0; {
		a.top--
	}
}

func (a *admission) remove(g *guest) {
	if g.gone {
		return
	}
	g.gone = true
	a.unwait(g)
	delete(a.guests, g)
	a.held -= g.held
	if g.crowd.guests--; g.crowd.guests == 0 && !g.crowd.proven {
		a.shares[0]--
		delete(a.crowds, g.crowd.addr)
	}
}

func (a *admission) unwait(g *guest) {
	if g.place != nil {
		a.waiting.Remove(g.place)
		g.place = nil
		a.shift(g.crowd, func() { g.crowd.waiting-- })
	}
}
