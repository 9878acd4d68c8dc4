package api

import (
	"net/http"

	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/console/query"
	"tapedeck/console/respond"
	"tapedeck/recording"
)

// getRecordings lists recordings, with the address of the next page also as a
// Link (RFC 8288).
func (a *API) getRecordings(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	values, q, err := query.List(r, a.Policy(), "limit", "cursor")
	if err != nil {
		return err
	}
	page, next, err := a.Operations.Recordings.List(r.Context(), v.Visitor, q)
	if err != nil {
		return err
	}
	answer := struct {
		Recordings []ops.RecordingView `json:"recordings"`
		Next       string              `json:"next"` // the cursor of the next page; empty: there is none
	}{[]ops.RecordingView{}, query.CursorText(next)}
	for _, entry := range page {
		answer.Recordings = append(answer.Recordings, ops.ViewOf(entry))
	}
	if answer.Next != "" {
		values.Set("cursor", answer.Next)
		w.Header().Set("Link", "<"+r.URL.Path+"?"+values.Encode()+`>; rel="next"`)
	}
	return sendJSON(w, answer)
}

func (a *API) getRecording(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	entry, side, err := a.Operations.Recordings.Show(r.Context(), v.Visitor, r.PathValue("id"))
	if err != nil {
		return err
	}
	return sendJSON(w, struct {
		Recording ops.RecordingView `json:"recording"`
		Sidecar   recording.Sidecar `json:"sidecar"`
	}{ops.ViewOf(entry), side})
}

// deleteRecording deletes for good. The reason is in the body or in the address:
// there are clients, and proxies, that send no body with DELETE.
func (a *API) deleteRecording(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	reason, err := readReason(w, r)
	if err == nil {
		err = a.Operations.Recordings.Delete(r.Context(), v.Visitor, r.PathValue("id"), reason)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readReason reads the reason of a change.
func readReason(w http.ResponseWriter, r *http.Request) (string, error) {
	f := query.Form{Values: r.URL.Query()}
	reason := r.URL.Query().Get("reason")
	if f.Known("reason"); f.Err != nil {
		return "", f.Err
	}
	var inBody string
	if err := readBody(w, r, map[string]any{"reason": &inBody}); err != nil {
		return "", err
	}
	if inBody != "" && reason != "" && inBody != reason {
		return "", ops.BadRequest("reason: the body says another one than the address")
	}
	if inBody != "" {
		reason = inBody
	}
	return reason, nil
}

func (a *API) putHold(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	reason, err := readReason(w, r)
	if err != nil {
		return err
	}
	side, err := a.Operations.Recordings.Hold(r.Context(), v.Visitor, r.PathValue("id"), reason)
	if err != nil {
		return err
	}
	return sendJSON(w, struct {
		Hold *recording.Hold `json:"hold"`
	}{side.Hold})
}

func (a *API) deleteHold(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	if err := readBody(w, r, nil); err != nil {
		return err
	}
	if _, err := a.Operations.Recordings.Release(r.Context(), v.Visitor, r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) postVerify(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	if err := readBody(w, r, nil); err != nil {
		return err
	}
	found, err := a.Operations.Recordings.Verify(r.Context(), v.Visitor, r.PathValue("id"))
	if err != nil {
		return err
	}
	return sendJSON(w, found)
}

// getCSV exports a list.
func (a *API) getCSV(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	return respond.CSV(w, r, a.Log, a.Operations.Recordings, v.Visitor, a.Policy())
}

// postZIP sends a selection of recordings.
func (a *API) postZIP(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	var ids []string
	if err := readBody(w, r, map[string]any{"ids": &ids}); err != nil {
		return err
	}
	return respond.ZIP(w, r, a.Log, a.Operations.Recordings, v.Visitor, ids)
}
