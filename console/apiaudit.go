package console

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"tapedeck/recording/audit"
)

// auditView is a page of the audit log.
type auditView struct {
	Lines []audit.Line `json:"lines"`
	Next  string       `json:"next"` // the cursor of the next page; empty: there is none
}

// readAudit reads a query of the audit log from an address.
func readAudit(values url.Values, zone *time.Location) (auditQuery, error) {
	f := form{values: values}
	q := auditQuery{
		Who: f.text("who"), What: f.text("what"), Recording: f.text("recording"), Organisation: f.text("organisation"),
		From: f.time("from", zone, 0), To: f.time("to", zone, 1),
		Before: f.number("cursor", 1, math.MaxInt64), Limit: int(f.number("limit", 1, maxLimit)),
	}
	return q, f.err
}

// auditNames are what a query of the audit log may have.
var auditNames = []string{"who", "what", "recording", "organisation", "from", "to", "cursor", "limit"}

func (s *Server) getAudit(w http.ResponseWriter, r *http.Request, v *visit) error {
	f := form{values: r.URL.Query()}
	if f.known(auditNames...); f.err != nil {
		return f.err
	}
	q, err := readAudit(f.values, time.UTC)
	if err != nil {
		return err
	}
	return s.sendAudit(w, r, v, q)
}

// getRecordingAudit is who did what with one recording.
func (s *Server) getRecordingAudit(w http.ResponseWriter, r *http.Request, v *visit) error {
	entry, err := s.find(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return err
	}
	f := form{values: r.URL.Query()}
	if f.known("cursor", "limit"); f.err != nil {
		return f.err
	}
	q, err := readAudit(f.values, time.UTC)
	if err != nil {
		return err
	}
	q.Recording, q.Organisation = entry.ID, entry.Organisation
	return s.sendAudit(w, r, v, q)
}

func (s *Server) sendAudit(w http.ResponseWriter, r *http.Request, v *visit, q auditQuery) error {
	lines, next, err := s.auditLines(r.Context(), v, q)
	if err != nil {
		return err
	}
	view := auditView{Lines: append([]audit.Line{}, lines...)}
	if next > 0 {
		view.Next = strconv.FormatInt(next, 10)
	}
	return sendJSON(w, view)
}
