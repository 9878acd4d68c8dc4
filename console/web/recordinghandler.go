package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/console/respond"
	"tapedeck/flow"
	"tapedeck/store/index"
)

func (s *Pages) getRecordingPage(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	page, err := s.recordingPage(r, v)
	if err != nil {
		return err
	}
	return s.render(w, r, v, http.StatusOK, "recording", page)
}

// recordingPage finds a recording and all that its page shows.
func (s *Pages) recordingPage(r *http.Request, v *identity.Visit) (recordingPage, error) {
	entry, side, err := s.Operations.Recordings.Show(r.Context(), v.Visitor, r.PathValue("id"))
	if err != nil {
		return recordingPage{}, err
	}
	rd := readerOf(r, time.Now())
	page := recordingPageOf(rd, entry, side, s.precedenceOf(side.Organisation), v.Account.May)
	page.Back = listBefore(r)
	if page.Hold == nil {
		if err := s.heldWith(r.Context(), v, entry, &page); err != nil {
			return recordingPage{}, err
		}
	}
	if !page.MayAudit {
		return page, nil
	}
	err = s.history(r.Context(), v, rd, entry, &page)
	return page, err
}

// history adds to a page what was done with its recording: the newest lines of the
// audit log. If one reading does not find all, the page has a link to the others.
func (s *Pages) history(ctx context.Context, v *identity.Visit, rd reader, entry index.Recording, page *recordingPage) error {
	lines, next, err := s.Operations.Audit.Lines(ctx, v.Visitor, ops.AuditQuery{Recording: entry.ID, Organisation: entry.Organisation, Limit: historyRows, Beside: true})
	if err == ops.ErrNoAudit { // the page is shown without them
		page.MayAudit = false
		return nil
	}
	page.History = auditRowsOf(rd, lines)
	if err != nil || next == 0 {
		return err
	}
	page.Earlier = pageAddress("/audit", url.Values{"recording": {entry.ID}, "cursor": {strconv.FormatInt(next, 10)}})
	readTo, err := s.Operations.Audit.ReadTo(ctx, v.Visitor, next)
	page.LookedTo = rd.at(readTo, "minute")
	return err
}

// heldWith adds to a page whether the hold of another part keeps its recording.
func (s *Pages) heldWith(ctx context.Context, v *identity.Visit, entry index.Recording, page *recordingPage) error {
	part, held, err := s.Operations.Recordings.HeldBy(ctx, v.Visitor, entry)
	page.HeldWith = held
	if part != "" {
		page.HeldPart = recordingAddress(part)
	}
	return err
}

// listBefore returns the address of the list from which the visitor came, with its
// filters.
func listBefore(r *http.Request) string {
	_, rest, ok := strings.Cut(r.Referer(), "//"+r.Host+"/")
	if ok && strings.HasPrefix(rest, "?") {
		return "/" + rest
	}
	return "/"
}

// deletePage asks whether to delete a recording.
type deletePage struct {
	recordingPage
	Reason  string
	Problem string
}

func (s *Pages) getDeletePage(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	page, err := s.recordingPage(r, v)
	if err != nil {
		return err
	}
	if !v.Account.May(access.Delete) {
		return ops.ErrNotAllowed
	}
	if page.Hold != nil || page.HeldWith {
		return ops.ErrHeld
	}
	return s.render(w, r, v, http.StatusOK, "delete", deletePage{recordingPage: page})
}

func (s *Pages) postDelete(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	if err := identity.ParseForm(r); err != nil {
		return err
	}
	reason := r.PostForm.Get("reason")
	err := s.Operations.Recordings.Delete(r.Context(), v.Visitor, r.PathValue("id"), reason)
	if err == nil {
		http.Redirect(w, r, "/?notice=deleted", http.StatusSeeOther)
		return nil
	}
	if status := ops.StatusOf(err); status != http.StatusBadRequest && status != http.StatusConflict {
		return err
	}
	page, failed := s.recordingPage(r, v)
	if failed != nil {
		return err
	}
	f := respond.Fault(w, r, s.Log, err)
	return s.render(w, r, v, f.Status, "delete", deletePage{page, reason, sentence(f.Detail)})
}

func (s *Pages) postHold(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	err := identity.ParseForm(r)
	if err == nil {
		_, err = s.Operations.Recordings.Hold(r.Context(), v.Visitor, r.PathValue("id"), r.PostForm.Get("reason"))
	}
	return backTo(w, r, err)
}

func (s *Pages) postRelease(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	_, err := s.Operations.Recordings.Release(r.Context(), v.Visitor, r.PathValue("id"))
	return backTo(w, r, err)
}

// backTo shows the recording again after an operation.
func backTo(w http.ResponseWriter, r *http.Request, err error) error {
	if err == nil {
		http.Redirect(w, r, recordingAddress(r.PathValue("id")), http.StatusSeeOther)
	}
	return err
}

// postVerifyPage verifies a recording and shows its page with the findings.
func (s *Pages) postVerifyPage(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	found, err := s.Operations.Recordings.Verify(r.Context(), v.Visitor, r.PathValue("id"))
	if err != nil {
		return err
	}
	page, err := s.recordingPage(r, v)
	if err != nil {
		return err
	}
	page.Checked = checkViewOf(found)
	return s.render(w, r, v, http.StatusOK, "recording", page)
}

// precedenceOf returns the precedence of an organisation; the policy's default, if
// the organisation is not in it any more.
func (s *Pages) precedenceOf(organisation string) flow.Precedence {
	if org := s.Policy().Organisations[organisation]; org != nil {
		return org.Precedence
	}
	return s.Policy().Precedence
}
