package console

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording/audit"
	"tapedeck/store/index"
)

// actor is how the audit log names a visitor.
func (v *visit) actor() audit.Actor { return audit.Actor{Who: v.account.Name, From: v.from} }

// write adds a line to the audit log. Without it nothing may happen that it tells
// of: the error is answered with 503.
func (s *Server) write(v *visit, what, organisation, id, detail string) error {
	line := audit.Line{At: time.Now(), Who: v.account.Name, What: what,
		Organisation: organisation, Recording: id, From: v.from, Detail: detail}
	if organisation == "" {
		line.Brand = v.account.Brand
	}
	err := s.cfg.Audit.Add(line)
	if err != nil {
		s.cfg.Log.Error("audit line not written", "what", what, "error", err)
		return errNoAudit
	}
	return nil
}

// notWritten is errNoAudit if it is the audit file's error, and else the error.
func (s *Server) notWritten(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) && of.Path == s.cfg.Audit.Path() {
		s.cfg.Log.Error("audit line not written", "error", err)
		return errNoAudit
	}
	return err
}

// writeOnce is write for what comes in many requests and counts as one.
func (s *Server) writeOnce(v *visit, what, organisation, id, detail string) error {
	key := said{v.account.Name, what, organisation, id, detail}
	if s.said.has(key, time.Now()) {
		return nil
	}
	if err := s.write(v, what, organisation, id, detail); err != nil {
		return err
	}
	s.said.add(key, time.Now())
	return nil
}

// writeRefused notes that a visitor wanted what he may not. He does not get it
// either way.
func (s *Server) writeRefused(v *visit, organisation, id string, right access.Right) {
	_ = s.writeOnce(v, audit.Refused, organisation, id, "no right to "+string(right)) // write logs it
}

// said is what an audit line of writeOnce was about.
type said struct{ who, what, organisation, recording, detail string }

const (
	saidFor = 5 * time.Minute
	maxSaid = 10_000
)

// saidLately remembers what was written lately. What it forgets is only written
// again.
type saidLately struct {
	mu sync.Mutex
	at map[said]time.Time
}

func (l *saidLately) has(key said, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.at[key]
	return ok && now.Sub(at) < saidFor
}

func (l *saidLately) add(key said, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.at) >= maxSaid || l.at == nil {
		l.at = map[said]time.Time{}
	}
	l.at[key] = now
}

// auditQuery says which lines of the audit log are wanted. What is empty does not
// matter.
type auditQuery struct {
	Who, What, Recording string
	Organisation         string
	From, To             time.Time // not before From, before To
	Before               int64     // the next of the page before; 0: the newest lines
	Limit                int       // 0 is 100
}

// auditLines are lines of the audit log, of what the visitor may see, the newest
// first. next is the Before of the following page; 0 when there is none. A page
// may have fewer than Limit although there is a next one.
func (s *Server) auditLines(ctx context.Context, v *visit, q auditQuery) (lines []audit.Line, next int64, err error) {
	if !v.account.May(access.Audit) {
		return nil, 0, errNotAllowed
	}
	scope := index.Query{Organisations: oneOrAny(q.Organisation)}
	if !v.scope(s.cfg.Policy(), &scope) {
		return nil, 0, nil
	}
	wanted := audit.Query{
		Who: oneOrAny(q.Who), What: oneOrAny(q.What), Organisations: scope.Organisations, Recording: q.Recording,
		From: q.From, To: q.To, Before: q.Before, Limit: q.Limit,
	}
	if q.Organisation == "" {
		wanted.Brand = v.account.Brand
	}
	lines, next, err = s.cfg.Audit.Read(ctx, wanted)
	if err == nil && (scope.Only.User != "" || len(scope.Only.Groups) > 0) {
		lines, err = s.ownLines(ctx, v, lines)
	}
	return lines, next, err
}

// ownLines are the lines that a visitor may read who sees only some of an
// organisation's recordings: those about them, and what he did himself.
func (s *Server) ownLines(ctx context.Context, v *visit, lines []audit.Line) (own []audit.Line, err error) {
	sees := map[string]bool{}
	for _, line := range lines {
		ok, known := sees[line.Recording]
		if !known && line.Recording != "" {
			_, err := s.find(ctx, v, line.Recording)
			if err != nil && !errors.Is(err, errNotFound) {
				return nil, err
			}
			ok = err == nil
			sees[line.Recording] = ok
		}
		if ok || line.Who == v.account.Name {
			own = append(own, line)
		}
	}
	return own, nil
}

func oneOrAny(word string) []string {
	if word == "" {
		return nil
	}
	return []string{word}
}
