package call

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tapedeck/esl/esltest"
)

// TestEntryRepliesLost: FreeSWITCH carries out the commands of an entry, and its
// replies come too late, or the connection is cut.
func TestEntryRepliesLost(t *testing.T) {
	for _, tc := range []struct {
		name, number, phone string
		verdict             verdict
		heard               string
	}{
		{"armed, replies late", "+442079460005", "1002", stall, "0s-1s 440|1320"},
		{"armed, cut", "+442079460005", "1002", cut, "0s-1s 440|1320"},
		{"armed masked, replies late", "+442079460001", "1004", stall, "0s-1s 440|2200"},
		{"armed masked, cut", "+442079460001", "1004", cut, "0s-1s 440|2200"},
		{"armed masked for one who says no, replies late", "+442079460001", "1002", stall, "0s-1s -|-"},
		{"armed masked for one who says no, cut", "+442079460001", "1002", cut, "0s-1s -|-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newProxied(t)
			w.hurry()
			entry := newProxy(t, w.socket)
			t.Cleanup(entry.close)
			var messages atomic.Int32
			entry.judgeBy(func(kind, _ string) verdict { // in this connection the leg's data counts as a command
				if kind == "command" && messages.Add(1) > 1 {
					return tc.verdict
				}
				return pass
			})
			a := w.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: tc.number, ToneHz: outside})
			_, _ = a.Socket(t.Context(), entry.ln.Addr().String())
			w.waitFor("the call", func(ctl *Controller) bool { return ctl.calls[a.UUID()] != nil })
			w.settle()
			w.answer(w.ring(a, tc.phone))
			w.waitFor("the state to be certain", func(ctl *Controller) bool { return !ctl.calls[a.UUID()].timers.confirm.running() })
			w.settle()
			state := a.Get("tapedeck_state")
			before := w.fileSeconds()
			w.talk(second)
			w.checkStateIsWritten(a, state, before)
			w.endAll()
			if w.writtenTones() != tc.heard {
				t.Errorf("heard %s, wanted %s", w.writtenTones(), tc.heard)
			}
		})
	}
}

// hostile are texts that no honest caller sends.
var hostile = map[string]string{
	"dots": "../../../../etc/x", "newline": "hostile\n\napi reboot", "return": "hostile\r\nx: y", "expanded": "${system(hostile)}",
	"long": strings.Repeat("hostile", 10<<10/7), "nul": "hostile\x00", "quotes": "hostile' \"x\" \\", "braces": "hostile},{a=b", "utf-8": "hostïle \xff",
}

// hostileVariables are the variables that Tapedeck reads or that a caller can
// choose.
var hostileVariables = []string{"tapedeck_org", "tapedeck_direction", "tapedeck_element", "tapedeck_user", "tapedeck_number", "tapedeck_toggle",
	"tapedeck_call", "tapedeck_file", "user_name", "domain_name", "dialed_user", "dialed_domain", "sip_from_host", "sip_req_user", "sip_to_user",
	"effective_caller_id_number", "outbound_caller_id_number", "sip_h_X-Hostile"}

// TestHostileCalls: nothing that a caller chooses gets into a path, a command or,
// above debug level, the log; and the call goes on.
func TestHostileCalls(t *testing.T) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newProxied(t)
			var mu sync.Mutex
			var commands []string
			w.sw.Fail(func(command, args string) (string, bool) {
				mu.Lock()
				defer mu.Unlock()
				commands = append(commands, command+" "+args)
				return "", false
			})
			for _, variable := range hostileVariables {
				a := w.sw.Incoming(esltest.Leg{Name: text, Number: text, Destination: "+442079460005", ToneHz: outside,
					Variables: map[string]string{variable: text}})
				_, err := a.Socket(t.Context(), w.socket)
				w.must(err)
				w.ring(a, "1004").Answer()
				a.Hangup("")
				b := w.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1001", Destination: text,
					Variables: map[string]string{"user_name": "1001", "domain_name": "acme.example.net", variable: text}})
				_, err = b.Socket(t.Context(), w.socket)
				w.must(err)
				w.out(b).Answer()
				b.Hangup("")
			}
			w.endAll()
			mu.Lock()
			defer mu.Unlock()
			w.checkClean("command", commands)
			w.checkClean("path", w.files())
			var lines []string
			for line := range strings.Lines(w.log.String()) {
				if !strings.Contains(line, "level=DEBUG") {
					lines = append(lines, line)
				}
			}
			w.checkClean("log line", lines)
		})
	}
}

func (w *proxied) checkClean(what string, texts []string) {
	w.Helper()
	for _, text := range texts {
		if strings.Contains(text, "hostile") || strings.Contains(text, "..") || strings.Contains(text, "0770090") || strings.Contains(text, "+44") {
			w.Errorf("%s: %.200q", what, text)
		}
	}
}

// TestHostileUUID: a leg whose UUID is not a UUID gets no file and no command that
// FreeSWITCH could misread, and goes on.
func TestHostileUUID(t *testing.T) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			w := newProxied(t)
			for _, number := range []string{"+442079460005", "+442079469999"} {
				a := w.sw.Incoming(esltest.Leg{UUID: text + number[12:], Number: "07700900123", Destination: number})
				_, _ = a.Socket(t.Context(), w.socket)
				a.Answer()
				w.talk(second)
				a.Hangup("")
			}
			w.endAll()
			if n := len(w.files()); n != 0 {
				t.Errorf("files: %v", w.files())
			}
		})
	}
}

// TestSecondSDP: the SDP of a caller's INVITE with several parts is not sent on to the phones,
// which would send their sound past FreeSWITCH. Parts without an SDP are, and those of a user.
func TestSecondSDP(t *testing.T) {
	for parts, want := range map[string]string{
		"application/sdp:v=0":                      "",
		"ARRAY::application/sdp:v=0|:text/plain:x": "",
		"Application/SDP:v=0":                      "",
		"multipart/alternative; boundary=x:--x\r\nContent-Type: application / sdp\r\n": "",
		"text/plain:~Content-Type: application / sdp\r\n\r\nv=0":                       "",
		"application/pidf+xml:<presence/>":                                             "application/pidf+xml:<presence/>",
	} {
		fx := newFixture(t)
		in := fx.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460005", Variables: map[string]string{"sip_multipart": parts}})
		out := fx.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1001", Destination: "07700900123",
			Variables: map[string]string{"user_name": "1001", "domain_name": "acme.example.net", "sip_multipart": parts}})
		for leg, want := range map[*esltest.Channel]string{in: want, out: parts} { // a user's may have the place of an emergency
			fx.enter(leg)
			if got := leg.Get("sip_multipart"); got != want {
				t.Errorf("%q has become %q, want %q", parts, got, want)
			}
			leg.Hangup("")
		}
	}
}

// TestVerboseCall: a call is recorded however much its caller writes into the INVITE, over
// TCP up to 2 MB (nta.c, sa_maxsize): FreeSWITCH makes variables of headers. The link
// stays up.
func TestVerboseCall(t *testing.T) {
	many := map[string]string{}
	for i := range 10_000 {
		many[fmt.Sprint("sip_h_X-", i)] = "x"
	}
	for what, variables := range map[string]map[string]string{
		"many headers": many, "a large one": {"sip_h_X-Large": strings.Repeat("\"", 300<<10)}, // each byte is three in the channel's data
	} {
		fx := newFixture(t)
		a := fx.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460005", ToneHz: outside, Variables: variables})
		fx.enter(a)
		fx.answer(fx.ring(a, "1004"))
		fx.wantState(a, "on")
		fx.talk(second)
		a.Hangup("")
		fx.settle()
		fx.wantWritten("0s-1s 440|2200")
		if down := fx.log.Lines("link is down"); len(down) > 0 {
			t.Errorf("%s: %s", what, down)
		}
	}
}
