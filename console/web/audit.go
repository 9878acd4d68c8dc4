package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/console/query"
	"tapedeck/recording/audit"
)

// auditPage is what the audit log shows.
type auditPage struct {
	Form     auditForm
	Whats    []auditWord
	Rows     []auditRow
	Evidence *evidenceView // nil: it is not shown
	Problem  string        // what is wrong with the filters
	Filtered bool
	Newest   string
	Older    string
}

type auditForm struct{ Who, What, Recording, From, To string }

// auditRow is a line of the audit log.
type auditRow struct {
	At           *timeView
	Who, What    string
	Bad          bool // something was refused or failed
	Recording    string
	Href         string
	Organisation string
	From, Detail string
}

// auditWord is a word of the audit log, and how a page says it.
type auditWord struct {
	Key, Words string
	bad        bool
}

var auditWords = []auditWord{
	{audit.Listen, "listened", false},
	{audit.Download, "downloaded", false},
	{audit.Export, "exported", false},
	{audit.Delete, "deleted", false},
	{audit.Hold, "put on hold", false},
	{audit.Unhold, "ended the hold", false},
	{audit.Toggle, "asked to switch", false},
	{audit.SignIn, "signed in", false},
	{audit.SignInFailed, "sign-in failed", true},
	{audit.SignInFlood, "flood of sign-ins", true},
	{audit.SignOut, "signed out", false},
	{audit.Read, "read the audit log", false},
	{audit.Account, "changed an account", false},
	{audit.Token, "changed a token", false},
	{audit.Policy, "put a policy in force", false},
	{audit.WrongToken, "wrong token", true},
	{audit.Stranger, "stranger at the socket", true},
	{audit.Forged, "forged record", true},
	{audit.Refused, "refused", true},
	{audit.Failed, "failed", true},
}

func auditRowOf(rd reader, l audit.Line) auditRow {
	row := auditRow{At: rd.at(l.At, "second"), Who: l.Who, What: l.What, Recording: l.Recording, Organisation: l.Organisation, From: l.From, Detail: l.Detail}
	if l.Organisation == "" && l.Brand != "" {
		row.Organisation = "brand " + l.Brand
	}
	if i := slices.IndexFunc(auditWords, func(w auditWord) bool { return w.Key == l.What }); i >= 0 {
		row.What, row.Bad = auditWords[i].Words, auditWords[i].bad
	}
	if l.What == audit.Failed {
		row.Detail = failedWords(l.Detail)
	}
	if l.Recording != "" && l.What != audit.Delete {
		row.Href = recordingAddress(l.Recording)
	}
	return row
}

// failedWords says what failed, and why: "switch: pause: refused: …".
func failedWords(detail string) string {
	parts := strings.Split(detail, ": ")
	switch parts[0] {
	case audit.Toggle:
		parts[0] = "switch"
	case audit.Unhold:
		parts[0] = "end the hold"
	}
	last := len(parts) - 1
	parts[last] = refusalOf(parts[last])
	return strings.Join(parts, ": ")
}

func auditRowsOf(rd reader, lines []audit.Line) []auditRow {
	var rows []auditRow
	for _, l := range lines {
		rows = append(rows, auditRowOf(rd, l))
	}
	return rows
}

// auditRows is how many lines a page of the audit log shows, and
// historyRows how many the page of a recording.
const (
	auditRows   = 100
	historyRows = 50
)

func (s *Pages) getAuditPage(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	values := r.URL.Query()
	if clean, changed := withoutEmpty(values); changed {
		http.Redirect(w, r, pageAddress("/audit", clean), http.StatusSeeOther)
		return nil
	}
	text := func(name string) string { return strings.TrimSpace(values.Get(name)) }
	page := auditPage{Form: auditForm{text("who"), text("what"), text("recording"), text("from"), text("to")}, Whats: auditWords}
	page.Filtered = page.Form != auditForm{}
	rd := readerOf(r, time.Now())
	q, err := query.Audit(values, rd.zone)
	if err != nil {
		page.Problem = sentence(err.Error())
		return s.render(w, r, v, ops.StatusOf(err), "audit", page)
	}
	q.Limit = auditRows
	lines, next, err := s.Operations.Audit.Lines(r.Context(), v.Visitor, q)
	if err != nil {
		return err
	}
	page.Rows = auditRowsOf(rd, lines)
	if e, ok := s.Operations.Audit.Evidence(v.Visitor); ok {
		page.Evidence = evidenceViewOf(rd, e)
	}
	page.paging(values, next)
	return s.render(w, r, v, http.StatusOK, "audit", page)
}

// paging sets the addresses of the other pages.
func (p *auditPage) paging(values url.Values, next int64) {
	if values.Has("cursor") {
		values.Del("cursor")
		p.Newest = pageAddress("/audit", values)
	}
	if next > 0 {
		values.Set("cursor", strconv.FormatInt(next, 10))
		p.Older = pageAddress("/audit", values)
	}
}
