package web

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/console/respond"
	"tapedeck/recording"
	"tapedeck/store/calls"
)

// livePage is what the page of the live calls shows.
type livePage struct {
	Rows    []liveRow
	Several bool   // they may be of several organisations
	All     bool   // the visitor may see every call
	Problem string // what became of a button
	Counts  liveCounts
}

type liveCounts struct{ On, Paused, Off int }

// liveRow is one call that is going on.
type liveRow struct {
	ID           string
	Lamp         lamp
	Since        *timeView
	For          string // how long it has been so
	Direction    direction
	External     string
	Number       string
	Organisation string
	Users        string
	Why          string
	Locked       bool
	Started      *timeView
	Answered     bool
	Buttons      []liveButton
	CSRF         string
	Several      bool
}

// lamp is the state of a call's recording: a name for shape and colour, and words.
type lamp struct{ State, Words string }

var lamps = map[calls.State]lamp{
	calls.On:     {"on", "Recording"},
	calls.Paused: {"paused", "Paused"},
	calls.Off:    {"off", "Not recording"},
}

// liveButton is a button for what the visitor may do with a call now.
type liveButton struct {
	Action ops.Action
	Words  string
	Icon   string
}

var liveButtons = map[ops.Action]liveButton{
	ops.Start:  {ops.Start, "Record", "on"},
	ops.Pause:  {ops.Pause, "Pause", "paused"},
	ops.Resume: {ops.Resume, "Resume", "on"},
}

func liveRowOf(rd reader, l ops.CallView, csrf string, several bool) liveRow {
	row := liveRow{
		ID: l.ID, Lamp: lamps[l.State], Since: rd.at(l.Since, "second"), For: recording.Clock(int64(max(rd.now.Sub(l.Since), 0) / time.Second)),
		Direction: directionOf(l.Direction.String()), External: l.External, Number: l.Number, Organisation: l.Organisation,
		Users: strings.Join(l.Users, ", "), Why: becauseWords(l), Locked: l.Locked, Started: rd.at(l.Started, "second"),
		Answered: l.Answered != nil, CSRF: csrf, Several: several,
	}
	for _, action := range l.May {
		if b, ok := liveButtons[action]; ok {
			row.Buttons = append(row.Buttons, b)
		}
	}
	return row
}

// becauseWords says why the recording of a live call is in its state.
func becauseWords(l ops.CallView) string {
	if l.Why == (calls.Cause{}) {
		return "nothing on its way asks for it"
	}
	return causeWords(recording.Cause{Element: l.Why.Element, Setting: l.Why.Setting, Toggle: l.Why.Toggle, User: l.Why.User, By: l.Why.By})
}

func (s *Pages) livePageOf(r *http.Request, v *identity.Visit) (livePage, error) {
	live, err := s.Operations.Calls.List(r.Context(), v.Visitor)
	if err != nil {
		return livePage{}, err
	}
	rd := readerOf(r, time.Now())
	page := livePage{Several: v.SeesSeveral(s.Policy()), All: v.Account.Role == access.Operator}
	for _, l := range live {
		page.Rows = append(page.Rows, liveRowOf(rd, l, v.CSRF(), page.Several))
		switch l.State {
		case calls.On:
			page.Counts.On++
		case calls.Paused:
			page.Counts.Paused++
		default:
			page.Counts.Off++
		}
	}
	return page, nil
}

func (s *Pages) getLivePage(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	page, err := s.livePageOf(r, v)
	if err != nil {
		return err
	}
	return s.render(w, r, v, http.StatusOK, "live", page)
}

// liveRowView is a row as the page's script reads it. Its markup comes from the
// template of the page.
type liveRowView struct {
	ID    string      `json:"id"`
	State calls.State `json:"state"`
	Row   string      `json:"row"`
}

// getLiveRows sends the stream of the live calls, as rows of the page.
func (s *Pages) getLiveRows(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	several := v.SeesSeveral(s.Policy())
	stream, err := s.Operations.Calls.Follow(v.Visitor, func(l ops.CallView) any {
		var row bytes.Buffer
		err := s.templates.pages["live"].ExecuteTemplate(&row, "live-row", liveRowOf(readerOf(r, time.Now()), l, v.CSRF(), several))
		if err != nil {
			s.Log.Error("row of a live call not made", "error", err)
		}
		return liveRowView{l.ID, l.State, row.String()}
	})
	if err != nil {
		return err
	}
	return respond.Events(w, r, stream, s.Beat, func() bool { return s.Checker.Still(r.Context(), v) != ops.ErrNotKnown })
}

// postLive answers a button of the live page.
func (s *Pages) postLive(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
	if err := identity.ParseForm(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	_, err := s.Operations.Calls.Press(r.Context(), v.Visitor, id, r.PostForm.Get("user"), ops.Action(r.PostForm.Get("action")))
	if err == nil {
		http.Redirect(w, r, "/live#call-"+url.PathEscape(id), http.StatusSeeOther)
		return nil
	}
	if !slices.Contains([]int{http.StatusConflict, http.StatusServiceUnavailable, http.StatusForbidden}, ops.StatusOf(err)) || err == ops.ErrNotAllowed {
		return err
	}
	page, failed := s.livePageOf(r, v)
	if failed != nil {
		return err
	}
	f := respond.Fault(w, r, s.Log, err)
	page.Problem = sentence(f.Detail)
	return s.render(w, r, v, f.Status, "live", page)
}
