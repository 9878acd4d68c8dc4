package ops

import (
	"context"
	"errors"
	"slices"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording/audit"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

// Action is what somebody wants of a live call's recording.
type Action string

// The actions. Start and Resume are the same wish: that it is recorded.
const (
	Start  Action = "start"
	Pause  Action = "pause"
	Resume Action = "resume"
	Toggle Action = "toggle"
)

// Press presses on a live call in the name of a user of its organisation; user "" is
// the visitor's own, or else the one who talks on the call. It returns the call as it
// stands then.
func (c *Calls) Press(ctx context.Context, v Visitor, id, user string, action Action) (CallView, error) {
	call, err := c.find(ctx, v, id)
	if err != nil {
		return CallView{}, err
	}
	if len(user) > maxUser {
		return CallView{}, BadRequest("user: it has %d bytes: use at most %d", len(user), maxUser)
	}
	if !slices.Contains([]Action{Start, Pause, Resume, Toggle}, action) {
		return CallView{}, BadRequest("action: use start, pause, resume or toggle")
	}
	if v.Account.Role == access.User {
		if user != "" && user != v.Account.User {
			return CallView{}, ErrNotAllowed
		}
		user = v.Account.User
	}
	if !v.Account.May(access.Control) {
		c.audit.refused(v, call.Organisation, call.ID, access.Control)
		return CallView{}, ErrNotAllowed
	}
	if action != Pause {
		if err := c.auditPress(v, &call, user, action); err != nil {
			return CallView{}, err
		}
	}
	state, err := c.presser.Press(ctx, id, user, v.Account.Name, action)
	if action == Pause { // a pause waits for no disk, and is made even if its line cannot be written
		_ = c.auditPress(v, &call, user, action) // write logs it
	}
	if err != nil {
		c.auditFailed(v, &call, action, err)
		return CallView{}, err
	}
	if call.State != state {
		call.State, call.Since = state, utc(time.Now())
		call.Why = calls.Cause{Toggle: "api", User: user, By: v.Account.Name}
	}
	call, _ = call.as(v, c.policy())
	return call, nil
}

// auditPress writes that a press was asked for: before it is done, except for a pause.
func (c *Calls) auditPress(v Visitor, call *CallView, user string, action Action) error {
	detail := string(action)
	if user != "" {
		detail += " for " + user
	}
	return c.audit.write(v, audit.Toggle, call.Organisation, call.ID, detail)
}

// auditFailed writes that the press of the line before was not obeyed.
func (c *Calls) auditFailed(v Visitor, call *CallView, action Action, cause error) {
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
	_ = c.audit.write(v, audit.Failed, call.Organisation, call.ID, detail) // write logs it
}

// maxUser is the longest name of a user, in bytes.
const maxUser = 64
