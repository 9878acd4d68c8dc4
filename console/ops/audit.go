package ops

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/recording/audit"
	"tapedeck/store/index"
)

// Audit is the audit log as visitors read it, and the lines of their signing in
// and out.
type Audit struct {
	*auditWriter
	policy     func() *flow.Policy
	recordings *Recordings
	evidence   func() Evidence
	wrong      wrongTokens
	flood      *flood
	meter      Meter
}

// AuditQuery says which lines of the audit log are wanted. An empty field does
// not narrow it.
type AuditQuery struct {
	Who, What, Recording string
	Organisation         string
	From, To             time.Time // not before From, before To
	Before               int64     // the next of the page before; 0: the newest lines
	Limit                int       // 0 is 100
	Beside               bool      // they are shown on another page, which is looked at again and again
}

// Lines returns lines of the audit log about what the visitor may see, the newest
// first. next is the Before of the following page; 0 when there is none. A page
// may have fewer than Limit although there is a next one. That somebody reads them is a
// line of the audit log itself (PCI DSS 4.0, 10.2.1.3): one for each first page, and one
// in five minutes for what continues it or is beside something else.
func (a *Audit) Lines(ctx context.Context, v Visitor, q AuditQuery) (lines []audit.Line, next int64, err error) {
	if !v.Account.May(access.Audit) {
		return nil, 0, ErrNotAllowed
	}
	scope := index.Query{Organisations: oneOrAny(q.Organisation)}
	if !v.narrow(a.policy(), &scope) {
		return nil, 0, nil
	}
	wanted := audit.Query{
		Who: oneOrAny(q.Who), What: oneOrAny(q.What), Organisations: scope.Organisations, Recording: q.Recording,
		From: q.From, To: q.To, Before: q.Before, Limit: q.Limit,
	}
	if q.Organisation == "" {
		wanted.Brand = v.Account.Brand
	}
	lines, next, err = a.file.Read(ctx, wanted)
	if err == nil {
		err = a.reads(v, q)
	}
	if err != nil {
		return nil, 0, err
	}
	if scope.Only.User != "" || len(scope.Only.Groups) > 0 {
		lines, err = a.own(ctx, v, lines)
	}
	return lines, next, err
}

// reads writes that a visitor reads the audit log. Without the line he is not shown it.
func (a *Audit) reads(v Visitor, q AuditQuery) error {
	organisation := cmp.Or(q.Organisation, v.Account.Organisation)
	if q.Before > 0 || q.Beside {
		return a.writeOnce(v, audit.Read, organisation, "", q.said())
	}
	return a.write(v, audit.Read, organisation, "", q.said())
}

// said is what a query asks for, besides the organisation.
func (q AuditQuery) said() string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+" "+value)
		}
	}
	add("who", q.Who)
	add("what", q.What)
	add("recording", q.Recording)
	for name, t := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !t.IsZero() {
			add(name, t.UTC().Format(time.RFC3339))
		}
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// own keeps the lines for a visitor who sees only some of an organisation's
// recordings: those about them, and those about what he did himself.
func (a *Audit) own(ctx context.Context, v Visitor, lines []audit.Line) (own []audit.Line, err error) {
	sees := map[string]bool{}
	for _, line := range lines {
		ok, known := sees[line.Recording]
		if !known && line.Recording != "" {
			_, err := a.recordings.Find(ctx, v, line.Recording)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return nil, err
			}
			ok = err == nil
			sees[line.Recording] = ok
		}
		if ok || line.Who == v.Account.Name {
			own = append(own, line)
		}
	}
	return own, nil
}

// ReadTo returns the time back to which Lines has read the audit log when next is
// what it returned; zero if it has read all of it.
func (a *Audit) ReadTo(ctx context.Context, v Visitor, next int64) (time.Time, error) {
	if !v.Account.May(access.Audit) {
		return time.Time{}, ErrNotAllowed
	}
	before, _, err := a.file.Read(ctx, audit.Query{Before: next, Limit: 1})
	if len(before) == 0 {
		return time.Time{}, err
	}
	return before[0].At, err
}

// SignedIn counts and writes that an account has signed in.
func (a *Audit) SignedIn(v Visitor) {
	a.meter.SignIn(string(SignInOK))
	a.signed(v, audit.SignIn, "")
}

// SignedOut writes that an account has signed out.
func (a *Audit) SignedOut(v Visitor, detail string) { a.signed(v, audit.SignOut, detail) }

// signed writes a line about signing in or out. If it cannot be written, only the log
// says so: whoever mends the audit log has to sign in, and what he does then needs a
// line of its own.
func (a *Audit) signed(v Visitor, what, detail string) {
	err := a.file.Add(audit.Line{At: time.Now(), Who: v.Account.Name, What: what,
		Organisation: v.Account.Organisation, Brand: v.Account.Brand, From: v.From, Detail: detail})
	if err != nil {
		a.log.Error("not in the audit log", "what", what, "account", v.Account.Name, "from", v.From, "error", err)
	}
}

func oneOrAny(word string) []string {
	if word == "" {
		return nil
	}
	return []string{word}
}
