package proof

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/flow"
	"tapedeck/recording/audit"
	"tapedeck/recording/chain"
)

const (
	checkpointEvery = time.Hour
	// checkAfter is how long after the start the logs are verified first, and checkEvery
	// how often from then on.
	checkAfter = time.Minute
	checkEvery = 24 * time.Hour
	// stopPatience is how long the checkpoint at the end may take, with its copies.
	stopPatience = 2 * time.Second
	// maxWaiting is how many changes may wait for their line in the audit log.
	maxWaiting = 64
)

// Keeper keeps the evidence log of a daemon: it writes checkpoints, verifies the log once
// a day, and writes into the audit log that another policy or other accounts are in force,
// and that somebody is not what he says (suspicion.go).
type Keeper struct {
	cfg     *config.Config
	audit   *audit.Log
	key     atomic.Pointer[ed25519.PrivateKey] // to nil: checkpoints are not signed
	count   func(findings int)                 // is told what each verification found wrong; -1: it could not be done
	log     *slog.Logger
	changes chan change
	result  atomic.Pointer[Result]

	suspicions   suspicions
	saidUnsigned bool
}

// change is another policy in force, or other accounts, or a suspicion.
type change struct {
	at             time.Time
	what           string // audit.Policy, audit.Account, audit.Stranger or audit.Forged
	revision, from string // of a policy
	detail         string // of the others
}

// Result is what the last verification found.
type Result struct {
	At       time.Time
	Err      error // why it could not be done; nil: it was
	Findings []chain.Finding
	chain.Summary
}

// maxFindings is how many findings a Result has at most.
const maxFindings = 20

// NewKeeper opens the audit log of a daemon, and reads the key. What is missing is
// logged once. Count is told how much each verification found wrong, -1 if it could not
// be done.
func NewKeeper(cfg *config.Config, count func(findings int), log *slog.Logger) *Keeper {
	k := &Keeper{cfg: cfg, count: count, log: log, changes: make(chan change, maxWaiting)}
	k.key.Store(new(ed25519.PrivateKey))
	var err error
	if k.audit, err = Open(cfg); err != nil && k.audit.Evidence() == nil {
		log.Error("there is no evidence log: a change of the audit log or of a recording cannot be proved", "error", err)
		return k
	} else if err != nil {
		log.Error("the evidence log cannot be written: until it can, no sidecar is written and nothing is done that needs a line of the audit log", "error", err)
	}
	k.readKey()
	return k
}

// readKey reads the key, and logs once if there is none.
func (k *Keeper) readKey() {
	key, err := readKey(k.cfg.Audit.Key)
	k.key.Store(&key)
	if err == nil || k.saidUnsigned {
		return
	}
	k.saidUnsigned = true
	if errors.Is(err, fs.ErrNotExist) {
		k.log.Warn("the evidence log is not signed: `tapedeck audit key` makes a key", "file", k.cfg.Audit.Key)
	} else {
		k.log.Error("the evidence log is not signed", "error", err)
	}
}

// Audit returns the audit log.
func (k *Keeper) Audit() *audit.Log { return k.audit }

// Signs reports whether checkpoints are signed.
func (k *Keeper) Signs() bool { return *k.key.Load() != nil }

// Result returns what the last verification found; nil if there was none yet.
func (k *Keeper) Result() *Result { return k.result.Load() }

// PolicyInForce has it written into the audit log that another policy is in force, and
// where it came from. It does not block.
func (k *Keeper) PolicyInForce(p *flow.Policy, from string) {
	k.tell(change{what: audit.Policy, revision: p.Revision, from: from})
}

// AccountsInForce has it written into the audit log that the accounts file says
// something else. It does not block.
func (k *Keeper) AccountsInForce(detail string) {
	k.tell(change{what: audit.Account, from: "accounts file", detail: detail})
}

func (k *Keeper) tell(c change) {
	c.at = time.Now()
	select {
	case k.changes <- c:
	default:
		k.log.Error("not in the audit log: too much waits", "what", c.what)
	}
}

// Run works until ctx ends, and returns nil. A disk that hangs, or a log that somebody has
// locked, does not hold the daemon then.
func (k *Keeper) Run(ctx context.Context) error {
	ended := make(chan struct{})
	go func() { defer close(ended); k.work(ctx) }()
	<-ctx.Done()
	select {
	case <-ended:
	case <-time.After(stopPatience):
		k.log.Error("no checkpoint at the end: the log is locked, or the disk, or where it is copied to, does not answer")
	}
	return nil
}

// work is what Run does.
func (k *Keeper) work(ctx context.Context) {
	k.checkpoint(ctx, chain.AtStart)
	revision := "" // of the policy of which the last line tells
	hour := time.NewTicker(checkpointEvery)
	defer hour.Stop()
	var checks sync.WaitGroup
	checks.Go(func() { k.checkDaily(ctx) }) // which may take hours
	defer checks.Wait()
	for {
		select {
		case c := <-k.changes:
			revision = k.write(c, revision)
		case <-hour.C:
			k.checkpoint(ctx, chain.AtHour)
		case <-ctx.Done():
			k.stop(context.WithoutCancel(ctx), revision)
			return
		}
	}
}

// stop writes what is left.
func (k *Keeper) stop(ctx context.Context, revision string) {
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	for len(k.changes) > 0 {
		revision = k.write(<-k.changes, revision)
	}
	k.checkpoint(ctx, chain.AtStop)
}

// write writes the line about a change, unless the policy is the one of which the last
// line told. It returns the policy's revision.
func (k *Keeper) write(c change, revision string) string {
	if c.what == audit.Policy {
		if c.revision == revision {
			return revision
		}
		c.detail = fmt.Sprintf("revision %.12s", c.revision)
		if revision != "" {
			c.detail += fmt.Sprintf(" replaces %.12s", revision)
		}
		revision = c.revision
	}
	line := audit.Line{At: c.at, Who: "tapedeck serve", What: c.what, From: c.from, Detail: c.detail}
	if err := k.audit.Add(line); err != nil {
		k.log.Error("not in the audit log", "what", line.What, "detail", line.Detail, "error", err)
	}
	return revision
}

// checkpoint writes a checkpoint and copies it elsewhere.
func (k *Keeper) checkpoint(ctx context.Context, why string) {
	if k.audit.Evidence() == nil {
		return
	}
	if !k.Signs() {
		k.readKey() // it may have been made meanwhile
	}
	line, err := k.audit.Evidence().Checkpoint(why, *k.key.Load())
	if err != nil {
		k.log.Error("no checkpoint of the evidence log", "error", err)
		return
	}
	if err := copyTo(ctx, k.cfg.Audit.Copies, line); err != nil {
		k.log.Error("checkpoint not copied everywhere: the next one covers it, too", "error", err)
	}
}

// checkDaily verifies the log after the start, and once a day, until ctx ends.
func (k *Keeper) checkDaily(ctx context.Context) {
	for wait := checkAfter; ; wait = checkEvery {
		select {
		case <-time.After(wait):
			k.check(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// check verifies the log.
func (k *Keeper) check(ctx context.Context) {
	r := &Result{}
	r.Summary, r.Err = Check(ctx, k.cfg, FilesOf(k.cfg), true, func(f chain.Finding) {
		if !f.Note && len(r.Findings) < maxFindings {
			r.Findings = append(r.Findings, f)
		}
	})
	if ctx.Err() != nil {
		return
	}
	r.At = time.Now()
	k.result.Store(r)
	if r.Err != nil {
		k.count(-1)
	} else {
		k.count(r.Summary.Findings)
	}
	switch {
	case r.Err != nil:
		k.log.Error("evidence not verified", "error", r.Err)
	case r.Summary.Findings > 0:
		k.log.Error("the evidence log disagrees: `tapedeck audit verify` says where", "findings", r.Summary.Findings, "one", r.Findings[0].String())
	default:
		k.log.Info("evidence verified", "entries", r.Entries, "recordings", r.Sidecars)
	}
}
