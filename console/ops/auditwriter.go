package ops

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording/audit"
)

// auditWriter writes the lines of the audit log.
type auditWriter struct {
	file   *audit.Log
	log    *slog.Logger
	lately recentLines
	played *played
}

// write adds a line to the audit log. If that fails, the operation that the line
// tells of must not be done: the error is ErrNoAudit.
func (a *auditWriter) write(v Visitor, what, organisation, id, detail string) error {
	line := audit.Line{At: time.Now(), Who: v.Account.Name, What: what,
		Organisation: organisation, Recording: id, From: v.From, Detail: detail}
	if organisation == "" {
		line.Brand = v.Account.Brand
	}
	err := a.file.Add(line)
	if err != nil {
		a.log.Error("audit line not written", "what", what, "error", err)
		return ErrNoAudit
	}
	return nil
}

// notWritten returns ErrNoAudit if err is the audit file's, and else err.
func (a *auditWriter) notWritten(err error) error {
	if errors.Is(err, audit.ErrNotWritten) {
		a.log.Error("audit line not written", "error", err)
		return ErrNoAudit
	}
	return err
}

// writeOnce is write for an operation that takes many requests: the same line is
// not written again for recentFor.
func (a *auditWriter) writeOnce(v Visitor, what, organisation, id, detail string) error {
	key := recentLine{v.Account.Name, what, organisation, id, detail}
	if a.lately.has(key, time.Now()) {
		return nil
	}
	if err := a.write(v, what, organisation, id, detail); err != nil {
		return err
	}
	a.lately.add(key, time.Now())
	return nil
}

// refused writes that a visitor asked for what he has no right to. He is refused
// even if the line cannot be written.
func (a *auditWriter) refused(v Visitor, organisation, id string, right access.Right) {
	_ = a.writeOnce(v, audit.Refused, organisation, id, "no right to "+string(right)) // write logs it
}

// recentLine is what a line of writeOnce is about.
type recentLine struct{ who, what, organisation, recording, detail string }

const (
	recentFor = 5 * time.Minute
	maxRecent = 10_000
)

// recentLines remembers which lines writeOnce has written. A line that it forgets
// is written again.
type recentLines struct {
	mu sync.Mutex
	at map[recentLine]time.Time
}

func (l *recentLines) has(key recentLine, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.at[key]
	return ok && now.Sub(at) < recentFor
}

func (l *recentLines) add(key recentLine, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.at) >= maxRecent || l.at == nil {
		l.at = map[recentLine]time.Time{}
	}
	l.at[key] = now
}
