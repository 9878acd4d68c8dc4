package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"tapedeck/console"
	"tapedeck/store"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

// liveCalls switches live calls for the console: those of this instance here, those
// of another by asking it over Redis.
type liveCalls struct {
	desk interface {
		Switch(ctx context.Context, id, user, account string, ask toggle.Press) (toggle.Status, error)
	}
	store *store.Store
}

// wish is what one instance asks of another.
type wish struct {
	Call    string         `json:"call"`
	User    string         `json:"user,omitempty"`
	Account string         `json:"account,omitempty"`
	Action  console.Action `json:"action"`
}

// switched is the answer.
type switched struct {
	State   toggle.Status `json:"state,omitempty"`
	Refused string        `json:"refused,omitempty"`
	NoCall  bool          `json:"no_call,omitempty"`
	Failed  string        `json:"failed,omitempty"`
}

var presses = map[console.Action]toggle.Press{
	console.Start: toggle.TurnOn, console.Resume: toggle.TurnOn, console.Pause: toggle.TurnOff, console.Toggle: toggle.Turn,
}

// Switch is console.Calls'.
func (l *liveCalls) Switch(ctx context.Context, id, user, account string, action console.Action) (calls.State, error) {
	w := wish{Call: id, User: user, Account: account, Action: action}
	o := l.obey(ctx, w)
	if o.NoCall && !l.store.Alone() {
		var err error
		if o, err = l.pass(ctx, w); err != nil {
			return calls.Off, err
		}
	}
	state := calls.State(cmp.Or(o.State, toggle.Off))
	switch {
	case o.NoCall:
		return calls.Off, toggle.ErrNoCall
	case o.Refused != "":
		return state, toggle.Refusal(o.Refused)
	case o.Failed != "":
		return state, fmt.Errorf("%w: %s", toggle.ErrBusy, o.Failed)
	}
	return state, nil
}

// obey carries a wish out here.
func (l *liveCalls) obey(ctx context.Context, w wish) switched {
	press, known := presses[w.Action]
	if !known {
		return switched{Failed: fmt.Sprintf("action %.20q is not known", w.Action)}
	}
	told, err := l.desk.Switch(ctx, w.Call, w.User, w.Account, press)
	o := switched{State: told}
	switch refused, is := errors.AsType[toggle.Refusal](err); {
	case is:
		o.Refused = string(refused)
	case errors.Is(err, toggle.ErrNoCall):
		o.NoCall = true
	case err != nil:
		o.Failed = err.Error()
	}
	return o
}

// pass asks the instance that follows the call.
func (l *liveCalls) pass(ctx context.Context, w wish) (switched, error) {
	calls, err := l.store.Calls(ctx)
	if err != nil {
		return switched{}, fmt.Errorf("%w: %w", toggle.ErrBusy, err)
	}
	for _, c := range calls {
		if c.ID != w.Call || c.Owner == l.store.Instance() {
			continue
		}
		request, err := json.Marshal(w)
		if err != nil {
			return switched{}, err
		}
		reply, err := l.store.Ask(ctx, c.Owner, request)
		var o switched
		if err == nil {
			err = json.Unmarshal(reply, &o)
		}
		if err != nil {
			return switched{}, fmt.Errorf("%w: %w", toggle.ErrBusy, err)
		}
		return o, nil
	}
	return switched{NoCall: true}, nil
}

// answer is store.Config's OnAsk: another instance asks.
func (l *liveCalls) answer(ctx context.Context, request []byte) []byte {
	var w wish
	o := switched{Failed: "the request is not understood"}
	if json.Unmarshal(request, &w) == nil {
		o = l.obey(ctx, w)
	}
	reply, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("daemon: %v", err)) // plain data
	}
	return reply
}
