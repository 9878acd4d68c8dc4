package console

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording"
	"tapedeck/store/calls"
)

// livePage is what the page of the live calls shows.
type livePage struct {
	Rows    []liveRow
	Several bool   // they may be of several organisations
	All     bool   // the reader may see every call
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

// lamp is how a call's recording stands: a shape, a colour and words.
type lamp struct{ State, Words string }

var lamps = map[calls.State]lamp{
	calls.On:     {"on", "Recording"},
	calls.Paused: {"paused", "Paused"},
	calls.Off:    {"off", "Not recording"},
}

// liveButton is what the reader may do with it now.
type liveButton struct {
	Action Action
	Words  string
	Icon   string
}

var liveButtons = map[Action]liveButton{
	Start:  {Start, "Record", "on"},
	Pause:  {Pause, "Pause", "paused"},
	Resume: {Resume, "Resume", "on"},
}

func liveRowOf(rd reader, l liveView, csrf string, several bool) liveRow {
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

// becauseWords say why a live call's recording does what it does.
func becauseWords(l liveView) string {
	if l.Why == (calls.Cause{}) {
		return "nothing on its way asks for it"
	}
	return causeWords(recording.Cause{Element: l.Why.Element, Setting: l.Why.Setting, Toggle: l.Why.Toggle, User: l.Why.User, By: l.Why.By})
}

func (s *Server) livePageOf(r *http.Request, v *visit) (livePage, error) {
	live, err := s.liveCalls(r.Context(), v)
	if err != nil {
		return livePage{}, err
	}
	rd := readerOf(r, time.Now())
	page := livePage{Several: s.several(v), All: v.account.Role == access.Operator}
	for _, l := range live {
		page.Rows = append(page.Rows, liveRowOf(rd, l, v.csrf(), page.Several))
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

func (s *Server) getLivePage(w http.ResponseWriter, r *http.Request, v *visit) error {
	page, err := s.livePageOf(r, v)
	if err != nil {
		return err
	}
	return s.render(w, r, v, http.StatusOK, "live", page)
}

// liveRowView is a row as the page's script takes it: the same markup that the
// page has, so that it is written in one place.
type liveRowView struct {
	ID    string      `json:"id"`
	State calls.State `json:"state"`
	Row   string      `json:"row"`
}

// getLiveRows is the stream of the live calls, as rows of the page.
func (s *Server) getLiveRows(w http.ResponseWriter, r *http.Request, v *visit) error {
	several := s.several(v)
	return s.follow(w, r, v, func(l liveView) any {
		var row bytes.Buffer
		err := s.pages.templates["live"].ExecuteTemplate(&row, "live-row", liveRowOf(readerOf(r, time.Now()), l, v.csrf(), several))
		if err != nil {
			s.cfg.Log.Error("row of a live call not made", "error", err)
		}
		return liveRowView{l.ID, l.State, row.String()}
	})
}

// postLive is a button of the live page.
func (s *Server) postLive(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := readForm(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	_, err := s.switchCall(r.Context(), v, id, r.PostForm.Get("user"), Action(r.PostForm.Get("action")))
	if err == nil {
		http.Redirect(w, r, "/live#call-"+url.PathEscape(id), http.StatusSeeOther)
		return nil
	}
	if !slices.Contains([]int{http.StatusConflict, http.StatusServiceUnavailable, http.StatusForbidden}, statusOf(err)) || err == errNotAllowed {
		return err
	}
	page, failed := s.livePageOf(r, v)
	if failed != nil {
		return err
	}
	f := s.headFault(w, r, err)
	page.Problem = sentence(f.detail)
	return s.render(w, r, v, f.status, "live", page)
}
