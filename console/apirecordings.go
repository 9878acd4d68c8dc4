package console

import (
	"net/http"
	"net/url"
	"time"

	"tapedeck/recording"
	"tapedeck/store/index"
)

// recordingView is what the API says of a recording in a list.
type recordingView struct {
	ID           string     `json:"id"`
	Organisation string     `json:"organisation"`
	Call         string     `json:"call"`
	Part         int        `json:"part"` // from 1
	Direction    string     `json:"direction"`
	External     string     `json:"external"`
	Number       string     `json:"number"`
	Users        []string   `json:"users"`
	Groups       []string   `json:"groups"`
	Trigger      string     `json:"trigger"`
	RequestedBy  string     `json:"requested_by"`
	Started      time.Time  `json:"started"`
	Ended        *time.Time `json:"ended"` // nil: not known
	DurationMS   int64      `json:"duration_ms"`
	PausedMS     int64      `json:"paused_ms"`
	Bytes        int64      `json:"bytes"`
	SHA256       string     `json:"sha256"`
	Complete     bool       `json:"complete"`
	Problems     []string   `json:"problems"`
	Held         bool       `json:"held"`
}

func recordingViewOf(r index.Recording) recordingView {
	view := recordingView{
		ID: r.ID, Organisation: r.Organisation, Call: r.Call, Part: max(1, r.Part), Direction: r.Direction,
		External: r.External, Number: r.Number, Users: append([]string{}, r.Users...), Groups: append([]string{}, r.Groups...),
		Trigger: r.Trigger, RequestedBy: r.RequestedBy, Started: utc(r.Started), DurationMS: r.DurationMS, PausedMS: r.PausedMS,
		Bytes: r.Bytes, SHA256: r.SHA256, Complete: r.Complete, Problems: append([]string{}, r.Problems...), Held: r.Held,
	}
	if !r.Ended.IsZero() {
		ended := utc(r.Ended)
		view.Ended = &ended
	}
	return view
}

// readList reads the query of a list, and refuses what is not known.
func (s *Server) readList(r *http.Request, others ...string) (url.Values, index.Query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, index.Query{}, badRequest("the address cannot be read: %v", err)
	}
	f := form{values: values}
	f.known(append(others, filterNames...)...)
	if f.err != nil {
		return nil, index.Query{}, f.err
	}
	q, err := readQuery(values, s.cfg.Policy(), time.UTC)
	return values, q, err
}

// getRecordings lists recordings, with the address of the next page also as a
// Link (RFC 8288).
func (s *Server) getRecordings(w http.ResponseWriter, r *http.Request, v *visit) error {
	values, q, err := s.readList(r, "limit", "cursor")
	if err != nil {
		return err
	}
	page, next, err := s.list(r.Context(), v, q)
	if err != nil {
		return err
	}
	answer := struct {
		Recordings []recordingView `json:"recordings"`
		Next       string          `json:"next"` // the cursor of the next page; empty: there is none
	}{[]recordingView{}, cursorText(next)}
	for _, entry := range page {
		answer.Recordings = append(answer.Recordings, recordingViewOf(entry))
	}
	if answer.Next != "" {
		values.Set("cursor", answer.Next)
		w.Header().Set("Link", "<"+r.URL.Path+"?"+values.Encode()+`>; rel="next"`)
	}
	return sendJSON(w, answer)
}

func (s *Server) getRecording(w http.ResponseWriter, r *http.Request, v *visit) error {
	entry, err := s.find(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return err
	}
	side, err := s.sidecar(entry)
	if err != nil {
		return err
	}
	return sendJSON(w, struct {
		Recording recordingView     `json:"recording"`
		Sidecar   recording.Sidecar `json:"sidecar"`
	}{recordingViewOf(entry), side})
}

// deleteRecording deletes for good. The reason is in the body or in the address:
// there are clients, and proxies, that send no body with DELETE.
func (s *Server) deleteRecording(w http.ResponseWriter, r *http.Request, v *visit) error {
	reason, err := readReason(w, r)
	if err == nil {
		err = s.remove(r.Context(), v, r.PathValue("id"), reason)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readReason reads the reason of a change.
func readReason(w http.ResponseWriter, r *http.Request) (string, error) {
	f := form{values: r.URL.Query()}
	reason := r.URL.Query().Get("reason")
	if f.known("reason"); f.err != nil {
		return "", f.err
	}
	var inBody string
	if err := readBody(w, r, map[string]any{"reason": &inBody}); err != nil {
		return "", err
	}
	if inBody != "" && reason != "" && inBody != reason {
		return "", badRequest("reason: the body says another one than the address")
	}
	if inBody != "" {
		reason = inBody
	}
	return reason, nil
}

func (s *Server) putHold(w http.ResponseWriter, r *http.Request, v *visit) error {
	reason, err := readReason(w, r)
	if err != nil {
		return err
	}
	side, err := s.setHold(r.Context(), v, r.PathValue("id"), reason)
	if err != nil {
		return err
	}
	return sendJSON(w, struct {
		Hold *recording.Hold `json:"hold"`
	}{side.Hold})
}

func (s *Server) deleteHold(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := readBody(w, r, nil); err != nil {
		return err
	}
	if _, err := s.release(r.Context(), v, r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) postVerify(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := readBody(w, r, nil); err != nil {
		return err
	}
	found, err := s.verify(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return err
	}
	return sendJSON(w, found)
}
