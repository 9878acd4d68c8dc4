package web

import (
	"net/url"
	"strings"

	"tapedeck/recording"
	"tapedeck/store/index"
)

// pageRows is how many recordings a page of the list shows.
const pageRows = 50

// listPage is what the list shows.
type listPage struct {
	Form     filterForm
	Chips    []chip
	Presets  []choice
	Offer    offer
	Rows     []listRow
	Several  bool // recordings of several organisations may be in it
	Zip      bool // recordings may be downloaded
	Newest   string
	Newer    string
	Older    string
	Stopped  *timeView // the search stopped at this time, and can go on
	CSV      string
	Filtered bool
	Problem  string // what is wrong with the filters
	Deleted  bool   // a recording was just deleted
}

// offer has the names that the form offers.
type offer struct{ Organisations, Users, Groups []string }

// listRow is one recording in the list.
type listRow struct {
	ID, Href     string
	When         *timeView
	Direction    direction
	External     string
	Number       string
	Organisation string
	Users        string
	Length       string
	Paused       string // "" is none
	Trigger      string
	By           string
	Part         int // 0: the call's only one, or its first
	Held         bool
	Problems     []string
}

// More returns how many problems there are besides the first, which the row shows.
func (listPage) More(problems []string) int { return len(problems) - 1 }

// direction is the direction of a call, as a word and a picture.
type direction struct{ Icon, Words string }

func directionOf(d string) direction {
	switch d {
	case "inbound":
		return direction{"in", "in"}
	case "outbound":
		return direction{"out", "out"}
	case "internal":
		return direction{"internal", "internal"}
	}
	return direction{"unknown", "unknown"}
}

var triggerWords = map[string]string{recording.TriggerAutomatic: "automatic", recording.TriggerOnDemand: "on demand"}

func listRowOf(rd reader, r index.Recording) listRow {
	row := listRow{
		ID: r.ID, Href: recordingAddress(r.ID), When: rd.at(r.Started, "second"), Direction: directionOf(r.Direction),
		External: r.External, Number: r.Number, Organisation: r.Organisation, Users: strings.Join(r.Users, ", "),
		Length: recording.Length(r.DurationMS), Paused: recording.PausedLength(r.PausedMS), Trigger: triggerWords[r.Trigger], By: r.RequestedBy, Held: r.Held,
	}
	if r.Part > 1 {
		row.Part = r.Part
	}
	for _, p := range r.Problems {
		row.Problems = append(row.Problems, problemOf(p).Label)
	}
	return row
}

func recordingAddress(id string) string { return "/recordings/" + url.PathEscape(id) }

// listPageOf makes one page of the list. next is the cursor of the page after it;
// empty if there is none.
func listPageOf(rd reader, f filterForm, found []index.Recording, next string) listPage {
	p := listPage{Form: f, Chips: f.chips(), Presets: f.presets()}
	p.Filtered = len(p.Chips) > 0
	for _, r := range found {
		p.Rows = append(p.Rows, listRowOf(rd, r))
	}
	if f.Cursor != "" {
		p.Newest = f.first().address()
	}
	if newer, ok := f.newer(); ok {
		p.Newer = newer.address()
	}
	if next != "" {
		p.Older = f.older(next).address()
	}
	p.CSV = "/recordings.csv"
	if q := f.query(rd).Encode(); q != "" {
		p.CSV += "?" + q
	}
	return p
}
