package esltest_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestReplies compares with the replies of a real FreeSWITCH 1.10.12 to the same
// commands.
func TestReplies(t *testing.T) {
	sw, l := newSwitch(t)
	tests := []struct{ command, want string }{
		{"api show channels as json", "{\"row_count\": 0}\n"},
		{"api show channels count", "\n0 total.\n"},
		{"api show channels", "\n0 total.\n"},
		{"api show channels count as json", "{\"row_count\":0,\"rows\":[]}"},
		{"api show channels as bogus", "-ERR Cannot find format bogus\n"},
		{"api version short", "1.10.12-release\n"},
		{"api uuid_setvar_multi", "-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"},
		{"api uuid_setvar_multi a b=c", "-ERR No such channel!\n-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"},
		{"api uuid_setvar_multi a", "-ERR no reply\n"},
		{"api uuid_dump x", "-ERR No such channel!\n"},
		{"api uuid_getvar", "-USAGE: <uuid> <var>\n"},
		{"api uuid_getvar a b", "-ERR No such channel!\n"},
		{"api uuid_setvar a", "-USAGE: <uuid> <var> [value]\n"},
		{"api uuid_setvar a b c", "-ERR No such channel!\n"},
		{"api uuid_kill", "-USAGE: <uuid> [cause]\n"},
		{"api uuid_kill x", "-ERR No such channel!\n"},
		{"api uuid_displace x start", "-USAGE: <uuid> [start|stop] <path> [<limit>] [mux]\n"},
		{"api uuid_displace x start /a.wav", "-ERR Cannot locate session!\n"},
		{"api uuid_broadcast", "-USAGE: <uuid> <path> [aleg|bleg|holdb|both]\n"},
		{"api uuid_broadcast x y", "-ERR invalid uuid\n"},
		{"api uuid_record", "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"},
		{"api uuid_record x bogus y", "-ERR Cannot locate session!\n"},
		{"api uuid_buglist", "-USAGE: <uuid>\n"},
		{"api uuid_buglist x", "-ERR no reply\n"},
		{"api uuid_exists", "false"},
		{"api global_getvar nosuch", "-ERR no reply\n"},
		{"api global_getvar core_uuid", sw.CoreUUID()},
		{"api nonsense", "-ERR nonsense Command not found!\n"},
		{"event", "-ERR no keywords supplied"},
		{"event plain NOSUCH", "-ERR no keywords supplied"},
		{"event plain ALL", "+OK event listener enabled plain"},
		{"nixevent", "-ERR no keywords supplied"},
		{"nixevent ALL", "+OK events nixed"},
		{"filter", "-ERR command not found"},
		{"filter a b", "+OK filter added. [a]=[b]"},
		{"filter delete a", "+OK filter deleted. [a][]"},
		{"linger", "-ERR not controlling a session"},
		{"nolinger", "-ERR not controlling a session"},
		{"myevents", "-ERR command not found"},
		{"getvar x", "-ERR command not found"},
		{"connect", "-ERR command not found"},
		{"sendmsg", "-ERR invalid session id []"},
		{"sendmsg x", "-ERR invalid session id [x]"},
		{"noevents", "+OK no longer listening for events"},
		{"noevents", "-ERR not listening for events"},
		{"api", "-ERR command not found"},
	}
	for _, test := range tests {
		if got := l.ask(test.command); got != test.want {
			t.Errorf("%s: %q, want %q", test.command, got, test.want)
		}
	}
}

// TestSetvar: how FreeSWITCH reads a value, as measured. Quotes and escapes are
// removed, `%41` stays and is not encoded in events, names have no case.
func TestSetvar(t *testing.T) {
	sw, l := newSwitch(t)
	c := caller(sw)
	tests := []struct{ args, name, want, wire string }{
		{"q1 'it is'", "q1", "it is", "it%20is"},
		{"q2 a%41b", "q2", "a%41b", "a%41b"},
		{`q3 back\\slash \n x`, "q3", "back\\slash \n x", "back%5Cslash%20%0A%20x"},
		{"Q4 1", "q4", "1", "1"},
		{"q5 'a", "q5", "'a", "'a"},
		{"q6 ${uuid}", "q6", "${uuid}", "$%7Buuid%7D"},
		{"q7 two words", "q7", "two words", "two%20words"},
		{"q8 größe", "q8", "größe", "gr%C3%B6%C3%9Fe"},
	}
	for _, test := range tests {
		if got := l.ask("api uuid_setvar " + c.UUID() + " " + test.args); got != "+OK\n" {
			t.Errorf("%s: %q", test.args, got)
		}
		if got := l.ask("api uuid_getvar " + c.UUID() + " " + test.name); got != test.want {
			t.Errorf("%s: %q, want %q", test.args, got, test.want)
		}
		dump := l.ask("api uuid_dump " + c.UUID())
		if line := "variable_" + strings.Fields(test.args)[0] + ": " + test.wire + "\n"; !strings.Contains(dump, line) {
			t.Errorf("%s: no line %q in the dump", test.args, line)
		}
	}
	if got := l.ask("api uuid_setvar_multi " + c.UUID() + " a=1;b=${x};c"); got != "+OK\n" {
		t.Error(got)
	}
	if a, b := c.Get("a"), c.Get("b"); a != "1" || b != "" {
		t.Errorf("a is %q, b is %q: a value with a variable in it must be refused", a, b)
	}
	l.ask("api uuid_setvar " + c.UUID() + " a")
	if c.Get("a") != "" {
		t.Error("a variable without a value stays")
	}
}

func TestShowChannels(t *testing.T) {
	sw, l := newSwitch(t)
	a := caller(sw)
	a.Set("current_application_data", `<"&`)
	b := ring(a, "1001")
	b.Answer()
	reply := l.ask("api show channels as json")
	var table struct {
		Count int                 `json:"row_count"`
		Rows  []map[string]string `json:"rows"`
	}
	if err := json.Unmarshal([]byte(reply), &table); err != nil {
		t.Fatal(err)
	}
	if table.Count != 2 || len(table.Rows) != 2 || table.Rows[0]["uuid"] != a.UUID() || table.Rows[1]["call_uuid"] != a.UUID() ||
		table.Rows[1]["name"] != "sofia/internal/1001@127.0.0.1:6060" || len(table.Rows[0]) != 38 {
		t.Error(reply)
	}
	if got := l.ask("api show channels count"); got != "\n2 total.\n" {
		t.Error(got)
	}
	if got := l.ask("api uuid_exists " + b.UUID()); got != "true" {
		t.Error(got)
	}
	if got := l.ask("api uuid_kill " + b.UUID() + " USER_BUSY"); got != "+OK\n" {
		t.Error(got)
	}
	if got := l.ask("api uuid_exists " + b.UUID()); got != "false" {
		t.Error(got)
	}
	if e := find(t, l.drain(), "CHANNEL_HANGUP_COMPLETE"); e.get("Hangup-Cause") != "USER_BUSY" {
		t.Error(e)
	}
	if len(sw.Channels()) != 0 {
		t.Error("channels are left")
	}
}

// TestDump: the default format is percent-encoded, `plain` is not.
func TestDump(t *testing.T) {
	sw, l := newSwitch(t)
	c := caller(sw)
	dump := decodeEvent(l.ask("api uuid_dump " + c.UUID()))
	if dump.get("Event-Name") != "CHANNEL_DATA" || dump.get("Unique-ID") != c.UUID() || dump.get("variable_sip_from_user") != "+442079460123" {
		t.Error(dump)
	}
	if plain := l.ask("api uuid_dump " + c.UUID() + " plain"); !strings.Contains(plain, "variable_sip_from_user: [+442079460123]\n") {
		t.Error(plain)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(l.ask("api uuid_dump "+c.UUID()+" json")), &object); err != nil || object["Unique-ID"] != c.UUID() {
		t.Error(object, err)
	}
}

func TestBackgroundJob(t *testing.T) {
	_, l := newSwitch(t)
	if got := l.ask("bgapi global_getvar nosuch\nJob-UUID: job-1"); got != "+OK Job-UUID: job-1" {
		t.Error(got)
	}
	m, err := readMessage(l.in)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(m.body, "\n\n")
	if e := decodeEvent(head); e.get("Event-Name") != "BACKGROUND_JOB" || e.get("Job-UUID") != "job-1" || body != "-ERR no reply\n" {
		t.Errorf("%q", m.body)
	}
}

// TestExecuteOnAnswer: every variable with the prefix runs before the channel is
// bridged, in the order in which they were set, applications before API commands.
func TestExecuteOnAnswer(t *testing.T) {
	sw, l := newSwitch(t)
	a := caller(sw)
	l.ask("api uuid_setvar " + a.UUID() + " api_on_answer_b uuid_setvar " + a.UUID() + " last api-b")
	a.Set("execute_on_answer_2", "set last=two")
	a.Set("execute_on_answer", "set last=one-${last}")
	a.Set("execute_on_answer_2", "set last=two-${last}") // now after the other one
	a.Set("api_on_answer", "uuid_setvar "+a.UUID()+" then ${last}")
	a.Set("nolocal:execute_on_answer", "set wrong=1")
	ring(a, "1001").Answer()
	if last, then := a.Get("last"), a.Get("then"); last != "api-b" || then != "api-b" {
		t.Errorf("last is %q, then is %q", last, then)
	}
	var executed []string
	for _, e := range l.drain() {
		if e.get("Event-Name") == "CHANNEL_EXECUTE" {
			executed = append(executed, e.get("Application-Data"))
		}
		if e.get("Event-Name") == "CHANNEL_BRIDGE" && e.get("variable_last") != "api-b" {
			t.Error("bridged before the variables ran")
		}
	}
	if want := []string{"last=one-", "last=two-one-"}; !slices.Equal(executed, want) {
		t.Errorf("executed %q, want %q", executed, want)
	}
	if a.Get("wrong") != "" {
		t.Error("a variable for the other leg alone ran here")
	}
}

// TestExport: as a real FreeSWITCH showed, the dialling leg keeps `nolocal:` in the
// variable's name, and the new leg gets the variable without it, and the list.
func TestExport(t *testing.T) {
	sw, l := newSwitch(t)
	a := caller(sw)
	for _, args := range []string{"nolocal:execute_on_answer=set hello=1", "tapedeck_call=xyz"} {
		if err := a.Execute("export", args); err != nil {
			t.Fatal(err)
		}
	}
	a.Set("bad", "${x}")
	a.Set("export_vars", a.Get("export_vars")+",bad,absent")
	b := ring(a, "1001")
	create := happened(nil)
	for _, e := range l.drain() {
		if e.get("Event-Name") == "CHANNEL_CREATE" {
			create = e
		}
	}
	if create.get("variable_tapedeck_call") != "xyz" || create.get("variable_execute_on_answer") != "set hello=1" ||
		create.get("variable_export_vars") != "nolocal:execute_on_answer,tapedeck_call,bad,absent" || create.get("variable_bad") != "" {
		t.Errorf("CHANNEL_CREATE of the new leg: %v", []pair(create))
	}
	if dump := l.ask("api uuid_dump " + a.UUID()); !strings.Contains(dump, "\nvariable_nolocal:execute_on_answer: set%20hello%3D1\n") {
		t.Error("the dialling leg's variable has not kept its nolocal:")
	}
	b.Answer()
	if b.Get("hello") != "1" || a.Get("hello") != "" {
		t.Errorf("hello is %q on the new leg, %q on the dialling one", b.Get("hello"), a.Get("hello"))
	}
	c := ring(b, "1002") // a variable with nolocal: goes to the next leg only
	if c.Get("execute_on_answer") != "" || c.Get("tapedeck_call") != "xyz" {
		t.Error("exports of an exported leg")
	}
}

// TestUnknownApplication: the leg is hung up, as in FreeSWITCH.
func TestUnknownApplication(t *testing.T) {
	sw, l := newSwitch(t)
	a := caller(sw)
	if got := l.ask("sendmsg " + a.UUID() + "\ncall-command: execute\nexecute-app-name: recrod_session"); got != "+OK" {
		t.Error(got)
	}
	if e := find(t, l.drain(), "CHANNEL_HANGUP_COMPLETE"); e.get("Hangup-Cause") != "DESTINATION_OUT_OF_ORDER" {
		t.Error(e)
	}
}

// TestCallerGivesUp: the ringing legs end first.
func TestCallerGivesUp(t *testing.T) {
	sw, l := newSwitch(t)
	a := caller(sw)
	a.Set("execute_on_answer", "record_session "+t.TempDir()+"/a.wav")
	b, c := ring(a, "1001"), ring(a, "1002")
	a.Hangup("ORIGINATOR_CANCEL")
	var ended []string
	for _, e := range l.drain() {
		switch e.get("Event-Name") {
		case "CHANNEL_HANGUP_COMPLETE":
			ended = append(ended, e.get("Unique-ID")+" "+e.get("Hangup-Cause"))
		case "CHANNEL_ANSWER", "RECORD_START", "CHANNEL_BRIDGE", "CHANNEL_PROGRESS_MEDIA":
			t.Error(e)
		}
	}
	want := []string{b.UUID() + " ORIGINATOR_CANCEL", c.UUID() + " ORIGINATOR_CANCEL", a.UUID() + " ORIGINATOR_CANCEL"}
	if !slices.Equal(ended, want) {
		t.Errorf("ended %v, want %v", ended, want)
	}
}

// TestBusy: when the dialled leg is refused, the dialling one stays in the dialplan.
func TestBusy(t *testing.T) {
	sw, _ := newSwitch(t)
	a := caller(sw)
	ring(a, "1001").Hangup("USER_BUSY")
	if a.Get("DIALSTATUS") != "BUSY" || a.Get("originate_disposition") != "USER_BUSY" {
		t.Error(a.Get("DIALSTATUS"), a.Get("originate_disposition"))
	}
	b := ring(a, "1002")
	b.Answer()
	if a.Get("DIALSTATUS") != "SUCCESS" || a.Get("bridge_uuid") != b.UUID() {
		t.Error("the second leg is not bridged")
	}
}
