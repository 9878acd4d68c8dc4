package esltest_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// TestAdoption replays the capture of a controller that adopts a call in progress: it
// asks for tables, variables, media bugs, all of the channels' data, and presses.
func TestAdoption(t *testing.T) {
	st := &stage{T: t, capture: readCapture(t, "13-adoption.watch.txt"), dir: t.TempDir()}
	st.sw = esltest.New(esltest.Options{Clock: esltest.Manual})
	t.Cleanup(func() { st.sw.Close() })
	a := st.sw.Incoming(esltest.Leg{UUID: st.word("api uuid_buglist ", 2), Number: "07700900001", Destination: "0200001", ToneHz: 440,
		Variables: map[string]string{"force_transfer_context": "default", "hangup_after_bridge": "true"}})
	b := a.Dial(esltest.Leg{UUID: st.word("sendmsg", 0), Profile: "internal", Destination: "1001", ToneHz: 880, Host: "127.0.0.1:17004",
		Variables: map[string]string{"dialed_user": "1001", "dialed_domain": "127.0.0.1"}})
	st.watch = dial(t, listen(t, st.sw))
	st.watch.reply() // auth/request
	for range 2 {
		st.asked()
	}
	b.Answer()
	talk(st.sw, 600)
	for range 15 { // up to the binding of the digits
		st.asked()
	}
	for range 2 {
		b.PressDigits("*1")
		talk(st.sw, 800)
	}
	for range 4 {
		st.asked()
	}
	b.Hold()
	st.asked() // show
	st.asked() // dump
	b.Unhold()
	talk(st.sw, 3120)
	st.asked() // stop
	st.asked() // bugs
	a.Hangup("NORMAL_CLEARING")
	st.asked() // show
	st.asked() // dump
	if left := st.capture.sent[st.next:]; len(left) != 1 || left[0] != "exit\n\n" {
		t.Errorf("not asked: %q", left)
	}
	got, want := st.watch.drain(), st.capture.events
	byLeg(got) // the threads of the two legs raced when it was captured
	byLeg(want)
	if g, w := eventNames(got), eventNames(want); !slices.Equal(g, w) {
		t.Errorf("events\n%v\nin the capture\n%v", g, w)
	}
	for i := range min(len(got), len(want)) {
		for j, h := range want[i] {
			switch {
			case h.value == captured:
				want[i][j].value = spool + "/a.wav"
			case h.name == "Channel-Call-State" && want[i].get("Event-Name") == "CHANNEL_ANSWER":
				want[i][j].value = got[i].get(h.name) // RINGING or DOWN, as threads run
			}
		}
		st.compareHeaders(want[i].String(), got[i], want[i])
		for _, name := range []string{"variable_tapedeck_presses", "variable_last_matching_digits", "variable_tapedeck_live"} {
			if got[i].get(name) != want[i].get(name) {
				t.Errorf("%s: %s is %q, in the capture %q", want[i], name, got[i].get(name), want[i].get(name))
			}
		}
	}
}

func eventNames(events []happened) (list []string) {
	for _, e := range events {
		list = append(list, e.String()+" "+e.get("Event-Subclass"))
	}
	return list
}

// word returns a word of the first command in the capture that begins with command.
// Word 0 stands for the other leg's UUID: that of the last uuid_dump before.
func (st *stage) word(command string, word int) string {
	st.Helper()
	last := ""
	for _, sent := range st.capture.sent {
		words := strings.Fields(sent)
		switch {
		case strings.HasPrefix(sent, command) && word > 0:
			return words[word]
		case strings.HasPrefix(sent, command):
			return last
		case strings.HasPrefix(sent, "api uuid_dump"):
			last = words[2]
		}
	}
	st.Fatalf("no %s in the capture", command)
	return ""
}

const captured = "/tmp/esltest-cap.wav"

// asked sends the capture's next command and compares the reply: byte by byte or, if it
// contains times and ports, only the values that Tapedeck uses.
func (st *stage) asked() {
	st.Helper()
	want := st.capture.replies[st.next+1] // the greeting is the first reply
	command := st.capture.sent[st.next]
	path := st.dir + "/a.wav"
	st.watch.send(strings.ReplaceAll(command, captured, path))
	st.next++
	got := st.watch.reply()
	what := strings.TrimSpace(command)
	switch {
	case strings.HasPrefix(want.body, `{"row_count":`):
		st.compareTable(what, got.body, want.body)
	case strings.HasPrefix(want.body, "Event-Name:"):
		st.compareDump(what, decodeEvent(got.body), decodeEvent(want.body))
	default:
		if g := strings.ReplaceAll(got.body, path, captured); g != want.body || got.get("Reply-Text") != want.get("Reply-Text") {
			st.Errorf("%s: %q, in the capture %q", what, got.raw, want.raw)
		}
	}
}

// inTables are the columns that Tapedeck uses.
var inTables = []string{"uuid", "direction", "name", "state", "cid_num", "dest", "application", "callstate", "call_uuid", "callee_num",
	"callee_direction", "sent_callee_num", "presence_id", "b_uuid", "b_direction", "b_state", "b_dest", "b_callstate", "b_sent_callee_num"}

// compareTable asserts the same rows, with the same columns in the same order.
func (st *stage) compareTable(what, got, want string) {
	st.Helper()
	type table struct {
		Count int                 `json:"row_count"`
		Rows  []map[string]string `json:"rows"`
	}
	var g, w table
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		st.Fatalf("%s: %v: %s", what, err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		st.Fatal(err)
	}
	if gotNames, wantNames := columns(got), columns(want); !slices.Equal(gotNames, wantNames) {
		st.Errorf("%s: columns\n%v\nin the capture\n%v", what, gotNames, wantNames)
	}
	if g.Count != w.Count || len(g.Rows) != len(w.Rows) {
		st.Fatalf("%s: %s\nin the capture\n%s", what, got, want)
	}
	for i, row := range w.Rows {
		for _, name := range inTables {
			if g.Rows[i][name] != row[name] {
				st.Errorf("%s: row %d: %s is %q, in the capture %q", what, i, name, g.Rows[i][name], row[name])
			}
		}
	}
}

// columns are the names of the columns in a table, row by row, in their order.
func columns(table string) (names []string) {
	for i, part := range strings.Split(table, `"`) {
		if i%4 == 1 && i > 2 {
			names = append(names, part)
		}
	}
	return names
}

func (st *stage) compareDump(what string, got, want happened) {
	st.Helper()
	st.compareHeaders(what, got, want)
	for _, name := range []string{"variable_tapedeck_live", "variable_tapedeck_presses", "variable_last_matching_digits",
		"variable_signal_bond", "variable_bridge_uuid", "variable_current_application", "variable_hangup_after_bridge"} {
		if got.get(name) != want.get(name) {
			st.Errorf("%s: %s is %q, in the capture %q", what, name, got.get(name), want.get(name))
		}
	}
}

// TestStaleTables: `show` is out of date for a while, uuid_dump is not.
func TestStaleTables(t *testing.T) {
	sw, l := newSwitch(t)
	sw.StaleTables(300 * time.Millisecond)
	a := caller(sw)
	if got := l.ask("api show channels as json"); got != "{\"row_count\": 0}\n" {
		t.Errorf("a call that has just come is shown: %s", got)
	}
	if got := l.ask("api uuid_exists " + a.UUID()); got != "true" {
		t.Errorf("it exists: %s", got)
	}
	talk(sw, 300)
	if got := l.ask("api show calls count"); got != "\n1 total.\n" {
		t.Errorf("after a while: %q", got)
	}
	b := ring(a, "1001")
	b.Answer()
	sw.StaleTables(300 * time.Millisecond)
	a.Hangup("")
	if got := l.ask("api show bridged_calls as json"); !strings.Contains(got, `"b_uuid":"`+b.UUID()) {
		t.Errorf("a call that has just ended is not shown: %s", got)
	}
	talk(sw, 300)
	if got := l.ask("api show bridged_calls as json"); got != "{\"row_count\": 0}\n" {
		t.Errorf("after a while: %s", got)
	}
}

// TestBonds: the variables that name a leg's partner, during a blind transfer, as
// measured: bridge_uuid still names the old one, signal_bond is unset.
func TestBonds(t *testing.T) {
	sw, _ := newSwitch(t)
	a := caller(sw)
	b := ring(a, "1001")
	b.Answer()
	b.BlindTransfer("1002")
	c := ring(a, "1002")
	if bond, bridge := a.Get("signal_bond"), a.Get("bridge_uuid"); bond != "" || bridge != b.UUID() {
		t.Errorf("while the new party rings: signal_bond %q, bridge_uuid %q", bond, bridge)
	}
	c.Answer()
	for _, leg := range [][2]*esltest.Channel{{a, c}, {c, a}} {
		if bond, bridge := leg[0].Get("signal_bond"), leg[0].Get("bridge_uuid"); bond != leg[1].UUID() || bridge != bond {
			t.Errorf("when it talks: signal_bond %q, bridge_uuid %q", bond, bridge)
		}
	}
}

// TestMediaBugs: media bugs are listed in the order in which they started, as measured.
// A mask is not visible.
func TestMediaBugs(t *testing.T) {
	sw, l := newSwitch(t)
	dir := t.TempDir()
	prompt := dir + "/prompt.wav"
	other := recorded(t, sw, l, prompt)
	talk(sw, 5000)
	other.Hangup("")
	a := recorded(t, sw, l, dir+"/1.wav")
	record(t, l, a.UUID()+" mask "+dir+"/1.wav")
	if got := l.ask("api uuid_displace " + a.UUID() + " start " + prompt + " 0 mux"); got != "+OK Success\n" {
		t.Fatal(got)
	}
	record(t, l, a.UUID()+" start '"+dir+"/2 b.wav'")
	want := "<media-bugs>\n"
	for _, bug := range [][2]string{{"session_record", "/1.wav"}, {"displace", "/prompt.wav"}, {"session_record", "/2 b.wav"}} {
		want += " <media-bug>\n  <function>" + bug[0] + "</function>\n  <target>" + dir + bug[1] + "</target>\n  <thread-locked>0</thread-locked>\n </media-bug>\n"
	}
	if got := l.ask("api uuid_buglist " + a.UUID()); got != want+"</media-bugs>\n" {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
