package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/console/access"
	"tapedeck/console/ops"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store/calls"
	"tapedeck/store/index"
)

func readerIn(t *testing.T, zone, now string) reader {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: "tz", Value: zone})
	at, err := time.Parse(time.RFC3339, now)
	if err != nil {
		t.Fatal(err)
	}
	return readerOf(r, at)
}

func TestReaderZone(t *testing.T) {
	for zone, want := range map[string]string{
		"Europe/Berlin": "Europe/Berlin", "Asia/Kolkata": "Asia/Kolkata", "": "UTC", "Local": "UTC", "Nowhere/At_all": "UTC",
		"../../etc/passwd": "UTC", "/etc/localtime": "UTC", strings.Repeat("a", 65): "UTC",
	} {
		if got := readerIn(t, zone, "2026-11-21T12:00:00Z").zoneName(); got != want {
			t.Errorf("tz=%q: %s", zone, got)
		}
	}
	rd := readerIn(t, "Asia/Kolkata", "2026-11-21T12:00:00Z")
	got := rd.at(time.Date(2026, 11, 20, 23, 59, 58, 7e6, time.UTC), "milli")
	if got.Text != "2026-11-21 05:29:58.007" || got.ISO != "2026-11-20T23:59:58.007Z" {
		t.Errorf("%+v", got)
	}
	if rd.at(time.Time{}, "day") != nil {
		t.Error("a time that is not known is shown")
	}
}

func TestLengths(t *testing.T) {
	for ms, want := range map[int64]string{-5: "0:00", 0: "0:00", 499: "0:00", 980: "0:01", 7_000: "0:07", 760_000: "12:40", 3_599_499: "59:59", 3_599_999: "1:00:00", 3_723_000: "1:02:03"} {
		if got := recording.Length(ms); got != want {
			t.Errorf("%d ms: %s", ms, got)
		}
	}
	for n, want := range map[int64]string{0: "0 bytes", 999: "999 bytes", 1000: "1 kB", 1_234_567: "1.2 MB", 5_000_000_000: "5 GB", 7e15: "7000 TB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	if got := place(61_980); got != "1:01.9" {
		t.Error(got)
	}
	for ms, want := range map[int64]string{0: "", 99: "", 100: "<0:01", 999: "<0:01", 1000: "0:01", 61_500: "1:02"} {
		if got := recording.PausedLength(ms); got != want {
			t.Errorf("%d ms paused: %q", ms, got)
		}
	}
}

// TestPeriods: a period is made of days in the reader's zone, also if a day has 23 or 25
// hours.
func TestPeriods(t *testing.T) {
	berlin := "Europe/Berlin"
	for _, c := range []struct{ zone, now, address, from, to string }{
		{"UTC", "2026-11-21T14:00:00Z", "period=today", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"},
		{berlin, "2026-11-21T23:30:00Z", "period=today", "2026-11-22T00:00:00+01:00", "2026-11-23T00:00:00+01:00"},
		{berlin, "2026-10-25T12:00:00Z", "period=today", "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"},
		{berlin, "2026-03-30T12:00:00Z", "period=yesterday", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"},
		{"UTC", "2026-11-21T14:00:00Z", "period=7d", "2026-11-15T00:00:00Z", "2026-11-22T00:00:00Z"},
		{"UTC", "2026-11-21T14:00:00Z", "period=1y", "", ""},
		{berlin, "2026-11-21T14:00:00Z", "from=2026-11-01&to=2026-11-03", "2026-11-01T00:00:00+01:00", "2026-11-04T00:00:00+01:00"},
		{"UTC", "2026-11-21T14:00:00Z", "period=7d&from=2026-11-01", "2026-11-01T00:00:00Z", ""},
		{"UTC", "2026-11-21T14:00:00Z", "from=yesterday", "yesterday", ""},
		{berlin, "2026-11-21T14:00:00Z", "from=2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z", ""},
	} {
		values, err := url.ParseQuery(c.address)
		if err != nil {
			t.Fatal(err)
		}
		q := readFilterForm(values).query(readerIn(t, c.zone, c.now))
		if q.Get("from") != c.from || q.Get("to") != c.to {
			t.Errorf("%s in %s at %s: from %s to %s", c.address, c.zone, c.now, q.Get("from"), q.Get("to"))
		}
	}
}

// TestAddressOfView: an address and the form that is read from it say the same.
func TestAddressOfView(t *testing.T) {
	const full = "back=-%2CYWJj&cursor=eHl6&group=sales&number=%2B44&organisation=acme&period=7d&problems=1&q=a+b&trigger=on-demand&user=alice"
	values, err := url.ParseQuery(full)
	if err != nil {
		t.Fatal(err)
	}
	f := readFilterForm(values)
	if got := f.address(); got != "/?"+full {
		t.Error(got)
	}
	if got := (filterForm{}).address(); got != "/" {
		t.Error(got)
	}
	if got := f.first().query(readerIn(t, "UTC", "2026-11-21T00:00:00Z")); got.Has("cursor") || got.Has("back") || got.Has("period") {
		t.Error(got)
	}
	for _, c := range f.chips() {
		if strings.Contains(c.Without, "cursor") || !strings.HasPrefix(c.Without, "/") {
			t.Errorf("without %s: %s", c.Name, c.Without)
		}
	}
	if n := len(f.chips()); n != 8 {
		t.Errorf("%d chips: %+v", n, f.chips())
	}
}

// TestOlderAndNewer: newer leads back from every older page, and the address does not
// grow without limit.
func TestOlderAndNewer(t *testing.T) {
	f := filterForm{User: "alice"}
	for n := range 60 {
		f = f.older(fmt.Sprintf("c%d", n))
	}
	if len(f.Back) != maxBack || f.Cursor != "c59" {
		t.Fatalf("%+v", f)
	}
	for n := 58; n >= 59-maxBack; n-- {
		var ok bool
		if f, ok = f.newer(); !ok || f.Cursor != fmt.Sprintf("c%d", n) {
			t.Fatalf("at %d: %+v %v", n, f, ok)
		}
	}
	if _, ok := f.newer(); ok {
		t.Error("there is a page before those that are known")
	}
	second := filterForm{}.older("c0")
	if first, ok := second.newer(); !ok || first.address() != "/" {
		t.Errorf("%+v", first)
	}
}

func TestTelephone(t *testing.T) {
	for number, want := range map[string]string{
		"+442079460001": `<bdi class="tel">+44<i></i>20<i></i>7946<i></i>0001</bdi>`,
		"1002":          `<bdi>1002</bdi>`,
		"":              `<span class="none"><span aria-hidden="true">–</span><span class="hear">none</span></span>`,
		"+":             `<bdi>+</bdi>`,
		"+44<b>":        `<bdi>+44&lt;b&gt;</bdi>`,
		`"onload=x`:     `<bdi>&#34;onload=x</bdi>`,
	} {
		if got := string(telephone(number)); got != want {
			t.Errorf("%q: %s", number, got)
		}
	}
}

func TestTitle(t *testing.T) {
	for want, s := range map[string]recording.Sidecar{
		"Inbound, from +44":     {Direction: "inbound", External: "+44", Number: "+49"},
		"Inbound, to +49":       {Direction: "inbound", Number: "+49"},
		"Outbound, to anna <b>": {Direction: "outbound", External: "anna <b>"},
		"Internal, with 1002":   {Direction: "internal", External: "1002"},
		"Internal call ":        {Direction: "internal", Number: "+49"},
		"Call ":                 {},
	} {
		title, with := titleOf(s)
		if got := title + " " + with; got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

func TestPauses(t *testing.T) {
	by := recording.Cause{Toggle: "dtmf", User: "alice"}
	spans := []recording.Span{
		{FromMS: 0, ToMS: 10_000, State: recording.StateRecording},
		{FromMS: 10_000, ToMS: 35_000, State: recording.StatePaused, Cause: by},
		{FromMS: 35_000, ToMS: 35_001, State: recording.StatePaused, SlackMS: 240, Cause: recording.Cause{Toggle: "auto_resume"}},
		{FromMS: 35_001, ToMS: 60_000, State: recording.StateRecording},
		{FromMS: 90_000, ToMS: 200_000, State: recording.StatePaused}, // beyond the end, as in a damaged sidecar
	}
	got := pausesOf(spans, 100_000)
	want := []pauseView{
		{1, "0:10.0", "0:35.0", "0:25.0", "by alice, with phone keys", "", "10.000%", "25.000%", "paused by alice"},
		{2, "0:35.0", "0:35.0", "0:00.0", "by itself, when the longest pause was over", "0.2 s", "35.000%", "0.150%", ""},
		{3, "1:30.0", "3:20.0", "1:50.0", "for a reason that was not written down", "", "90.000%", "10.000%", "paused"},
	}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Errorf("%d: %+v", i, got)
			break
		}
	}
	if pausesOf(spans, 0) != nil {
		t.Error("pauses in a file without length")
	}
}

// TestWaits: a wait is no pause, and a moment is not worth a line.
func TestWaits(t *testing.T) {
	spans := []recording.Span{
		{FromMS: 0, ToMS: 80, State: recording.StateWaiting, Cause: recording.Cause{Setting: recording.Undecided}},
		{FromMS: 80, ToMS: 10_000, State: recording.StateRecording},
		{FromMS: 10_000, ToMS: 10_000, WaitedMS: 72_000, State: recording.StateWaiting},
		{FromMS: 10_000, ToMS: 75_000, State: recording.StateRecording},
		{FromMS: 75_000, ToMS: 100_000, State: recording.StateWaiting, Cause: recording.Cause{Setting: recording.Undecided}},
	}
	got := waitsOf(spans, 100_000)
	want := []waitView{
		{"0:10.0", "1:12.0", "in a queue, or held by the outside party; FreeSWITCH wrote nothing, so this time is not in the file", "10.000%", "0.150%"},
		{"1:15.0", "0:25.0", "until it was known who answered", "75.000%", "25.000%"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if pausesOf(spans, 100_000) != nil || pausedMS(spans) != 0 || waitsOf(spans, 0) != nil {
		t.Error("a wait counts as a pause, or there is one in a file without length")
	}
}

func TestWhy(t *testing.T) {
	at := time.Date(2026, 11, 21, 14, 0, 0, 0, time.UTC)
	s := recording.Sidecar{Decided: recording.Cause{Element: "user/alice", Setting: "force"}, File: &recording.File{}}
	for i, n := range []recording.Note{
		{What: "entered", Element: "number/+442079460001", Setting: "no"},
		{What: "entered", Element: "user/alice", Setting: "force"},
		{What: "entered", Element: "ring_group/sales", Setting: "no"},
		{What: "pressed", Method: "dtmf", User: "bob", Result: "locked"},
		{What: "left", Element: "user/alice"},
		{What: "entered", Element: "application/ivr", Setting: "dont-care"},
		{What: "pressed", Method: "api", User: "bob", By: "anna", Result: "ok"},
		{What: "pressed", Method: "auto_resume", Result: "ok"},
		{What: "told", State: "paused"},
		{What: "something", Result: "new"},
		{What: "entered", Element: "nonsense", Setting: "purple"},
	} {
		n.At = at.Add(time.Duration(i) * time.Second)
		s.Trace = append(s.Trace, n)
	}
	why := whyOf(readerIn(t, "UTC", "2026-11-21T15:00:00Z"), s, flow.Last)
	want := []string{
		"off: Number +442079460001 says no – keeps recording off",
		"on: User alice says that it must be recorded – turns recording on and locks it",
		"on: Ring group sales says no – changes nothing: locked by user/alice (force)",
		"refused: Switched by bob, with phone keys – refused: the recording is locked by the policy",
		"plain: User alice left the call – its setting counts no more",
		"plain: Application ivr has no opinion – changes nothing",
		"person: Switched by anna, for bob, from the console or the API – ",
		"person: The longest time for a pause was over – ",
		"paused: FreeSWITCH confirmed: paused – ",
		"plain: nonsense says purple – ",
	}
	for i, step := range why.Steps {
		if got := step.Kind + ": " + step.Words + " – " + step.Effect; i >= len(want) || got != want[i] {
			t.Errorf("%d: %s", i, got)
		}
	}
	if len(why.Steps) != len(want) || why.Verdict != "Recorded, because user alice says that it must be recorded." {
		t.Errorf("%d steps, %s", len(why.Steps), why.Verdict)
	}
	for want, c := range map[string]recording.Cause{
		"Recorded, because it was asked for by alice, with phone keys.":        {Toggle: "dtmf", User: "alice"},
		"Recorded, because it was asked for by somebody, with the record key.": {Toggle: "record_key"},
		"What decided was not written down.":                                   {},
	} {
		if got := verdictOf(recording.Sidecar{Decided: c, File: &recording.File{}}); got != want {
			t.Error(got)
		}
	}
}

func TestWhyWithoutFile(t *testing.T) {
	why := whyOf(readerIn(t, "UTC", "2026-11-21T15:00:00Z"), recording.Sidecar{Decided: recording.Cause{Element: "user/alice", Setting: "yes"}}, flow.Last)
	if why.Verdict != "Wanted, because user alice says yes." || why.Question == "Why was this recorded?" {
		t.Errorf("%+v", why)
	}
}

// TestWhyOfSilence: if a file is silent because an element says no, the page does not say
// that the call was recorded because of that no.
func TestWhyOfSilence(t *testing.T) {
	yes, no := recording.Cause{Element: "number/+442079460001", Setting: "yes"}, recording.Cause{Element: "user/bob", Setting: "no"}
	paused := func(c recording.Cause) recording.Span {
		return recording.Span{ToMS: 1000, State: recording.StatePaused, Cause: c}
	}
	speech := recording.Span{FromMS: 1000, ToMS: 2000, State: recording.StateRecording, Cause: yes}
	const end = " The file is silent from beginning to end."
	for _, c := range []struct {
		spans                    []recording.Span
		decided                  recording.Cause
		wantQuestion, wantResult string
	}{
		{[]recording.Span{paused(no)}, no, "Why was this not recorded?", "Not recorded, because user bob says no." + end},
		{[]recording.Span{paused(yes), paused(recording.Cause{Toggle: "dtmf", User: "alice"})}, yes, "Why was this not recorded?",
			"Not recorded, because it was paused by alice, with phone keys." + end},
		{[]recording.Span{paused(yes)}, yes, "Why was this not recorded?",
			"Not recorded, because the call ended before it was known who would answer." + end},
		{[]recording.Span{paused(recording.Cause{})}, no, "Why was this not recorded?", "Why it is not recorded was not written down." + end},
		{[]recording.Span{paused(no), speech}, no, "Why was this recorded?", "Recorded, because number +442079460001 says yes."},
		{[]recording.Span{paused(recording.Cause{Setting: recording.Undecided}), speech}, recording.Cause{Setting: recording.Undecided},
			"Why was this recorded?", "Recorded, because number +442079460001 says yes."},
	} {
		why := whyOf(reader{}, recording.Sidecar{Decided: c.decided, File: &recording.File{}, Spans: c.spans}, flow.Last)
		if why.Question != c.wantQuestion || why.Verdict != c.wantResult {
			t.Errorf("%+v: %s %s", c.spans, why.Question, why.Verdict)
		}
	}
}

// TestShortMask: in a recording of a second, the silence of 22 ms until it is known who
// has answered is not shown as a pause of a second.
func TestShortMask(t *testing.T) {
	yes := recording.Cause{Element: "ring_group/support", Setting: "yes"}
	p := recordingPage{}
	p.sound(recording.Sidecar{File: &recording.File{DurationMS: 1000}, Spans: []recording.Span{
		{FromMS: 0, ToMS: 22, State: recording.StatePaused, Cause: yes},
		{FromMS: 22, ToMS: 24, State: recording.StatePaused, Cause: recording.Cause{Setting: recording.Undecided}},
		{FromMS: 24, ToMS: 1000, State: recording.StateRecording, Cause: yes},
	}}, func(access.Right) bool { return true })
	if p.Paused != "" || len(p.Pauses) != 2 {
		t.Errorf("%q paused, %+v", p.Paused, p.Pauses)
	}
	for _, pause := range p.Pauses {
		if pause.Cause != "until it was known who answered" {
			t.Errorf("paused from %s to %s: %s", pause.From, pause.To, pause.Cause)
		}
	}
}

// TestAuditWords: the page does not say that something was done which was only asked
// for, and it says in words why it failed.
func TestAuditWords(t *testing.T) {
	for _, c := range [][4]string{
		{audit.Toggle, "pause for bob", "asked to switch", "pause for bob"},
		{audit.Failed, "toggle: pause: refused: not_its_user", "failed", "switch: pause: refused: not a user of this call's organisation"},
		{audit.Failed, "toggle: start: the call is over", "failed", "switch: start: the call is over"},
		{audit.Failed, "unhold: open x.json: permission denied", "failed", "end the hold: open x.json: permission denied"},
		{audit.Failed, "delete: open x.json: permission denied", "failed", "delete: open x.json: permission denied"},
	} {
		if row := auditRowOf(reader{}, audit.Line{What: c[0], Detail: c[1]}); row.What != c[2] || row.Detail != c[3] {
			t.Errorf("%s, %s: %s, %s", c[0], c[1], row.What, row.Detail)
		}
	}
}

// TestEveryWordIsKnown: every word of other packages that a page can show is explained.
func TestEveryWordIsKnown(t *testing.T) {
	for _, code := range []string{recording.NotStarted, recording.MaskRefused, recording.UnmaskRefused, recording.Lost, recording.Unconfirmed,
		recording.FileMissing, recording.NotGrowing, recording.Short, recording.SpeechInPause, recording.Silent, recording.NoStopEvent,
		recording.FileRepaired, recording.Disk, recording.StateUnknown, recording.Unreadable} {
		if p := problemOf(code + ": detail: more"); p.Label != code || p.Meaning == "" || p.Detail != "detail: more" {
			t.Errorf("%s: %+v", code, p)
		}
	}
	for _, setting := range []string{"yes", "no", "force", "never", "dont-care"} {
		if _, err := flow.ParseSetting(setting); err != nil || settingWords[setting] == "" {
			t.Errorf("setting %s: %v", setting, err)
		}
	}
	for _, state := range []calls.State{calls.Off, calls.On, calls.Paused} {
		if lamps[state].Words == "" {
			t.Errorf("state %s has no lamp", state)
		}
	}
	for _, action := range []ops.Action{ops.Start, ops.Pause, ops.Resume} {
		if liveButtons[action].Words == "" {
			t.Errorf("action %s has no button", action)
		}
	}
}

// TestRecordingPageFor: a page offers what the account may do, and nothing else.
func TestRecordingPageFor(t *testing.T) {
	s := recording.Sidecar{Call: "c", File: &recording.File{Name: "c.wav", DurationMS: 1000, Channels: 1, Rate: 16000}}
	rd := readerIn(t, "UTC", "2026-11-21T15:00:00Z")
	may := func(rights ...access.Right) func(access.Right) bool {
		return access.Account{Rights: append(rights, access.See)}.May
	}
	all := recordingPageOf(rd, index.Recording{ID: "c"}, s, flow.Last, may(access.Rights...))
	if all.Player == nil || !all.Download || !all.MayHold || !all.MayDelete || !all.MayAudit || all.File.Form != "mono, 16 kHz" {
		t.Errorf("%+v", all)
	}
	s.File.Channels, s.File.Parties = 2, []string{recording.PartyOwn, recording.PartyHeard}
	if p := recordingPageOf(rd, index.Recording{ID: "c"}, s, flow.Last, may(access.Rights...)); p.Player.Upper != "outside party" || p.File.Form != "stereo, 16 kHz" {
		t.Errorf("one party in each channel: %+v %+v", p.Player, p.File)
	}
	s.File.Parties = []string{recording.PartyBoth, recording.PartyBoth}
	if p := recordingPageOf(rd, index.Recording{ID: "c"}, s, flow.Last, may(access.Rights...)); p.Player.Upper != "both parties" || p.Player.Lower != "both parties" ||
		p.File.Form != "stereo, both parties in each channel, 16 kHz" {
		t.Errorf("both parties in each channel: %+v %+v", p.Player, p.File)
	}
	none := recordingPageOf(rd, index.Recording{ID: "c"}, s, flow.Last, may())
	if none.Player != nil || none.NoPlayer == "" || none.Download || none.MayHold || none.MayDelete || none.MayAudit {
		t.Errorf("%+v", none)
	}
	s.File = nil
	if p := recordingPageOf(rd, index.Recording{ID: "c"}, s, flow.Last, may(access.Rights...)); p.Player != nil || p.Download || p.File != nil {
		t.Errorf("without a file: %+v", p)
	}
}
