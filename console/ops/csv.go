package ops

import (
	"context"
	"encoding/csv"
	"io"
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

// Export is a list of recordings to be written as CSV: every recording that a
// query finds, however many. It is read and written in pages.
type Export struct {
	recordings *Recordings
	visitor    Visitor
	query      index.Query
	first      []index.Recording // the first page
	next       index.Cursor
}

// Export begins an export, and writes its audit line if the list is going to be
// sent. filters are the query's, as the audit line shows them.
func (r *Recordings) Export(ctx context.Context, v Visitor, q index.Query, filters url.Values, sent bool) (*Export, error) {
	q.Limit, q.Before = csvPage, index.Cursor{}
	page, next, err := r.List(ctx, v, q)
	if err == nil && sent {
		err = r.auditExport(v, q, filters)
	}
	return &Export{recordings: r, visitor: v, query: q, first: page, next: next}, err
}

// auditExport writes an export into the audit log of every organisation that the
// list was narrowed to, by the filters or by what the visitor may see.
func (r *Recordings) auditExport(v Visitor, q index.Query, filters url.Values) error {
	if !v.narrow(r.policy(), &q) { // he may see nothing there: the list is empty
		return r.audit.write(v, audit.Export, v.Account.Organisation, "", "csv "+filters.Encode())
	}
	if len(q.Organisations) == 0 { // the list is of all organisations
		return r.audit.write(v, audit.Export, "", "", "csv "+filters.Encode())
	}
	filters.Del("organisation") // one organisation is not told of another
	for _, organisation := range q.Organisations {
		if err := r.audit.write(v, audit.Export, organisation, "", "csv "+filters.Encode()); err != nil {
			return err
		}
	}
	return nil
}

// WriteCSV writes the list, or its first page alone. It returns an error if the
// list could not be read whole, and none if out does not take it.
func (e *Export) WriteCSV(ctx context.Context, out io.Writer, firstPage bool) (err error) {
	w := csv.NewWriter(out)
	w.UseCRLF = true
	_ = w.Write(csvHead) // an error stays until Flush
	page, next := e.first, e.next
	for {
		for _, entry := range page {
			_ = w.Write(csvLine(entry))
		}
		if w.Flush(); w.Error() != nil || next == (index.Cursor{}) || firstPage {
			return nil
		}
		e.query.Before = next
		if page, next, err = e.recordings.List(ctx, e.visitor, e.query); err != nil {
			return err
		}
	}
}

func csvLine(r index.Recording) []string {
	view := ViewOf(r)
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

// plainCell returns a cell that no spreadsheet takes for a formula: a text that
// could be one gets an apostrophe before it. A plus followed by digits alone is a
// telephone number, and a spreadsheet takes it at worst for a number.
func plainCell(text string) string {
	if digits, isNumber := strings.CutPrefix(text, "+"); isNumber && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return text
	}
	// The full-width forms of the signs count too, and blanks before a sign do not.
	if strings.IndexAny(strings.TrimLeft(text, " \u00a0\u3000"), "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20|%") == 0 {
		return "'" + text
	}
	return text
}
