package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/index"
)

// recordingPage is what the page of one recording shows.
type recordingPage struct {
	ID, Address  string
	API          string // where its audio and its waveform are
	Title        string // what kind of call it was
	With         string // the number that the title ends with
	Direction    direction
	External     string
	Number       string
	Organisation string
	Users        []string
	When         *timeView
	Length       string
	Paused       string
	Complete     bool
	Problems     []problemView
	Player       *playerView // nil: nothing to hear, or not for this account
	NoPlayer     string      // why not
	Download     bool
	Pauses       []pauseView
	Waits        []waitView
	Facts        []fact
	Why          whyView
	Trace        []traceRow
	File         *fileView
	Hold         *holdView
	HeldWith     bool   // it is kept by the hold of another part of its call
	HeldPart     string // address of that part; empty: this account may not see it
	MayHold      bool
	MayDelete    bool
	Previous     string // address of the part before
	Next         string
	History      []auditRow // what was done with it; newest first
	Earlier      string     // address of what was done before that; empty: nothing was
	LookedTo     *timeView  // how far back the audit log was looked through, if there is an Earlier
	MayAudit     bool
	Checked      *checkView // it was just checked
	Back         string     // the list that one came from
}

// playerView is the waveform and what plays it.
type playerView struct {
	DurationMS int64
	Length     string
	Stereo     bool
	Upper      string // who is heard in each channel
	Lower      string
}

// pauseView is a pause: a row in words and a box over the waveform.
type pauseView struct {
	N              int
	From, To, Long string
	Cause          string
	Slack          string // how much earlier than From it may have begun
	X, Width       string // in percent of the length
	Label          string // who paused, if there is room for it in the box
}

// waitView is time in which the call waited: a row in words and, on the waveform, a
// grey box, or a line if nothing of it is in the file.
type waitView struct {
	At, Long, Cause string
	X, Width        string // in percent of the length
}

// fact is one line about a recording. Either Text or At is set.
type fact struct {
	Name, Text string
	At         *timeView
	Mono       bool
}

// traceRow is a line of the call's trace as it was written down.
type traceRow struct {
	At           *timeView
	What, Detail string
}

// fileView has what identifies the file.
type fileView struct {
	Name, Size, SHA256, Form string
}

type holdView struct {
	By, Reason string
	At         *timeView
}

// checkView is the result of Verify.
type checkView struct {
	Sound    bool
	Live     bool // it is being recorded, so nothing was read
	Findings []string
}

// recordingPageOf makes the page of a recording for a visitor who has these rights.
func recordingPageOf(rd reader, r index.Recording, s recording.Sidecar, precedence flow.Precedence, may func(access.Right) bool) recordingPage {
	p := recordingPage{
		ID: r.ID, Address: recordingAddress(r.ID), API: "/api/v1" + recordingAddress(r.ID), Direction: directionOf(s.Direction),
		External: s.External, Number: s.Number, Organisation: s.Organisation, Users: s.Users,
		When: rd.at(firstTime(s), "second"), Complete: s.Complete,
		Why: whyOf(rd, s, precedence), Trace: traceOf(rd, s.Trace),
		MayHold: may(access.Hold), MayDelete: may(access.Delete), MayAudit: may(access.Audit), Back: "/",
	}
	p.Title, p.With = titleOf(s)
	for _, text := range s.Problems {
		p.Problems = append(p.Problems, problemOf(text))
	}
	if s.Hold != nil {
		p.Hold = &holdView{s.Hold.By, s.Hold.Reason, rd.at(s.Hold.At, "minute")}
	}
	p.sound(s, may)
	p.Facts = factsOf(rd, s)
	p.Previous, p.Next = partAddress(s.Previous), partAddress(s.Next)
	return p
}

// titleOf says what kind of call it was, and with which number the title ends.
func titleOf(s recording.Sidecar) (title, with string) {
	switch {
	case s.Direction == "inbound" && s.External != "":
		return "Inbound, from", s.External
	case s.Direction == "inbound" && s.Number != "":
		return "Inbound, to", s.Number
	case s.Direction == "outbound" && s.External != "":
		return "Outbound, to", s.External
	case s.Direction == "internal" && s.External != "":
		return "Internal, with", s.External
	case s.Direction == "internal":
		return "Internal call", ""
	}
	return "Call", s.External
}

// sound adds what there is to hear.
func (p *recordingPage) sound(s recording.Sidecar, may func(access.Right) bool) {
	if s.File == nil {
		p.NoPlayer = "There is no file: the recording was wanted, but none was made."
		return
	}
	p.Length = recording.Length(s.File.DurationMS)
	p.File = &fileView{s.File.Name, bytesText(s.File.Bytes), s.File.SHA256, formText(*s.File)}
	p.Pauses = pausesOf(s.Spans, s.File.DurationMS)
	p.Waits = waitsOf(s.Spans, s.File.DurationMS)
	p.Paused = recording.PausedLength(pausedMS(s.Spans))
	p.Download = may(access.Download)
	if !may(access.Listen) {
		p.NoPlayer = "Your account may see that this recording exists, but not hear it."
		return
	}
	p.Player = &playerView{DurationMS: s.File.DurationMS, Length: recording.Length(s.File.DurationMS), Stereo: s.File.Channels == 2,
		Upper: "outside party", Lower: "our side"}
	switch {
	case s.File.Mixed():
		p.Player.Upper, p.Player.Lower = "both parties", "both parties"
	case s.Direction == "internal":
		p.Player.Upper, p.Player.Lower = "caller", "called"
	}
}

func pausedMS(spans []recording.Span) (ms int64) {
	for _, s := range spans {
		if s.State == recording.StatePaused {
			ms += s.ToMS - s.FromMS
		}
	}
	return ms
}

// pausesOf returns the pauses of a file whose length is given in milliseconds.
func pausesOf(spans []recording.Span, length int64) []pauseView {
	var pauses []pauseView
	for _, s := range spans {
		if s.State != recording.StatePaused || length <= 0 {
			continue
		}
		x, width := share(s, length)
		v := pauseView{
			N: len(pauses) + 1, From: place(s.FromMS), To: place(s.ToMS), Long: place(s.ToMS - s.FromMS), Cause: pauseWords(s.Cause),
			X: percent(x), Width: percent(max(width, 0.15)),
		}
		if label := pauseLabel(s.Cause); float64(len(label)+2) < width*labelRoom {
			v.Label = label
		}
		if s.SlackMS >= 100 {
			v.Slack = fmt.Sprintf("%.1f s", float64(s.SlackMS)/1000)
		}
		pauses = append(pauses, v)
	}
	return pauses
}

// share returns where a span begins and how wide it is, in percent of a length.
func share(s recording.Span, length int64) (x, width float64) {
	of := func(ms int64) float64 { return 100 * float64(min(max(ms, 0), length)) / float64(length) }
	return of(s.FromMS), of(s.ToMS) - of(s.FromMS)
}

// shortestWait is how long, in ms, a wait is at least that is worth a line. Most calls
// wait for a moment until it is known who answers.
const shortestWait = 100

// waitsOf returns the waits of a file whose length is given in milliseconds.
func waitsOf(spans []recording.Span, length int64) []waitView {
	var waits []waitView
	for _, s := range spans {
		long := max(s.WaitedMS, s.ToMS-s.FromMS)
		if s.State != recording.StateWaiting || length <= 0 || long < shortestWait {
			continue
		}
		x, width := share(s, length)
		cause := awaited
		if s.WaitedMS > 0 {
			cause = "in a queue, or held by the outside party; FreeSWITCH wrote nothing, so this time is not in the file"
		}
		waits = append(waits, waitView{At: place(s.FromMS), Long: place(long), Cause: cause, X: percent(x), Width: percent(max(width, 0.15))})
	}
	return waits
}

// labelRoom is how many letters fit into one percent of the waveform's width. Narrow
// screens show no labels.
const labelRoom = 0.9

// pauseLabel says in few words who paused.
func pauseLabel(c recording.Cause) string {
	switch {
	case c.By != "":
		return "paused by " + c.By
	case c.User != "":
		return "paused by " + c.User
	}
	return "paused"
}

func percent(p float64) string { return strconv.FormatFloat(p, 'f', 3, 64) + "%" }

func formText(f recording.File) string {
	form := "mono"
	if f.Channels == 2 {
		form = "stereo"
	} else if f.Channels > 2 {
		form = fmt.Sprintf("%d channels", f.Channels)
	}
	if f.Mixed() {
		form += ", both parties in each channel"
	}
	if f.Rate > 0 {
		form += ", " + strings.TrimSuffix(fmt.Sprintf("%.1f", float64(f.Rate)/1000), ".0") + " kHz"
	}
	return form
}

func factsOf(rd reader, s recording.Sidecar) []fact {
	var facts []fact
	when := func(name string, at *timeView) {
		if at != nil {
			facts = append(facts, fact{Name: name, At: at})
		}
	}
	words := func(name, text string, mono bool) {
		if text != "" {
			facts = append(facts, fact{Name: name, Text: text, Mono: mono})
		}
	}
	when("Call began", rd.at(s.Started, "second"))
	when("Answered", rd.at(s.Answered, "second"))
	if s.File != nil {
		when("Recording began", rd.at(s.File.Began, "second"))
	}
	when("Ended", rd.at(s.Ended, "second"))
	trigger := triggerWords[s.Trigger]
	if s.RequestedBy != "" {
		trigger += ", by " + s.RequestedBy
	}
	words("Trigger", trigger, false)
	words("Switch", s.Switch, false)
	if s.Part > 1 || s.Next != "" {
		words("Part", strconv.Itoa(max(s.Part, 1))+" of this call", false)
	}
	words("Call", s.Call, true)
	return facts
}

func traceOf(rd reader, notes []recording.Note) []traceRow {
	var rows []traceRow
	for _, n := range notes {
		var detail []string
		for _, part := range []struct{ name, value string }{
			{"", n.Element}, {"", n.Setting}, {"", n.Method}, {"by ", n.User}, {"", n.State}, {"", n.Result},
		} {
			if part.value != "" {
				detail = append(detail, part.name+part.value)
			}
		}
		rows = append(rows, traceRow{rd.at(n.At, "milli"), n.What, strings.Join(detail, " · ")})
	}
	return rows
}

// partAddress returns the address of another part of the call, from its file's name.
func partAddress(file string) string {
	if stem, ok := strings.CutSuffix(file, ".wav"); ok {
		return recordingAddress(stem)
	}
	return ""
}

// firstTime returns when a call began, or the earliest time that is known of it.
func firstTime(s recording.Sidecar) time.Time {
	for _, t := range []time.Time{s.Started, s.Answered, s.Ended} {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
