package esltest

import (
	"fmt"
)

// Channel is one leg. Any goroutine may call its methods. On a leg that has hung up
// they do nothing.
type Channel struct {
	sw   *Switch
	uuid string
	tone int
	done chan struct{} // closed at hangup

	// The switch's lock guards the rest.
	profile    profile
	other      *profile // Other-Leg-*
	otherType  string   // originator or originatee
	vars       variables
	outbound   bool
	dialplan   bool // has been through the dialplan
	state      string
	callState  string
	answered   bool
	early      bool
	held       bool
	down       bool
	parked     bool
	queued     bool // it waits in a queue: its recordings do not grow
	cause      string
	partner    *Channel
	eavesdrops *Channel // the leg to which it listens; nil if none
	listensBy  int      // the place of its media bug among those of that leg
	unread     []packet // messages that came while it listened
	room       *room    // the conference room that it is in; nil if none
	member     string   // its Member-ID there
	isA        bool     // of the bridge
	dialer     *Channel
	dialing    []*Channel
	recordings []*recording
	displaced  []*displacement
	bugs       int              // ever put on the channel
	codecRate  string           // samples in a second; "": 8000
	machines   [2]*digitMachine // self, peer
	meta       *metaKeys        // nil: none
	pressed    string           // digits pressed while it held the other party
	gone       bool             // it ended with an earlier run of the switch: it fires no events
}

// UUID is the channel's Unique-ID.
func (c *Channel) UUID() string { return c.uuid }

// Done is closed when the channel has hung up.
func (c *Channel) Done() <-chan struct{} { return c.done }

// Set sets a channel variable as the dialplan action `set` does, but without
// expanding ${}. An empty value unsets it.
func (c *Channel) Set(name, value string) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	c.vars.set(name, value)
}

// Get returns a channel variable, "" if it is not set.
func (c *Channel) Get(name string) string {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	value, _ := c.vars.get(name)
	return value
}

// Execute runs a dialplan application on the channel; see applications.
func (c *Channel) Execute(app, args string) error {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.down {
		return fmt.Errorf("esltest: execute %s: the channel has hung up", app)
	}
	return c.execute(app, args)
}
