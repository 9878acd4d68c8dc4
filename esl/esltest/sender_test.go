package esltest_test

import (
	"bufio"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// linkFrom makes a link from another IP address of this machine.
func linkFrom(t *testing.T, l *link, ip string) *link {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	conn, err := dialer.Dial("tcp", l.conn.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	other := &link{t: t, conn: conn, in: bufio.NewReader(conn)}
	other.reply() // the greeting
	if got := other.ask("auth ClueCon"); got != "+OK accepted" {
		t.Fatalf("auth: %q", got)
	}
	return other
}

// TestToldDeaf: what FreeSWITCH itself changes while the product does not hear it is
// excused until a time after that, on the legs that it concerns. A command is not.
func TestToldDeaf(t *testing.T) {
	const within = 5 * time.Millisecond
	type scene struct {
		sw    *esltest.Switch
		l     *link
		a, b  *esltest.Channel
		file  string
		still *atomic.Bool // this machine stands still: no time passes
	}
	hangOver := func(s scene) { // B goes, and C comes
		s.b.BlindTransfer("1002")
		s.a.Dial(esltest.Leg{UUID: "C", Profile: "internal", Destination: "1002"}).Answer()
	}
	record := func(s scene, verb string) { s.l.ask("api uuid_record A " + verb + " " + s.file) }
	passes := func(s scene) { // the time itself is what is tested
		s.still.Store(false)
		time.Sleep(2 * within)
	}
	for _, tc := range []struct {
		name string
		want int // legs that are told something untrue
		do   func(scene)
	}{
		{"a command", 2, func(s scene) { s.sw.Deafen(true); record(s, "start") }},
		{"a command after the switch has changed who hears", 0, func(s scene) { s.sw.Deafen(true); hangOver(s); passes(s); record(s, "start") }},
		{"shortly after it", 0, func(s scene) { s.sw.Deafen(true); hangOver(s); s.sw.Deafen(false); record(s, "start") }},
		{"long after it", 2, func(s scene) {
			s.sw.Deafen(true)
			hangOver(s)
			s.sw.Deafen(false)
			passes(s)
			record(s, "start")
		}},
		{"another leg", 2, func(s scene) {
			s.sw.Deafen(true)
			s.sw.Incoming(esltest.Leg{UUID: "D"}).Dial(esltest.Leg{UUID: "E", Profile: "internal", Destination: "1003"}).Answer()
			record(s, "start")
		}},
		{"who came shortly before", 0, func(s scene) { hangOver(s); s.sw.Deafen(true); passes(s); record(s, "start") }},
		{"who came long before", 2, func(s scene) { hangOver(s); passes(s); s.sw.Deafen(true); record(s, "start") }},
		{"a link is missing", 0, func(s scene) {
			s.l.ask("exit")
			for s.sw.Links() > 0 {
				time.Sleep(time.Millisecond)
			}
			hangOver(s)
			passes(s)
			s.still.Store(true)
			record(scene{l: linkFrom(t, s.l, "127.0.0.1"), file: s.file}, "start")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := scene{file: filepath.Join(t.TempDir(), "a.wav"), still: &atomic.Bool{}}
			s.still.Store(true)
			s.sw, s.l = newSwitch(t)
			s.sw.CheckTold(esltest.Told{Within: within, Links: 1, Stall: func(from, to time.Time) time.Duration {
				if s.still.Load() {
					return to.Sub(from)
				}
				return 0
			}})
			s.a = s.sw.Incoming(esltest.Leg{UUID: "A", ToneHz: 440})
			s.b = s.a.Dial(esltest.Leg{UUID: "B", Profile: "internal", Destination: "1001", ToneHz: 880})
			s.b.Answer()
			s.sw.Untold()
			tc.do(s)
			if wrong := s.sw.Misled(); len(wrong) != tc.want {
				t.Errorf("%d legs are told something untrue, want %d: %q", len(wrong), tc.want, wrong)
			}
		})
	}
}

// TestToldStall: as long as this machine stood still, so much longer is the time.
func TestToldStall(t *testing.T) {
	sw, l := newSwitch(t)
	var stall atomic.Int64
	stall.Store(int64(time.Hour))
	sw.CheckTold(esltest.Told{Within: time.Millisecond, Stall: func(time.Time, time.Time) time.Duration { return time.Duration(stall.Load()) }})
	a := caller(sw)
	ring(a, "1001").Answer()
	if err := a.Execute("record_session", filepath.Join(t.TempDir(), "a.wav")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond) // longer than Within
	l.ask("api status")
	if wrong := sw.Misled(); len(wrong) > 0 {
		t.Errorf("found although the machine stood still: %q", wrong)
	}
	stall.Store(0)
	l.ask("api status")
	if wrong := sw.Misled(); len(wrong) != 2 {
		t.Errorf("found %d times: %q", len(wrong), wrong)
	}
}

// TestToldSeveral: of two controllers only that is judged which one of them must know.
func TestToldSeveral(t *testing.T) {
	type scene struct {
		sw       *esltest.Switch
		one, two *link
		file     string
		recorded string // the prompt
	}
	state := func(l *link, value string) {
		for _, leg := range []string{"A", "B"} {
			l.ask("api uuid_setvar " + leg + " tapedeck_state " + value)
		}
	}
	record := func(s scene, l *link, verb string) { l.ask("api uuid_record A " + verb + " " + s.file) }
	for _, tc := range []struct {
		name string
		want int
		do   func(scene)
	}{
		{"it resumes what it told", 2, func(s scene) { state(s.one, "paused"); record(s, s.one, "start") }},
		{"it resumes, and tells on before", 0, func(s scene) { state(s.one, "paused"); state(s.one, "on"); record(s, s.one, "start") }},
		{"the other has told", 0, func(s scene) { state(s.one, "on"); state(s.two, "paused"); record(s, s.one, "start") }},
		{"nobody has told", 0, func(s scene) { record(s, s.one, "start") }},
		{"it tells paused of its own file", 2, func(s scene) { state(s.one, "on"); record(s, s.one, "start"); state(s.one, "paused") }},
		{"it tells paused of the other's file", 0, func(s scene) { state(s.two, "on"); record(s, s.two, "start"); state(s.one, "paused") }},
		{"Recorded, and its own file is written", 1, func(s scene) {
			state(s.one, "on")
			record(s, s.one, "start")
			s.one.ask("api uuid_displace B start " + s.recorded + " 0 mux")
		}},
		{"Recorded, and the other's file is written", 0, func(s scene) {
			state(s.two, "on")
			record(s, s.two, "start")
			s.one.ask("api uuid_displace B start " + s.recorded + " 0 mux")
		}},
		{"in a room", 0, func(s scene) {
			state(s.one, "paused")
			for _, leg := range s.sw.Channels() {
				leg.Conference("3000")
			}
			s.sw.Untold()
			record(s, s.one, "start")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := scene{file: filepath.Join(t.TempDir(), "a.wav")}
			var err error
			if s.recorded, err = filepath.Abs("../../freeswitch-conf/sounds/en/8000/recorded.wav"); err != nil {
				t.Fatal(err)
			}
			s.sw, s.one = newSwitch(t)
			s.two = linkFrom(t, s.one, "127.0.0.2")
			s.sw.CheckTold(esltest.Told{Several: true})
			a := s.sw.Incoming(esltest.Leg{UUID: "A", ToneHz: 440})
			a.Dial(esltest.Leg{UUID: "B", Profile: "internal", Destination: "1001", ToneHz: 880}).Answer()
			s.sw.Untold()
			tc.do(s)
			if wrong := append(s.sw.Misled(), s.sw.Untold()...); len(wrong) != 2*tc.want { // Untold repeats them
				t.Errorf("found %d times, want %d: %q", len(wrong), 2*tc.want, wrong)
			}
		})
	}
}
