package api

import (
	"net/http"

	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/console/respond"
)

// callsView is all the live calls that a visitor may see.
type callsView struct {
	Calls []ops.CallView `json:"calls"`
}

func (a *API) getCalls(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	calls, err := a.Operations.Calls.List(r.Context(), v.Visitor)
	if err != nil {
		return err
	}
	return sendJSON(w, callsView{calls})
}

// postPress presses on a live call; the answer is the call as it stands then.
func (a *API) postPress(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	var action, user string
	if err := readBody(w, r, map[string]any{"action": &action, "user": &user}); err != nil {
		return err
	}
	call, err := a.Operations.Calls.Press(r.Context(), v.Visitor, r.PathValue("id"), user, ops.Action(action))
	if err != nil {
		return err
	}
	return sendJSON(w, call)
}

// getEvents is the stream of the live calls.
func (a *API) getEvents(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	stream, err := a.Operations.Calls.Follow(v.Visitor, func(call ops.CallView) any { return call })
	if err != nil {
		return err
	}
	return respond.Events(w, r, stream, a.Beat, func() bool { return a.Checker.Still(r.Context(), v) != ops.ErrNotKnown })
}
