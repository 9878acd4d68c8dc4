package console

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tapedeck/recording/audit"
	"tapedeck/store/index"
)

// csvPage is how many recordings an export reads at once.
const csvPage = 500

var csvHead = []string{"id", "organisation", "call", "part", "direction", "external", "number", "users", "groups", "trigger",
	"requested_by", "started", "ended", "duration_ms", "paused_ms", "bytes", "sha256", "complete", "problems", "held"}

// getCSV exports a list: every recording that the filters find, however many. It
// is read and sent in pages.
func (s *Server) getCSV(w http.ResponseWriter, r *http.Request, v *visit) error {
	values, q, err := s.readList(r)
	if err != nil {
		return err
	}
	return s.sendCSV(w, r, v, q, onlyFilters(values))
}

// sendCSV sends a list. What goes wrong after its beginning cuts the connection:
// a list that is not whole must not look it.
func (s *Server) sendCSV(w http.ResponseWriter, r *http.Request, v *visit, q index.Query, filters url.Values) error {
	q.Limit, q.Before = csvPage, index.Cursor{}
	page, next, err := s.list(r.Context(), v, q)
	if err != nil {
		return err
	}
	if r.Method != http.MethodHead {
		if err := s.writeExport(v, q, filters); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="recordings_`+time.Now().UTC().Format("2006-01-02_150405")+`.csv"`)
	out := csv.NewWriter(w)
	out.UseCRLF = true
	_ = out.Write(csvHead) // an error stays until Flush
	for {
		for _, entry := range page {
			_ = out.Write(csvLine(entry))
		}
		if out.Flush(); out.Error() != nil || next == (index.Cursor{}) || r.Method == http.MethodHead {
			return nil // whoever has gone needs no answer
		}
		q.Before = next
		if page, next, err = s.list(r.Context(), v, q); err != nil {
			s.abort(r, err)
		}
	}
}

// writeExport puts an export into the audit log of every organisation that the
// list was narrowed to, by the filters or by what the visitor may see.
func (s *Server) writeExport(v *visit, q index.Query, filters url.Values) error {
	if !v.scope(s.cfg.Policy(), &q) { // he may look nowhere there: the list is empty
		return s.write(v, audit.Export, v.account.Organisation, "", "csv "+filters.Encode())
	}
	if len(q.Organisations) == 0 { // it is of all
		return s.write(v, audit.Export, "", "", "csv "+filters.Encode())
	}
	filters.Del("organisation") // one organisation is not told of another
	for _, organisation := range q.Organisations {
		if err := s.write(v, audit.Export, organisation, "", "csv "+filters.Encode()); err != nil {
			return err
		}
	}
	return nil
}

// abort cuts the connection of an answer that was begun and cannot be finished.
func (s *Server) abort(r *http.Request, err error) {
	if r.Context().Err() == nil {
		s.cfg.Log.Error("answer cut off", "route", r.Pattern, "error", err)
	}
	panic(http.ErrAbortHandler)
}

func csvLine(r index.Recording) []string {
	view := recordingViewOf(r)
	ended := ""
	if view.Ended != nil {
		ended = stamp(*view.Ended)
	}
	line := []string{view.ID, view.Organisation, view.Call, strconv.Itoa(view.Part), view.Direction, view.External, view.Number,
		strings.Join(view.Users, " "), strings.Join(view.Groups, " "), view.Trigger, view.RequestedBy, stamp(view.Started), ended,
		strconv.FormatInt(view.DurationMS, 10), strconv.FormatInt(view.PausedMS, 10), strconv.FormatInt(view.Bytes, 10),
		view.SHA256, strconv.FormatBool(view.Complete), strings.Join(view.Problems, "; "), strconv.FormatBool(view.Held)}
	for i := range line {
		line[i] = plainCell(line[i])
	}
	return line
}

func stamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") }

// plainCell is a cell that no spreadsheet takes for a formula: what could be one
// gets an apostrophe before it. A plus with nothing but digits after it is a
// telephone number, and at worst a number.
func plainCell(text string) string {
	if digits, isNumber := strings.CutPrefix(text, "+"); isNumber && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return text
	}
	// Also what is as wide as a Chinese character, and blanks before the sign.
	if strings.IndexAny(strings.TrimLeft(text, " \u00a0\u3000"), "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20|%") == 0 {
		return "'" + text
	}
	return text
}
