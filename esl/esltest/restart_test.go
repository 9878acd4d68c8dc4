package esltest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// TestRestart: after a kill the connections are cut, there are no channels and no
// events, the core's UUID is new, and the files have whole blocks and an unfinished
// header.
func TestRestart(t *testing.T) {
	sw, _ := realFiles(t)
	address := listen(t, sw)
	l := login(t, address)
	l.ask("event plain ALL")
	long, short := filepath.Join(t.TempDir(), "long.wav"), filepath.Join(t.TempDir(), "short.wav")
	a := recorded(t, sw, l, long)
	talk(sw, 1500)
	record(t, l, a.UUID()+" start "+short)
	talk(sw, 1500)
	l.drain()
	legs, core := sw.Channels(), sw.CoreUUID()
	sw.Restart()
	if m, err := readMessage(l.in); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the restart: %q, %v", m.raw, err)
	}
	for _, leg := range legs {
		<-leg.Done()
		leg.Hangup("")
		leg.Set("a", "b")
		if leg.Dial(esltest.Leg{Destination: "1"}) != nil || leg.Execute("set", "a=b") == nil {
			t.Error("a leg of the last run does something")
		}
	}
	wantHead(t, long, 65580, 8, 0)
	wantHead(t, short, 44, 8, 0)
	hear(t, long, "0s-2s 440|880") // and 48 ms

	l = login(t, address)
	l.ask("event plain ALL")
	if got := l.ask("api show channels as json"); got != "{\"row_count\": 0}\n" {
		t.Error(got)
	}
	if got := l.ask("api uuid_dump " + a.UUID()); got != "-ERR No such channel!\n" {
		t.Error(got)
	}
	if got := l.ask("api global_getvar core_uuid"); got == core || got != sw.CoreUUID() {
		t.Errorf("core_uuid is %s, was %s", got, core)
	}
	talk(sw, 10000)
	a.PressDigits("1")
	if got := l.drain(); len(got) > 0 {
		t.Errorf("events of the last run: %v", got)
	}
	wantHead(t, long, 65580, 8, 0)
	again := recorded(t, sw, l, filepath.Join(t.TempDir(), "again.wav"))
	again.Hangup("")
}

// TestRestartInSocket: a leg that is on its socket ends too.
func TestRestartInSocket(t *testing.T) {
	sw, _ := newSwitch(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a := caller(sw)
	ended := make(chan esltest.SocketStats)
	go func() {
		stats, _ := a.Socket(context.Background(), ln.Addr().String())
		ended <- stats
	}()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("connect\n\n"))
	if n, err := conn.Read(make([]byte, 1)); n != 1 {
		t.Fatal(err)
	}
	sw.Restart()
	if stats := <-ended; stats.Exit {
		t.Errorf("%+v", stats)
	}
}

// TestRestartInApplication: a leg of the last run fires no more events.
func TestRestartInApplication(t *testing.T) {
	sw := esltest.New(esltest.Options{})
	t.Cleanup(func() { sw.Close() })
	address := listen(t, sw)
	l := login(t, address)
	l.ask("event plain ALL")
	a := caller(sw)
	ended := make(chan error)
	go func() { ended <- a.Execute("sleep", "200") }()
	l.event("CHANNEL_EXECUTE")
	sw.Restart()
	l = login(t, address)
	l.ask("event plain ALL")
	<-ended
	if got := l.drain(); len(got) > 0 {
		t.Errorf("events of the last run: %v", got)
	}
}

// TestShutdown: FreeSWITCH hangs up every call before it ends, as captured.
func TestShutdown(t *testing.T) {
	sw, l := newSwitch(t)
	path := filepath.Join(t.TempDir(), "a.wav")
	recorded(t, sw, l, path)
	talk(sw, 500)
	sw.Shutdown()
	var got []string
	for {
		m, err := readMessage(l.in)
		if err != nil {
			break
		}
		e := decodeEvent(m.body)
		switch name := e.get("Event-Name"); name {
		case "SHUTDOWN", "RECORD_STOP", "CHANNEL_HANGUP_COMPLETE":
			got = append(got, name+" "+e.get("Hangup-Cause"))
		}
	}
	want := []string{"SHUTDOWN ", "RECORD_STOP SYSTEM_SHUTDOWN", "CHANNEL_HANGUP_COMPLETE SYSTEM_SHUTDOWN", "CHANNEL_HANGUP_COMPLETE SYSTEM_SHUTDOWN"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	wantHead(t, path, 44+16000, 36+16000, 16000)
}

// TestFreeze: replies and events come only when it is over; then all of them come.
func TestFreeze(t *testing.T) {
	sw, l := newSwitch(t)
	address := listen(t, sw)
	a := caller(sw)
	l.drain()
	const frozen = 300 * time.Millisecond
	begin := time.Now()
	sw.Freeze(frozen)
	a.Hangup("")
	late := dial(t, address)
	if m := late.reply(); m.get("Content-Type") != "auth/request" || time.Since(begin) < frozen {
		t.Errorf("after %v the greeting is %q", time.Since(begin), m.raw)
	}
	sw.Freeze(frozen)
	begin = time.Now()
	if got := l.ask("api uuid_exists " + a.UUID()); got != "false" || time.Since(begin) < frozen/2 {
		t.Errorf("after %v: %q", time.Since(begin), got)
	}
	if got := names(l.drain(), "CHANNEL_HANGUP_COMPLETE"); len(got) != 1 {
		t.Errorf("events: %v", got)
	}
}

// TestFreezeSocket: the outbound socket is frozen too.
func TestFreezeSocket(t *testing.T) {
	sw, _ := newSwitch(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const frozen = 300 * time.Millisecond
	begin := time.Now()
	sw.Freeze(frozen)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			conn.Write([]byte("connect\n\nexit\n\n"))
			defer conn.Close()
			_, _ = io.Copy(io.Discard, conn) // until Socket ends it
		}
	}()
	if stats, err := caller(sw).Socket(context.Background(), ln.Addr().String()); err != nil || !stats.Exit || time.Since(begin) < frozen {
		t.Errorf("after %v: %+v, %v", time.Since(begin), stats, err)
	}
}
