package console

import (
	"net/http"
)

func (s *Server) getCalls(w http.ResponseWriter, r *http.Request, v *visit) error {
	calls, err := s.liveCalls(r.Context(), v)
	if err != nil {
		return err
	}
	return sendJSON(w, callsView{calls})
}

// callsView is all the live calls that a visitor may see.
type callsView struct {
	Calls []liveView `json:"calls"`
}

// postSwitch switches the recording of a live call; the answer is the call as it
// stands then.
func (s *Server) postSwitch(w http.ResponseWriter, r *http.Request, v *visit) error {
	var action, user string
	if err := readBody(w, r, map[string]any{"action": &action, "user": &user}); err != nil {
		return err
	}
	call, err := s.switchCall(r.Context(), v, r.PathValue("id"), user, Action(action))
	if err != nil {
		return err
	}
	return sendJSON(w, call)
}
