package console

import (
	"context"
	"errors"
	"slices"
	"time"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/recording/audit"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

// liveView is a live call as one visitor sees it.
type liveView struct {
	ID           string         `json:"id"`
	Organisation string         `json:"organisation"`
	Direction    flow.Direction `json:"direction"`
	External     string         `json:"external"` // the outside party's number, as it came
	Number       string         `json:"number"`   // the organisation's, in E.164
	Users        []string       `json:"users"`    // who is on the call now
	Groups       []string       `json:"groups"`   // ring groups on its way
	State        calls.State    `json:"state"`    // off, on or paused
	Since        time.Time      `json:"since"`    // since when State is what it is
	Why          calls.Cause    `json:"why"`
	Locked       bool           `json:"locked"` // by the policy: only users who may override can switch it
	Started      time.Time      `json:"started"`
	Answered     *time.Time     `json:"answered"` // nil: not yet
	May          []Action       `json:"may"`      // what this visitor may do that would change something; empty: nothing
}

// viewOf is a live call without what depends on who looks.
func viewOf(c *calls.Call) liveView {
	view := liveView{
		ID: c.ID, Organisation: c.Organisation, Direction: c.Direction, External: c.External, Number: c.Number,
		Users: append([]string{}, c.Users...), Groups: groupsOf(c.Chain), State: c.State, Since: utc(c.Since), Why: c.Because,
		Locked: c.Locked, Started: utc(c.Started), May: []Action{},
	}
	if c.Since.IsZero() {
		view.Since = view.Started
	}
	if !c.Answered.IsZero() {
		answered := utc(c.Answered)
		view.Answered = &answered
	}
	return view
}

func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// groupsOf are the ring groups on a call's way.
func groupsOf(chain flow.Chain) []string {
	groups := []string{}
	for _, step := range chain {
		if step.Element.Kind == flow.RingGroup && !slices.Contains(groups, step.Element.ID) {
			groups = append(groups, step.Element.ID)
		}
	}
	return groups
}

// as is the view of a call for one visitor; not ok if he may not see it.
func (l liveView) as(v *visit, p *flow.Policy) (liveView, bool) {
	if !v.sees(p, l.Organisation, l.Users, l.Groups) {
		return liveView{}, false
	}
	l.May = []Action{}
	if v.maySwitch(p.Organisations[l.Organisation], &l) {
		switch l.State {
		case calls.Off:
			l.May = []Action{Start}
		case calls.On:
			l.May = []Action{Pause}
		case calls.Paused:
			l.May = []Action{Resume}
		}
	}
	return l, true
}

// maySwitch reports whether a switch by the visitor would be obeyed, as far as
// that can be told from here (docs/design.md, section 2, rules 5 and 7).
func (v *visit) maySwitch(org *flow.Organisation, l *liveView) bool {
	if !v.account.May(access.Control) || org == nil || !org.Recording || !org.OnDemand.API {
		return false
	}
	return slices.ContainsFunc(l.Users, func(id string) bool {
		if v.account.Role == access.User && id != v.account.User {
			return false
		}
		u := org.Users[id]
		return u != nil && u.OnDemand != flow.Disable && (!l.Locked || u.OnDemand == flow.Override)
	})
}

// liveCalls are the calls going on now that a visitor may see, the oldest first.
func (s *Server) liveCalls(ctx context.Context, v *visit) ([]liveView, error) {
	calls, err := s.cfg.Store.Calls(ctx)
	if err != nil {
		return nil, err
	}
	p := s.cfg.Policy()
	views := []liveView{}
	for i := range calls {
		if view, ok := viewOf(&calls[i]).as(v, p); ok {
			views = append(views, view)
		}
	}
	return views, nil
}

// liveCall is one of them.
func (s *Server) liveCall(ctx context.Context, v *visit, id string) (liveView, error) {
	calls, err := s.liveCalls(ctx, v)
	if err != nil {
		return liveView{}, err
	}
	i := slices.IndexFunc(calls, func(l liveView) bool { return l.ID == id })
	if i < 0 {
		return liveView{}, errNotFound
	}
	return calls[i], nil
}

// switchCall switches the recording of a live call in the name of a user of its
// organisation; user "" is the visitor's own, or else the one who talks on it. It
// returns the call as it stands then.
func (s *Server) switchCall(ctx context.Context, v *visit, id, user string, action Action) (liveView, error) {
	call, err := s.liveCall(ctx, v, id)
	if err != nil {
		return liveView{}, err
	}
	if len(user) > maxUser {
		return liveView{}, badRequest("user: it has %d bytes: use at most %d", len(user), maxUser)
	}
	if !slices.Contains([]Action{Start, Pause, Resume, Toggle}, action) {
		return liveView{}, badRequest("action: use start, pause, resume or toggle")
	}
	if v.account.Role == access.User {
		if user != "" && user != v.account.User {
			return liveView{}, errNotAllowed
		}
		user = v.account.User
	}
	if !v.account.May(access.Control) {
		s.writeRefused(v, call.Organisation, call.ID, access.Control)
		return liveView{}, errNotAllowed
	}
	if action != Pause {
		if err := s.writeSwitch(v, &call, user, action); err != nil {
			return liveView{}, err
		}
	}
	state, err := s.cfg.Calls.Switch(ctx, id, user, v.account.Name, action)
	if action == Pause { // what is not to be recorded waits for no disk, and is paused although nobody can write it down
		_ = s.writeSwitch(v, &call, user, action) // write logs it
	}
	if err != nil {
		s.writeFailed(v, &call, action, err)
		return liveView{}, err
	}
	if call.State != state {
		call.State, call.Since = state, utc(time.Now())
		call.Why = calls.Cause{Toggle: "api", User: user, By: v.account.Name}
	}
	call, _ = call.as(v, s.cfg.Policy())
	return call, nil
}

// writeSwitch puts a switch into the audit log: before it is done, but for a pause.
func (s *Server) writeSwitch(v *visit, call *liveView, user string, action Action) error {
	detail := string(action)
	if user != "" {
		detail += " for " + user
	}
	return s.write(v, audit.Toggle, call.Organisation, call.ID, detail)
}

// writeFailed says in the audit log that the line before did not come true.
func (s *Server) writeFailed(v *visit, call *liveView, action Action, cause error) {
	var refused toggle.Refusal
	detail := audit.Toggle + ": " + string(action)
	switch {
	case errors.As(cause, &refused):
		detail += ": refused: " + string(refused)
	case errors.Is(cause, toggle.ErrNoCall):
		detail += ": the call is over"
	default:
		detail += ": no answer in time"
	}
	_ = s.write(v, audit.Failed, call.Organisation, call.ID, detail) // it was logged
}

// maxUser is the longest name of a user, in bytes.
const maxUser = 64
