package call

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/recording"
)

// TestEntryRepliesLost: FreeSWITCH does what the entry asks for, and its
// replies do not come in time, or the connection is cut.
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
			w := newWired(t)
			entry := newWire(t, w.socket)
			t.Cleanup(entry.close)
			var messages atomic.Int32
			entry.judgeBy(func(kind, _ string) verdict { // here the leg is what the commands come from
				if kind == "command" && messages.Add(1) > 1 {
					return tc.verdict
				}
				return pass
			})
			a := w.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: tc.number, ToneHz: outside})
			_, _ = a.Socket(t.Context(), entry.ln.Addr().String())
			w.ctlHas("the call", func(ctl *Controller) bool { return ctl.calls[a.UUID()] != nil })
			w.settle()
			w.answer(w.ring(a, tc.phone))
			state := a.Get("tapedeck_state")
			before := w.lengths()
			w.talk(second)
			w.truth(a, state, before)
			w.over()
			if w.hear() != tc.heard {
				t.Errorf("heard %s, wanted %s", w.hear(), tc.heard)
			}
		})
	}
}

// hostile are texts that no honest caller sends.
var hostile = map[string]string{
	"dots": "../../../../etc/x", "newline": "hostile\n\napi reboot", "return": "hostile\r\nx: y", "expanded": "${system(hostile)}",
	"long": strings.Repeat("hostile", 10<<10/7), "nul": "hostile\x00", "quotes": "hostile' \"x\" \\", "braces": "hostile},{a=b", "utf-8": "hostïle \xff",
}

// hostileVariables are those that are read, or that a caller can choose.
var hostileVariables = []string{"tapedeck_org", "tapedeck_direction", "tapedeck_element", "tapedeck_user", "tapedeck_number", "tapedeck_toggle",
	"tapedeck_call", "tapedeck_file", "user_name", "domain_name", "dialed_user", "dialed_domain", "sip_from_host", "sip_req_user", "sip_to_user",
	"effective_caller_id_number", "outbound_caller_id_number", "sip_h_X-Hostile"}

// TestHostileCalls: nothing of what a caller chooses is in a path, in a command
// or, above debug, in the log; and the call goes on.
func TestHostileCalls(t *testing.T) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWired(t)
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
			w.over()
			mu.Lock()
			defer mu.Unlock()
			w.clean("command", commands)
			w.clean("path", w.files())
			var lines []string
			for line := range strings.Lines(w.log.String()) {
				if !strings.Contains(line, "level=DEBUG") {
					lines = append(lines, line)
				}
			}
			w.clean("log line", lines)
		})
	}
}

func (w *wired) clean(what string, texts []string) {
	w.Helper()
	for _, text := range texts {
		if strings.Contains(text, "hostile") || strings.Contains(text, "..") || strings.Contains(text, "0770090") || strings.Contains(text, "+44") {
			w.Errorf("%s: %.200q", what, text)
		}
	}
}

// TestHostileUUID: a leg whose UUID is none gets no file and no command that
// FreeSWITCH could misread, and goes on.
func TestHostileUUID(t *testing.T) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			w := newWired(t)
			for _, number := range []string{"+442079460005", "+442079469999"} {
				a := w.sw.Incoming(esltest.Leg{UUID: text + number[12:], Number: "07700900123", Destination: number})
				_, _ = a.Socket(t.Context(), w.socket)
				a.Answer()
				w.talk(second)
				a.Hangup("")
			}
			w.over()
			if n := len(w.files()); n != 0 {
				t.Errorf("files: %v", w.files())
			}
		})
	}
}

// BenchmarkEntry is the time from connect to exit with 1,000 live calls, and
// BenchmarkUnmask from the answer to what is told when its unmask is confirmed.
func BenchmarkEntry(b *testing.B) {
	f := newFloor(b, testPolicy(b), nil, nil)
	for b.Loop() {
		a := f.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001"})
		if _, err := a.Socket(b.Context(), f.socket); err != nil {
			b.Fatal(err)
		}
		a.Hangup("")
	}
}

func BenchmarkUnmask(b *testing.B) {
	f := newFloor(b, testPolicy(b), nil, nil)
	told := make(chan struct{}, 1)
	f.sw.Fail(func(command, args string) (string, bool) {
		if command == "uuid_record" && strings.Contains(args, " unmask ") {
			told <- struct{}{}
		}
		return "", false
	})
	for b.Loop() {
		b.StopTimer()
		a := f.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001"})
		if _, err := a.Socket(b.Context(), f.socket); err != nil {
			b.Fatal(err)
		}
		phone := a.Dial(esltest.Leg{Profile: "internal", Destination: "1004",
			Variables: map[string]string{"dialed_user": "1004", "dialed_domain": "acme.example.net"}})
		b.StartTimer()
		phone.Answer()
		<-told
		b.StopTimer()
		a.Hangup("")
		b.StartTimer()
	}
}

// floor is a Controller with 1,000 live calls.
type floor struct {
	sw     *esltest.Switch
	socket string
	legs   []*esltest.Channel // of the outside parties
}

// spied is a watch link that tells when commands are handed to its socket, and
// when they have been answered.
type spied struct {
	Link
	handed, answered func([]esl.Command)
}

func (s spied) SendAll(ctx context.Context, commands []esl.Command) ([]esl.Reply, error) {
	s.handed(commands)
	defer s.answered(commands)
	return s.Link.SendAll(ctx, commands)
}

// newFloor makes one; seen, if not nil, is told of every event that arrives, and
// spy, if not nil, is put before its watch link.
func newFloor(b *testing.B, p *flow.Policy, seen func(*esl.Event), spy *spied) *floor {
	b.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn}))
	f := &floor{sw: esltest.New(esltest.Options{Clock: esltest.Manual})}
	address, err := f.sw.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	dir, err := recording.NewDir(b.TempDir())
	if err != nil {
		dir, _ = recording.NewDir("/tmp/tapedeck-bench")
	}
	link := &esl.Link{Name: "fs1", Address: address, Password: esl.NewSecret("ClueCon"), Subscribe: Events, Logger: log}
	var watch Link = link
	if spy != nil {
		spy.Link = link
		watch = spy
	}
	ctl := New(Config{Policy: func() *flow.Policy { return p }, Recordings: dir, Stereo: true,
		Switches: map[string]Link{"fs1": watch}, Calls: nowhere{}, Index: noIndex{}, Archive: unwritten{}, Meter: &counts{of: map[string]int{}}, Log: log})
	up := make(chan struct{})
	once := sync.OnceFunc(func() { close(up) })
	link.OnConnect = func(ctx context.Context, conn *esl.Conn) error {
		defer once()
		return ctl.Connected(ctx, "fs1", conn)
	}
	link.OnEvent = func(ev *esl.Event) {
		if seen != nil {
			seen(ev)
		}
		ctl.Watched("fs1", ev)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	f.socket = ln.Addr().String()
	server := &esl.Server{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Handle: ctl.Handle, Logger: log}
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { _ = ctl.Run(ctx) })
	parts.Go(func() { _ = link.Run(ctx) })
	parts.Go(func() { _ = server.Serve(ctx, ln) })
	b.Cleanup(func() {
		stop()
		parts.Wait()
		_ = f.sw.Close()
	})
	<-up
	for range 1000 {
		a := f.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460004"})
		if _, err := a.Socket(b.Context(), f.socket); err != nil {
			b.Fatal(err)
		}
		f.legs = append(f.legs, a)
	}
	for live := 0; live < 1000; time.Sleep(time.Millisecond) {
		ctl.ask(b.Context(), func(now time.Time) { live = len(ctl.calls) })
	}
	return f
}
