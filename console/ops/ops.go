// Package ops is what can be done in the console, for the API and for the pages
// alike. Every operation checks that its visitor may do it, writes the line of
// the audit log, and does it. API and pages reach data only through this package.
//
// What a visitor may not see gives ErrNotFound; what he sees and has no right to
// do gives ErrNotAllowed. FaultOf says how an error is answered.
package ops

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store/calls"
	"tapedeck/store/index"
)

// Index is what the operations need of the index of recordings. The errors are
// index.ErrUnknown and store.ErrAway.
type Index interface {
	// Search returns the recordings that a query finds, the newest first, and
	// where the next page begins; the zero Cursor if there is none.
	Search(ctx context.Context, q index.Query) ([]index.Recording, index.Cursor, error)
	// Find returns one recording, of one of these organisations if any are named.
	Find(ctx context.Context, id string, organisations ...string) (index.Recording, error)
	// Save and Delete change the index soon, and do not wait.
	Save(r index.Recording)
	Delete(organisation, id string)
}

// LiveCalls is what the operations need of the live calls of all instances.
type LiveCalls interface {
	// List returns all live calls, the oldest first.
	List(ctx context.Context) ([]calls.Call, error)
	// Watch calls changed after each change of a live call, until ctx ends.
	Watch(ctx context.Context, changed func(organisation string)) error
}

// Presser presses on live calls, whichever instance owns them.
type Presser interface {
	// Press asks for an action on a live call's recording in the name of a user of its
	// organisation ("": the one who talks now), for an account. It returns the state
	// that FreeSWITCH has confirmed: off, on or paused. The errors are
	// toggle.ErrNoCall, toggle.ErrBusy and a toggle.Refusal.
	Press(ctx context.Context, call, user, account string, action Action) (calls.State, error)
}

// Config is what the operations work on.
type Config struct {
	Index   Index
	Calls   LiveCalls
	Presser Presser
	Policy  func() *flow.Policy // the one in force; never nil
	Dir     recording.Dir
	// Workshop does the work on sounds; nil: this process does.
	Workshop recording.Workshop
	Audit    *audit.Log
	// Evidence returns what is known of the evidence log.
	Evidence func() Evidence
	Meter    Meter // nil: nothing is counted
	Log      *slog.Logger
}

// Operations is everything that can be done. New makes one.
type Operations struct {
	Recordings *Recordings
	Calls      *Calls
	Audit      *Audit
}

// New makes the operations. They work while Run runs.
func New(cfg Config) *Operations {
	if cfg.Meter == nil {
		cfg.Meter = noMeter{}
	}
	if cfg.Workshop == nil {
		cfg.Workshop = recording.InProcess{}
	}
	lines := &auditWriter{file: cfg.Audit, log: cfg.Log, played: newPlayed()}
	recordings := &Recordings{index: cfg.Index, policy: cfg.Policy, dir: cfg.Dir, audit: lines,
		shop: cfg.Workshop, encoder: recording.NewEncoder(cfg.Dir, cfg.Workshop), verifying: make(chan struct{}, verifiers)}
	return &Operations{
		Recordings: recordings,
		Calls:      &Calls{live: cfg.Calls, presser: cfg.Presser, policy: cfg.Policy, audit: lines, hub: newHub(cfg.Calls, cfg.Log)},
		Audit:      &Audit{auditWriter: lines, policy: cfg.Policy, recordings: recordings, evidence: cfg.Evidence, flood: newFlood(), meter: cfg.Meter},
	}
}

// Run follows the live calls for those who look at them, and floods of attempts to sign
// in, until ctx ends. It is called once.
func (o *Operations) Run(ctx context.Context) error {
	defer o.Recordings.encoder.Close()
	var floods sync.WaitGroup
	floods.Go(func() { o.Audit.followFloods(ctx) })
	o.Calls.hub.run(ctx)
	floods.Wait()
	return nil
}

// utc is a time as the console shows it to programs: in UTC, to the millisecond.
func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
