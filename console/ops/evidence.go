package ops

import (
	"fmt"
	"sync"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording/audit"
)

// Evidence is what is known of the evidence log: what its last verification found.
type Evidence struct {
	Kept     bool // there is an evidence log
	Signed   bool // its checkpoints are signed
	At       time.Time
	Failed   string // why it could not be verified; empty: it could
	Entries  int
	Older    int // recordings that are older than the log, and not proved
	Wrong    int
	Findings []string // the first of what is wrong
	SignedTo time.Time
	Since    int // entries after that
}

// Evidence returns what is known of the evidence log. Only an operator is told: the log
// is about all organisations.
func (a *Audit) Evidence(v Visitor) (e Evidence, ok bool) {
	if v.Account.Role != access.Operator || !v.Account.May(access.Audit) || a.evidence == nil {
		return Evidence{}, false
	}
	return a.evidence(), true
}

// wrongPerMinute is how many lines about wrong tokens are written in a minute, so that
// nobody fills the disk with them.
const wrongPerMinute = 60

// wrongTokens counts the lines about wrong tokens.
type wrongTokens struct {
	mu      sync.Mutex
	minute  time.Time // when it began
	lines   int       // in it
	skipped int       // since the last line
}

// take reports whether a line may be written now, and how many were not since the one
// before.
func (w *wrongTokens) take(now time.Time) (skipped int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.minute) >= time.Minute {
		w.minute, w.lines = now, 0
	}
	if w.lines >= wrongPerMinute {
		w.skipped++
		return 0, false
	}
	w.lines++
	skipped, w.skipped = w.skipped, 0
	return skipped, true
}

// WrongToken writes that somebody sent a bearer token that nobody has, or that has
// ended: one line for each address in five minutes, and wrongPerMinute in all.
func (a *Audit) WrongToken(from string) {
	now, key := time.Now(), recentLine{what: audit.WrongToken, detail: from}
	if a.lately.has(key, now) {
		return
	}
	skipped, ok := a.wrong.take(now)
	if !ok {
		return
	}
	a.lately.add(key, now)
	detail := ""
	if skipped > 0 {
		detail = fmt.Sprintf("and %d more before, from other addresses", skipped)
	}
	if err := a.file.Add(audit.Line{At: now, What: audit.WrongToken, From: from, Detail: detail}); err != nil {
		a.log.Error("not in the audit log", "what", audit.WrongToken, "from", from, "error", err)
	}
}
