package call

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tapedeck/call/survey"
	"tapedeck/toggle"
)

// Toggle takes a press by the API for a live call, in the name of a user on it ("":
// the user who talks now). account is the account that asks. Rights and results are
// the same as on a phone. It returns the status that FreeSWITCH has confirmed. Its
// errors wrap a toggle.Refusal, toggle.ErrNoCall or toggle.ErrBusy, or say that
// FreeSWITCH did not carry the press out.
func (ctl *Controller) Toggle(ctx context.Context, id, user, account string, ask toggle.Ask) (toggle.Status, error) {
	type result struct {
		status toggle.Status
		err    error
	}
	answer := make(chan result, 1)
	work := func(now time.Time) {
		c := ctl.calls[id]
		if c == nil {
			answer <- result{toggle.Off, toggle.ErrNoCall}
			return
		}
		p := press{method: toggle.API, user: c.route.named(user), account: account, ask: ask,
			answer: func(s toggle.Status, err error) { answer <- result{s, err} }}
		rooms{ctl}.press(c, p, now)
	}
	if !ctl.post(work) {
		return toggle.Off, fmt.Errorf("call: press: %w", toggle.ErrBusy)
	}
	select {
	case r := <-answer:
		if r.err != nil {
			return r.status, fmt.Errorf("call: press: %w", r.err)
		}
		return r.status, nil
	case <-ctx.Done():
	case <-ctl.done:
	}
	return toggle.Off, fmt.Errorf("call: press: %w", toggle.ErrBusy)
}

// named is the user on the call that an account names by id or extension; for "" the
// user who talks now. It is "" if that user is not on the call: a user's rights
// count only on the user's own calls.
func (r *route) named(user string) string {
	if user == "" {
		return r.userOn(r.userPhone())
	}
	if id, _, _ := r.org.FindUser(user); slices.Contains(r.users(), id) {
		return id
	}
	return ""
}

// Live reports which of these calls are live on any switch, whoever follows them.
// After an error nothing is known.
func (ctl *Controller) Live(ctx context.Context, calls []string) (map[string]bool, error) {
	live := map[string]bool{}
	if len(ctl.cfg.Switches) == 0 {
		return nil, errors.New("call: ask for calls: there is no switch to ask")
	}
	asked := slices.DeleteFunc(slices.Clone(calls), func(id string) bool { return !survey.IsUUID(id) })
	for name, link := range ctl.cfg.Switches {
		now, err := survey.All(ctx, link, asked)
		if err != nil {
			return nil, fmt.Errorf("call: ask switch %s for calls: %w", name, err)
		}
		for uuid := range maps.Keys(now.Data) {
			live[uuid], live[now.Variable(uuid, "tapedeck_call")] = true, true
		}
	}
	return live, nil
}
