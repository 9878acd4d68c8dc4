package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store/index"
)

func (s *Server) getRecordingPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	page, err := s.recordingPage(r, v)
	if err != nil {
		return err
	}
	return s.render(w, r, v, http.StatusOK, "recording", page)
}

// recordingPage finds a recording and all that its page shows.
func (s *Server) recordingPage(r *http.Request, v *visit) (recordingPage, error) {
	entry, err := s.find(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return recordingPage{}, err
	}
	side, err := s.sidecar(entry)
	if err != nil {
		return recordingPage{}, err
	}
	rd := readerOf(r, time.Now())
	page := recordingPageOf(rd, entry, side, s.precedenceOf(side.Organisation), v.account.May)
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

// history is what was done with a recording: the newest lines of the audit log, of
// which one reading may not find all.
func (s *Server) history(ctx context.Context, v *visit, rd reader, entry index.Recording, page *recordingPage) error {
	lines, next, err := s.auditLines(ctx, v, auditQuery{Recording: entry.ID, Organisation: entry.Organisation, Limit: historyRows})
	page.History = auditRowsOf(rd, lines)
	if err != nil || next == 0 {
		return err
	}
	page.Earlier = pageAddress("/audit", url.Values{"recording": {entry.ID}, "cursor": {strconv.FormatInt(next, 10)}})
	before, _, err := s.cfg.Audit.Read(ctx, audit.Query{Before: next, Limit: 1})
	if len(before) > 0 {
		page.LookedTo = rd.at(before[0].At, "minute")
	}
	return err
}

// heldWith says whether another part's hold keeps a recording.
func (s *Server) heldWith(ctx context.Context, v *visit, entry index.Recording, page *recordingPage) error {
	path, err := s.soundPath(entry)
	if err != nil {
		return err
	}
	by, err := recording.HeldBy(s.cfg.Dir, path)
	if err != nil || by == "" {
		return err
	}
	page.HeldWith = true
	if _, err := s.find(ctx, v, by); err == nil {
		page.HeldPart = recordingAddress(by)
	}
	return nil
}

// listBefore is the list that one came from, with its filters.
func listBefore(r *http.Request) string {
	_, rest, ok := strings.Cut(r.Referer(), "//"+r.Host+"/")
	if ok && strings.HasPrefix(rest, "?") {
		return "/" + rest
	}
	return "/"
}

// deletePage asks whether a recording is really to be deleted.
type deletePage struct {
	recordingPage
	Reason  string
	Problem string
}

func (s *Server) getDeletePage(w http.ResponseWriter, r *http.Request, v *visit) error {
	page, err := s.recordingPage(r, v)
	if err != nil {
		return err
	}
	if !v.account.May(access.Delete) {
		return errNotAllowed
	}
	if page.Hold != nil || page.HeldWith {
		return errHeld
	}
	return s.render(w, r, v, http.StatusOK, "delete", deletePage{recordingPage: page})
}

func (s *Server) postDelete(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := readForm(r); err != nil {
		return err
	}
	reason := r.PostForm.Get("reason")
	err := s.remove(r.Context(), v, r.PathValue("id"), reason)
	if err == nil {
		http.Redirect(w, r, "/?notice=deleted", http.StatusSeeOther)
		return nil
	}
	if status := statusOf(err); status != http.StatusBadRequest && status != http.StatusConflict {
		return err
	}
	page, failed := s.recordingPage(r, v)
	if failed != nil {
		return err
	}
	f := s.headFault(w, r, err)
	return s.render(w, r, v, f.status, "delete", deletePage{page, reason, sentence(f.detail)})
}

func (s *Server) postHold(w http.ResponseWriter, r *http.Request, v *visit) error {
	err := readForm(r)
	if err == nil {
		_, err = s.setHold(r.Context(), v, r.PathValue("id"), r.PostForm.Get("reason"))
	}
	return backTo(w, r, err)
}

func (s *Server) postRelease(w http.ResponseWriter, r *http.Request, v *visit) error {
	_, err := s.release(r.Context(), v, r.PathValue("id"))
	return backTo(w, r, err)
}

// backTo shows a recording again after something was done with it.
func backTo(w http.ResponseWriter, r *http.Request, err error) error {
	if err == nil {
		http.Redirect(w, r, recordingAddress(r.PathValue("id")), http.StatusSeeOther)
	}
	return err
}

// postSelection sends the recordings that were chosen in the list.
func (s *Server) postSelection(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := readForm(r); err != nil {
		return err
	}
	ids := r.PostForm["id"]
	if len(ids) == 0 {
		return badRequest("choose at least one recording in the list")
	}
	return s.sendZIP(w, r, v, ids)
}

// postVerifyPage checks the file and shows the recording with what was found.
func (s *Server) postVerifyPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	found, err := s.verify(r.Context(), v, r.PathValue("id"))
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

// findingWords say what a check can find.
var findingWords = map[string]string{
	recording.Changed:     "The checksum is another one than when it was recorded.",
	recording.Truncated:   "The file is shorter than it was.",
	recording.Swapped:     "What is written beside the file is another recording's.",
	recording.NoSound:     "The file is not there.",
	recording.NoSidecar:   "Nothing is written beside the file.",
	recording.BadSidecar:  "What is written beside the file cannot be read.",
	recording.BadSound:    "The file cannot be read.",
	recording.BadSpans:    "The pauses in the file are not where they were written down.",
	recording.BadDuration: "The file's length is not the one that was written down.",
}

func checkViewOf(found verdict) *checkView {
	view := &checkView{Sound: found.OK, Live: found.Live}
	for _, f := range found.Findings {
		words, ok := findingWords[f.What]
		if !ok {
			words = sentence(f.What)
		}
		if f.Detail != "" {
			words += " (" + f.Detail + ")"
		}
		view.Findings = append(view.Findings, words)
	}
	return view
}
