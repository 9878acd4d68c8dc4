package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"tapedeck/console/ops"
	"tapedeck/store/ask"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

// liveCalls lets the console press on live calls: on those of this instance here, on
// those of another by asking it through Redis.
type liveCalls struct {
	here interface {
		Toggle(ctx context.Context, id, user, account string, ask toggle.Ask) (toggle.Status, error)
	}
	calls *calls.Store // of all instances
	peers *ask.Peers
}

// request is what one instance asks of another. Its JSON is read by other versions.
type request struct {
	Call    string     `json:"call"`
	User    string     `json:"user,omitempty"`
	Account string     `json:"account,omitempty"`
	Action  ops.Action `json:"action"`
}

// reply is the answer to a request. At most one of Refused, NoCall and Failed is set.
type reply struct {
	State   toggle.Status `json:"state,omitempty"`
	Refused string        `json:"refused,omitempty"` // a toggle.Refusal
	NoCall  bool          `json:"no_call,omitempty"`
	Failed  string        `json:"failed,omitempty"`
}

var askOf = map[ops.Action]toggle.Ask{
	ops.Start: toggle.TurnOn, ops.Resume: toggle.TurnOn, ops.Pause: toggle.TurnOff, ops.Toggle: toggle.Turn,
}

// Press is ops.Presser's.
func (l *liveCalls) Press(ctx context.Context, id, user, account string, action ops.Action) (calls.State, error) {
	asked := request{Call: id, User: user, Account: account, Action: action}
	got := l.pressHere(ctx, asked)
	if got.NoCall && !l.calls.Alone() {
		var err error
		if got, err = l.askOwner(ctx, asked); err != nil {
			return calls.Off, err
		}
	}
	state := calls.State(cmp.Or(got.State, toggle.Off))
	switch {
	case got.NoCall:
		return calls.Off, toggle.ErrNoCall
	case got.Refused != "":
		return state, toggle.Refusal(got.Refused)
	case got.Failed != "":
		return state, fmt.Errorf("%w: %s", toggle.ErrBusy, got.Failed)
	}
	return state, nil
}

// pressHere presses on a call of this instance.
func (l *liveCalls) pressHere(ctx context.Context, r request) reply {
	ask, known := askOf[r.Action]
	if !known {
		return reply{Failed: fmt.Sprintf("action %.20q is not known", r.Action)}
	}
	status, err := l.here.Toggle(ctx, r.Call, r.User, r.Account, ask)
	got := reply{State: status}
	switch refused, is := errors.AsType[toggle.Refusal](err); {
	case is:
		got.Refused = string(refused)
	case errors.Is(err, toggle.ErrNoCall):
		got.NoCall = true
	case err != nil:
		got.Failed = err.Error()
	}
	return got
}

// askOwner asks the instance that owns the call.
func (l *liveCalls) askOwner(ctx context.Context, r request) (reply, error) {
	all, err := l.calls.List(ctx)
	if err != nil {
		return reply{}, fmt.Errorf("%w: %w", toggle.ErrBusy, err)
	}
	for _, c := range all {
		if c.ID != r.Call || c.Owner == l.calls.Instance() {
			continue
		}
		text, err := json.Marshal(r)
		if err != nil {
			return reply{}, err
		}
		answer, err := l.peers.Ask(ctx, c.Owner, text)
		var got reply
		if err == nil {
			err = json.Unmarshal(answer, &got)
		}
		if err != nil {
			return reply{}, fmt.Errorf("%w: %w", toggle.ErrBusy, err)
		}
		return got, nil
	}
	return reply{NoCall: true}, nil
}

// answer answers what another instance asks; it is an ask.Handler.
func (l *liveCalls) answer(ctx context.Context, text []byte) []byte {
	var asked request
	got := reply{Failed: "the request is not understood"}
	if json.Unmarshal(text, &asked) == nil {
		got = l.pressHere(ctx, asked)
	}
	answer, err := json.Marshal(got)
	if err != nil {
		panic(fmt.Sprintf("daemon: %v", err)) // plain data
	}
	return answer
}
