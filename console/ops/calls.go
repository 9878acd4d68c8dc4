package ops

import (
	"context"
	"slices"
	"time"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/store/calls"
)

// Calls is what can be done with live calls.
type Calls struct {
	live    LiveCalls
	presser Presser
	policy  func() *flow.Policy
	audit   *auditWriter
	hub     *hub
}

// CallView is a live call as one visitor sees it.
type CallView struct {
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
	Locked       bool           `json:"locked"` // by the policy: only a user who may override it can press
	Started      time.Time      `json:"started"`
	Answered     *time.Time     `json:"answered"` // nil: not yet
	May          []Action       `json:"may"`      // what this visitor may do that would change something; empty: nothing
}

// callViewOf is a live call without what depends on who looks.
func callViewOf(c *calls.Call) CallView {
	view := CallView{
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

// as returns the view of a call for one visitor; not ok if he may not see it.
func (l CallView) as(v Visitor, p *flow.Policy) (CallView, bool) {
	if !v.sees(p, l.Organisation, l.Users, l.Groups) {
		return CallView{}, false
	}
	l.May = []Action{}
	if v.mayPress(p.Organisations[l.Organisation], &l) {
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

// mayPress reports whether a press by the visitor would be obeyed, as far as that
// can be told from the policy (docs/design.md, section 2, rules 5 and 7).
func (v Visitor) mayPress(org *flow.Organisation, l *CallView) bool {
	if !v.Account.May(access.Control) || org == nil || !org.Recording || !org.OnDemand.API {
		return false
	}
	return slices.ContainsFunc(l.Users, func(id string) bool {
		if v.Account.Role == access.User && id != v.Account.User {
			return false
		}
		u := org.Users[id]
		return u != nil && u.OnDemand != flow.Disable && (!l.Locked || u.OnDemand == flow.Override)
	})
}

// List returns the live calls that a visitor may see, the oldest first.
func (c *Calls) List(ctx context.Context, v Visitor) ([]CallView, error) {
	calls, err := c.live.List(ctx)
	if err != nil {
		return nil, err
	}
	p := c.policy()
	views := []CallView{}
	for i := range calls {
		if view, ok := callViewOf(&calls[i]).as(v, p); ok {
			views = append(views, view)
		}
	}
	return views, nil
}

// find returns one of them.
func (c *Calls) find(ctx context.Context, v Visitor, id string) (CallView, error) {
	calls, err := c.List(ctx, v)
	if err != nil {
		return CallView{}, err
	}
	i := slices.IndexFunc(calls, func(l CallView) bool { return l.ID == id })
	if i < 0 {
		return CallView{}, ErrNotFound
	}
	return calls[i], nil
}
