package store

import (
	"context"
	"sync"
	"time"
)

const (
	// lookEvery is how often Run asks Redis what there is: whether it is there,
	// and what a lost message would have told.
	lookEvery = 500 * time.Millisecond
	// lastStepTime is what Run has for writing what is queued when it is ended.
	lastStepTime = time.Second
)

// Subject is what one subject does in the steps of a Run. Any function may be
// nil. All but Serve are called by one goroutine, the functions of the subject
// that was added first before those of the others.
type Subject struct {
	// Report logs what was dropped since it was last called. Every step begins
	// with it, also while Redis is away.
	Report func()
	// Sync compares with Redis. look says whether Redis is to be asked what
	// there is; without it, only what was changed here is of interest.
	Sync func(ctx context.Context, look bool)
	// Repair tells a Redis that has lost data what Rewrite does not write again.
	// If it reports false, the next step tries again.
	Repair func(ctx context.Context) (done bool)
	// Rewrite has everything written again: Redis may have lost what it had.
	Rewrite func(ctx context.Context)
	// Write writes some of what is queued and reports whether there may be more
	// to be written now. It is called until no subject has more.
	Write func(ctx context.Context) (more bool)
	// Unwritten logs what is still queued when Run ends.
	Unwritten func()
	// Serve runs in a goroutine of its own until ctx ends.
	Serve func(ctx context.Context)
	// Leave is called when all else has ended. Its ctx has ended, too.
	Leave func(ctx context.Context)
}

// Add adds a subject. It may not be called while Run goes on.
func (c *Conn) Add(s Subject) { c.subjects = append(c.subjects, s) }

// Run does the work of the subjects: it follows what others write, writes what is
// queued, and brings all of it up to date when Redis is back. It blocks until ctx
// or the Conn is ended, waits for its goroutines, tries for a moment to write what
// is queued, and returns nil. Only one Run may go on at a time.
func (c *Conn) Run(ctx context.Context) error {
	ctx, end, err := c.life.run(ctx)
	if err != nil {
		return err
	}
	defer end()
	var servers sync.WaitGroup
	for _, s := range c.subjects {
		if s.Serve != nil {
			servers.Go(func() { s.Serve(ctx) })
		}
	}
	c.work(ctx)
	c.lastStep(ctx)
	servers.Wait()
	for _, s := range c.subjects {
		if s.Leave != nil {
			s.Leave(ctx)
		}
	}
	return nil
}

// Wake has Run write what is queued.
func (c *Conn) Wake() { signal(c.wake) }

// Look has Run ask Redis what there is.
func (c *Conn) Look() { signal(c.look) }

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default: // one is due already
	}
}

// Doubt notes that Redis may have lost what it had: the next step writes it again.
func (c *Conn) Doubt() { c.doubt.Store(true) }

// DataLost notes that Redis has lost what it had, and has that mended.
func (c *Conn) DataLost() {
	c.log.Warn("redis has lost data: what it should know is written again")
	c.lost.Store(true)
	c.doubt.Store(true)
	c.Wake()
}

func (c *Conn) work(ctx context.Context) {
	c.step(ctx, true)
	tick := time.NewTicker(c.cfg.LookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
			c.step(ctx, false)
		case <-c.look:
			c.step(ctx, true)
		case now := <-tick.C:
			if c.embedded != nil {
				c.embedded.age(now)
			}
			c.step(ctx, true)
		}
	}
}

// step does what there is to do now; look says whether Redis is to be asked
// what there is.
func (c *Conn) step(ctx context.Context, look bool) {
	c.report()
	if !c.Up() && (!look || !c.back(ctx)) {
		return
	}
	asked := false
	for _, s := range c.subjects {
		if s.Sync != nil {
			s.Sync(ctx, look)
			asked = true
		}
	}
	if look && !asked && c.probe(ctx, c.Timeout()) != nil { // else nobody notices that Redis is away
		return
	}
	if c.lost.Load() && c.repair(ctx) {
		c.lost.Store(false)
	}
	if c.doubt.Swap(false) {
		for _, s := range c.subjects {
			if s.Rewrite != nil {
				s.Rewrite(ctx)
			}
		}
	}
	for more := true; more && c.Up(); {
		more = false
		for _, s := range c.subjects {
			if s.Write != nil && s.Write(ctx) {
				more = true
			}
		}
	}
}

func (c *Conn) report() {
	for _, s := range c.subjects {
		if s.Report != nil {
			s.Report()
		}
	}
}

// back reports whether Redis is back.
func (c *Conn) back(ctx context.Context) bool {
	if c.connect(ctx) != nil {
		return false
	}
	c.Doubt()
	c.setUp(true, nil)
	return true
}

// repair reports whether every subject has repaired what Redis has lost.
func (c *Conn) repair(ctx context.Context) bool {
	for _, s := range c.subjects {
		if s.Repair != nil && !s.Repair(ctx) {
			return false
		}
	}
	return true
}

// lastStep writes what is queued after the end of ctx.
func (c *Conn) lastStep(ctx context.Context) {
	if c.Up() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastStepTime)
		defer cancel()
		c.step(ctx, false)
	}
	c.report()
	for _, s := range c.subjects {
		if s.Unwritten != nil {
			s.Unwritten()
		}
	}
}
