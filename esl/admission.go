package esl

import (
	"container/list"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// Why the Server cuts a connection that has done nothing wrong.
var (
	errEvicted = errors.New("cut to make room: it had not given its channel's data")
	errHeld    = errors.New("cut to save memory: it held the most of all")
)

// An admission decides which connections a Server keeps when it cannot keep all.
// A new connection waits until it has sent its channel's data, which takes a
// FreeSWITCH some milliseconds; from then on it is a call, and is never cut for
// lack of room. When there are too many connections, a waiting one is cut: the
// oldest of the address that has the most of them. So a flood from one address
// costs the other addresses nothing, and a flood from FreeSWITCH's own address
// must fill the whole Server within those milliseconds.
type admission struct {
	most   int // connections at once
	memory int // bytes that all of them may hold together

	mu      sync.Mutex
	clients map[*client]struct{}
	waiting list.List // of *client, the oldest first
	origins map[netip.Addr]*origin
	trusted int   // origins that are trusted
	shares  []int // by share: how many origins have it
	largest int   // the largest share that an origin has
	held    int   // bytes that all clients hold
}

// origin is what an admission knows about one address.
type origin struct {
	addr    netip.Addr
	clients int
	waiting int  // clients that are no calls yet
	trusted bool // it has sent a channel's data once: a sixteenth of most may wait before they count
}

// client is one connection that was let in.
type client struct {
	conn   *Conn
	origin *origin
	came   time.Time
	place  *list.Element // in waiting; nil once it is a call
	data   int           // bytes of its channel's data
	held   int           // bytes that it held when it last reported
	gone   bool          // it has left, or was cut to make room
}

// maxTrusted is how many addresses are remembered to be FreeSWITCH's.
const maxTrusted = 256

// connectGrace is how long a connection has to send its channel's data before it
// may be cut to make room. MaxConns divided by it is the rate of new connections
// that a full Server takes: 10,240 a second.
const connectGrace = 100 * time.Millisecond

func newAdmission(most, memory int) *admission {
	return &admission{most: most, memory: memory, shares: make([]int, most+1),
		clients: map[*client]struct{}{}, origins: map[netip.Addr]*origin{}}
}

// enter lets a connection in. It returns nil if there is no room: at once if all
// clients are calls; otherwise it also returns after how long there may be room.
func (a *admission) enter(addr netip.Addr, conn *Conn) (*client, time.Duration) {
	a.mu.Lock()
	var victim *client
	if len(a.clients) >= a.most {
		victim = a.victim()
		if victim == nil {
			a.mu.Unlock()
			return nil, 0
		}
		if left := connectGrace - time.Since(victim.came); left > 0 {
			a.mu.Unlock()
			return nil, left
		}
		a.remove(victim)
	}
	o := a.origins[addr]
	if o == nil {
		o = &origin{addr: addr}
		a.origins[addr] = o
		a.shares[0]++
	}
	o.clients++
	a.update(o, func() { o.waiting++ })
	c := &client{conn: conn, origin: o, came: time.Now()}
	c.place = a.waiting.PushBack(c)
	a.clients[c] = struct{}{}
	a.mu.Unlock()
	if victim != nil {
		victim.conn.fail(errEvicted)
	}
	return c, 0
}

// promote turns a client that has sent its channel's data into a call. It reports
// false if the client was cut meanwhile.
func (a *admission) promote(c *client, data int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.gone {
		return false
	}
	a.unwait(c)
	c.data = data
	if !c.origin.trusted && a.trusted < maxTrusted {
		a.update(c.origin, func() { c.origin.trusted = true })
		a.trusted++
	}
	return true
}

// leave removes a client whose connection has ended.
func (a *admission) leave(c *client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remove(c)
}

// evict cuts an eighth of the waiting clients, at least one, and reports whether
// it cut any. It is for a process that has no file descriptor left.
func (a *admission) evict() bool {
	var victims []*client
	a.mu.Lock()
	for range a.waiting.Len()/8 + 1 {
		if c := a.victim(); c != nil && time.Since(c.came) >= connectGrace {
			a.remove(c)
			victims = append(victims, c)
		}
	}
	a.mu.Unlock()
	for _, c := range victims {
		c.conn.fail(errEvicted)
	}
	return len(victims) > 0
}

// report takes from a client's Run how many bytes its connection holds. If all
// clients together hold too much, it cuts those that hold the most, and returns
// when their memory is free: until then nothing more is read from this client.
func (a *admission) report(c *client, bytes int) {
	a.mu.Lock()
	if !c.gone {
		a.setHeld(c, bytes)
	}
	victims := a.heaviest()
	a.mu.Unlock()
	for _, victim := range victims {
		victim.conn.fail(errHeld)
	}
	for _, victim := range victims {
		select {
		case <-victim.conn.unread:
		case <-c.conn.done: // two reports may wait for each other; then both clients were cut
		}
	}
}

// heaviest removes the clients that hold the most, until the rest holds little
// enough. It counts again first, because events may have been taken since.
func (a *admission) heaviest() (victims []*client) {
	if a.held <= a.memory {
		return nil
	}
	for c := range a.clients {
		a.setHeld(c, c.conn.holds())
	}
	for a.held > a.memory {
		var largest *client
		for c := range a.clients {
			if largest == nil || c.held > largest.held {
				largest = c
			}
		}
		a.remove(largest)
		victims = append(victims, largest)
	}
	return victims
}

func (a *admission) setHeld(c *client, bytes int) {
	a.held += c.data + bytes - c.held
	c.held = c.data + bytes
}

// victim returns the client to cut when room is needed; nil if none waits.
func (a *admission) victim() *client {
	for e := a.waiting.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*client); a.share(c.origin) == a.largest {
			return c
		}
	}
	return nil
}

// share is how many waiting clients count against an origin.
func (a *admission) share(o *origin) int {
	if o.trusted {
		return max(0, o.waiting-a.most/16)
	}
	return o.waiting
}

// update changes an origin, and keeps shares and largest true.
func (a *admission) update(o *origin, change func()) {
	a.shares[a.share(o)]--
	change()
	share := a.share(o)
	a.shares[share]++
	for a.largest = max(a.largest, share); a.largest > 0 && a.shares[a.largest] == 0; {
		a.largest--
	}
}

func (a *admission) remove(c *client) {
	if c.gone {
		return
	}
	c.gone = true
	a.unwait(c)
	delete(a.clients, c)
	a.held -= c.held
	if c.origin.clients--; c.origin.clients == 0 && !c.origin.trusted {
		a.shares[0]--
		delete(a.origins, c.origin.addr)
	}
}

func (a *admission) unwait(c *client) {
	if c.place != nil {
		a.waiting.Remove(c.place)
		c.place = nil
		a.update(c.origin, func() { c.origin.waiting-- })
	}
}
