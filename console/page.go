package console

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/index"
)

// pageRoutes are the pages and the targets of their forms. As in the API, the
// right to do a thing is asked where it is known that the visitor may see it.
func (s *Server) pageRoutes() error {
	pages, err := newPages()
	if err != nil {
		return err
	}
	s.pages = pages
	s.mux.HandleFunc("GET /static/{name}", pages.assets.serve)
	s.page("GET /{$}", access.See, s.getListPage)
	s.page("GET /recordings.csv", access.See, s.getCSV)
	s.page("POST /recordings.zip", access.See, s.postSelection)
	s.page("GET /recordings/{id}", access.See, s.getRecordingPage)
	s.page("GET /recordings/{id}/delete", access.See, s.getDeletePage)
	s.page("POST /recordings/{id}/delete", access.See, s.postDelete)
	s.page("POST /recordings/{id}/hold", access.See, s.postHold)
	s.page("POST /recordings/{id}/release", access.See, s.postRelease)
	s.page("POST /recordings/{id}/verify", access.See, s.postVerifyPage)
	s.page("GET /live", access.See, s.getLivePage)
	s.page("GET /live/events", access.See, s.getLiveRows)
	s.page("POST /live/{id}", access.See, s.postLive)
	s.page("GET /audit", access.Audit, s.getAuditPage)
	s.page("/", access.See, func(http.ResponseWriter, *http.Request, *visit) error { return errNotFound })
	return nil
}

// csrf is what the visitor's forms have to send back.
func (v *visit) csrf() string {
	if v.session == nil {
		return ""
	}
	return v.session.csrf
}

// several reports whether a visitor may see more than one organisation.
func (s *Server) several(v *visit) bool {
	var q index.Query
	return v.scope(s.cfg.Policy(), &q) && (len(q.Organisations) > 1 || v.account.Role == access.Operator)
}

func (s *Server) getListPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	values := r.URL.Query()
	if clean, changed := withoutEmpty(values); changed {
		http.Redirect(w, r, pageAddress("/", clean), http.StatusSeeOther)
		return nil
	}
	rd, f := readerOf(r, time.Now()), readFilterForm(values)
	filters := f.query(rd)
	setText(filters, "cursor", f.Cursor)
	q, err := readQuery(filters, s.cfg.Policy(), rd.zone)
	if f.From > f.To && f.To != "" && err != nil {
		err = badRequest("the first day is after the last one")
	}
	if err != nil {
		page := s.listPage(rd, f, v, nil, index.Cursor{})
		page.Problem = sentence(err.Error())
		return s.render(w, r, v, statusOf(err), "list", page)
	}
	q.Limit = pageRows
	found, next, err := s.list(r.Context(), v, q)
	if err != nil {
		return err
	}
	page := s.listPage(rd, f, v, found, next)
	page.Deleted = values.Get("notice") == "deleted"
	return s.render(w, r, v, http.StatusOK, "list", page)
}

func (s *Server) listPage(rd reader, f filterForm, v *visit, found []index.Recording, next index.Cursor) listPage {
	page := listPageOf(rd, f, found, cursorText(next))
	if len(found) < pageRows && next != (index.Cursor{}) {
		page.Stopped = rd.at(next.Started, "day")
	}
	page.Several, page.Zip = s.several(v), v.account.May(access.Download)
	page.Offer = s.offer(v)
	return page
}

// maxOffer is how many names a form offers; of more, none, for the page would
// grow with them.
const maxOffer = 300

// offer is what a visitor can choose from without being told of what he may not
// see.
func (s *Server) offer(v *visit) offer {
	p := s.cfg.Policy()
	q := index.Query{}
	if !v.scope(p, &q) {
		return offer{}
	}
	o := offer{Organisations: q.Organisations}
	if v.account.Role == access.Operator {
		o.Organisations = slices.Sorted(maps.Keys(p.Organisations))
	}
	if len(o.Organisations) == 1 && v.account.Role != access.User {
		if org := p.Organisations[o.Organisations[0]]; org != nil {
			o.Users, o.Groups = namesFor(org, v.account.Groups)
		}
	}
	for _, names := range []*[]string{&o.Organisations, &o.Users, &o.Groups} {
		if len(*names) > maxOffer {
			*names = nil
		}
	}
	return o
}

// namesFor are the users and ring groups of an organisation, or only those of
// some groups.
func namesFor(org *flow.Organisation, only []string) (users, groups []string) {
	if len(only) == 0 {
		return slices.Sorted(maps.Keys(org.Users)), slices.Sorted(maps.Keys(org.RingGroups))
	}
	for _, id := range only {
		if g := org.RingGroups[id]; g != nil {
			groups = append(groups, id)
			users = append(users, g.Members...)
		}
	}
	slices.Sort(users)
	slices.Sort(groups)
	return slices.Compact(users), groups
}

// withoutEmpty leaves out what a form has sent empty: the address of a view says
// what it shows and nothing else.
func withoutEmpty(values url.Values) (url.Values, bool) {
	clean := maps.Clone(values)
	maps.DeleteFunc(clean, func(_ string, all []string) bool {
		return !slices.ContainsFunc(all, func(v string) bool { return strings.TrimSpace(v) != "" })
	})
	return clean, len(clean) != len(values)
}

// pageAddress is a path with a query, if there is one.
func pageAddress(path string, v url.Values) string {
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// sentence makes one of an error's text.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(text[size:], ".") + "."
}

// readForm reads the body of a form.
func readForm(r *http.Request) error {
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return badRequest("the form cannot be read: %v", err)
	}
	return err
}

// errorView is what the page of an error says.
type errorView struct {
	Status               int
	Title, Words, Detail string
	Href, Link           string
}

// errorWords are the title of a status, and what to do.
var errorWords = map[int][2]string{
	http.StatusBadRequest:            {"That request cannot be understood", "Go back and try again."},
	http.StatusForbidden:             {"Not allowed", "Your account may not do this. Whoever manages the accounts can change what it may."},
	http.StatusNotFound:              {"Not found", "There is nothing here, or your account may not see it."},
	http.StatusMethodNotAllowed:      {"Not found", "There is nothing here, or your account may not see it."},
	http.StatusConflict:              {"Not possible just now", "The recording is in a state in which this cannot be done."},
	http.StatusRequestEntityTooLarge: {"Too large", "What was sent is larger than this page takes."},
	http.StatusTooManyRequests:       {"Too many requests", "Wait a moment and try again."},
	http.StatusServiceUnavailable:    {"Not available just now", "Calls and recordings go on. Try again in a moment."},
}

func errorViewOf(f *fault, known bool) errorView {
	e := errorView{Status: f.status, Title: "Something went wrong", Words: "The log of the server says what. Calls and recordings go on.", Href: "/", Link: "To the recordings"}
	if words, ok := errorWords[f.status]; ok {
		e.Title, e.Words = words[0], words[1]
	}
	if f.status != http.StatusInternalServerError && f.status != http.StatusNotFound && f.detail != errNotAllowed.Error() {
		e.Detail = sentence(f.detail)
	}
	if !known {
		e.Href, e.Link = "/sign-in", "To the sign-in page"
	}
	return e
}

// errorPage answers an error as a page. v is nil if it is not known who asks.
func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	if r.Context().Err() != nil { // nobody is there any more
		return
	}
	f := s.headFault(w, r, err)
	w.Header().Del("WWW-Authenticate") // a browser would ask for a password by itself
	if err := s.render(w, r, v, f.status, "error", errorViewOf(f, v != nil)); err != nil {
		s.cfg.Log.Error("page of an error not made", "error", err)
		http.Error(w, fmt.Sprintf("%d %s", f.status, http.StatusText(f.status)), f.status)
	}
}

// precedenceOf is an organisation's; that of one that is gone is the default.
func (s *Server) precedenceOf(organisation string) flow.Precedence {
	if org := s.cfg.Policy().Organisations[organisation]; org != nil {
		return org.Precedence
	}
	return s.cfg.Policy().Precedence
}

// firstTime is when a call began, or the first that is known of it.
func firstTime(s recording.Sidecar) time.Time {
	for _, t := range []time.Time{s.Started, s.Answered, s.Ended} {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
