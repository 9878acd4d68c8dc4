package api

import (
	"net/http"
	"strconv"
	"time"

	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/console/query"
	"tapedeck/recording/audit"
)

// auditView is a page of the audit log.
type auditView struct {
	Lines []audit.Line `json:"lines"`
	Next  string       `json:"next"` // the cursor of the next page; empty: there is none
}

func (a *API) getAudit(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	f := query.Form{Values: r.URL.Query()}
	if f.Known(query.AuditFilters...); f.Err != nil {
		return f.Err
	}
	q, err := query.Audit(f.Values, time.UTC)
	if err != nil {
		return err
	}
	return a.sendAudit(w, r, v, q)
}

// getRecordingAudit is who did what with one recording.
func (a *API) getRecordingAudit(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	entry, err := a.Operations.Recordings.Find(r.Context(), v.Visitor, r.PathValue("id"))
	if err != nil {
		return err
	}
	f := query.Form{Values: r.URL.Query()}
	if f.Known("cursor", "limit"); f.Err != nil {
		return f.Err
	}
	q, err := query.Audit(f.Values, time.UTC)
	if err != nil {
		return err
	}
	q.Recording, q.Organisation = entry.ID, entry.Organisation
	return a.sendAudit(w, r, v, q)
}

func (a *API) sendAudit(w http.ResponseWriter, r *http.Request, v *identity.Visit, q ops.AuditQuery) error {
	lines, next, err := a.Operations.Audit.Lines(r.Context(), v.Visitor, q)
	if err != nil {
		return err
	}
	view := auditView{Lines: append([]audit.Line{}, lines...)}
	if next > 0 {
		view.Next = strconv.FormatInt(next, 10)
	}
	return sendJSON(w, view)
}
