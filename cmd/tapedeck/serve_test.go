package main

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// TestServe: it starts, answers, records a call, and ends.
func TestServe(t *testing.T) {
	stores(t, func(t *testing.T, config string) {
		sw1, one := clockedSwitch(t, "fs1", "ClueCon", esltest.RealTime)
		sw2, two := clockedSwitch(t, "fs2", "ClueCon", esltest.RealTime)
		s := startServe(t, twoOrganisations, config+"switches:\n"+one+two)
		s.until("ready", func() bool { status, _ := s.get("/readyz"); return status == http.StatusOK })
		if status, body := s.get("/healthz"); status != http.StatusOK || body != "ok\n" {
			t.Errorf("/healthz: %d %q", status, body)
		}
		s.metric(`tapedeck_watch_up{switch="fs1"}`, "1")
		s.metric(`tapedeck_watch_up{switch="fs2"}`, "1")
		s.metric("tapedeck_store_up", "1")
		for _, sw := range []*esltest.Switch{sw1, sw2} {
			leg := s.recorded(sw)
			sw.Talk(time.Second)
			leg.Hangup("")
		}
		s.metric(`tapedeck_calls_total{direction="inbound",state="on"}`, "2")
		s.metric(`tapedeck_recordings_total{result="complete"}`, "2")
		s.metric("tapedeck_calls_active", "0")
		code, took := s.stop()
		if code != exitDone || took > 1500*time.Millisecond {
			t.Errorf("exit code %d after %v", code, took)
		}
		if c := s.complaints(); len(c) > 0 {
			t.Errorf("complaints: %q", c)
		}
	})
}

// recorded is the outside leg of a call that is answered and being recorded.
func (s *served) recorded(sw *esltest.Switch) *esltest.Channel {
	s.Helper()
	o := office(sw, s.socket)
	leg, err := o.Inbound(s.Context(), "+442079460001")
	if err != nil {
		s.Fatal(err)
	}
	o.Ring(leg, "1002").Answer()
	s.until("the recording runs", func() bool { return leg.Get("tapedeck_state") == "on" })
	return leg
}

// lasts fails unless a leg's file is so long.
func (s *served) lasts(leg *esltest.Channel, want time.Duration) {
	s.Helper()
	got, err := esltest.Length(leg.Get("tapedeck_file"))
	if err != nil || got != want {
		s.Errorf("the file is %v long, want %v: %v", got, want, err)
	}
}

// TestServeLeavesRecordingsRunning: the call and its file go on without it.
func TestServeLeavesRecordingsRunning(t *testing.T) {
	stores(t, func(t *testing.T, config string) {
		sw, line := testSwitch(t, "fs1", "ClueCon")
		s := startServe(t, twoOrganisations, config+"switches:\n"+line)
		s.metric(`tapedeck_watch_up{switch="fs1"}`, "1")
		leg := s.recorded(sw)
		sw.Talk(time.Second)
		if code, took := s.stop(); code != exitDone || took > 1500*time.Millisecond {
			t.Errorf("exit code %d after %v", code, took)
		}
		sw.Talk(3 * time.Second)
		leg.Hangup("")
		s.lasts(leg, 4*time.Second)
		heard, err := esltest.Listen(leg.Get("tapedeck_file"), 100*time.Millisecond, outsideHz)
		if speech := esltest.Total(heard, outsideHz); err != nil || speech != 4*time.Second {
			t.Errorf("the outside party is heard for %v: %v", speech, err)
		}
	})
}

// TestServeFinishesCallInHand: a leg whose commands are on their way is served
// to its exit; later ones find the socket closed.
func TestServeFinishesCallInHand(t *testing.T) {
	leakFree(t)
	sw, line := testSwitch(t, "fs1", "ClueCon")
	s := startServe(t, twoOrganisations, "switches:\n"+line)
	s.metric(`tapedeck_watch_up{switch="fs1"}`, "1")
	inHand, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	sw.Fail(func(command, _ string) (string, bool) {
		if command == "app/export" { // the switch stands still until stop has begun
			once.Do(func() { close(inHand); <-goOn })
		}
		return "", false
	})
	leg := sw.Incoming(esltest.Leg{Number: "+447700900123", Destination: "+442079460001"})
	type end struct {
		stats esltest.SocketStats
		err   error
	}
	ended := make(chan end, 1)
	go func() {
		stats, err := leg.Socket(t.Context(), s.socket)
		ended <- end{stats, err}
	}()
	<-inHand
	s.cancel()
	s.logged(1, "stopping: no more calls are taken")
	s.until("the socket is closed", func() bool {
		c, err := net.Dial("tcp", s.socket)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(goOn)
	if e := <-ended; e.err != nil || !e.stats.Exit {
		t.Errorf("the call in hand: %+v", e)
	}
	if leg.Get("execute_on_answer_tapedeck_1") == "" {
		t.Error("its recording is not armed")
	}
	if code, _ := s.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

// TestServeStopsBesideSilentPeer: one that connects and says nothing holds the
// stop up for no longer than the grace.
func TestServeStopsBesideSilentPeer(t *testing.T) {
	leakFree(t)
	s := startServe(t, oneOrganisation, "")
	peer, err := net.Dial("tcp", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	s.metric("tapedeck_outbound_connections", "1")
	if code, took := s.stop(); code != exitDone || took > grace+time.Second {
		t.Errorf("exit code %d after %v", code, took)
	}
}

// TestServeWatchesPolicy: a valid change is applied, an invalid one refused
// with a line for each mistake, and the running policy stays.
func TestServeWatchesPolicy(t *testing.T) {
	stores(t, func(t *testing.T, config string) {
		s := startServe(t, twoOrganisations, config)
		first := attribute(s.logged(1, "policy in force"), "revision")
		s.metric(`tapedeck_policy_info{revision="`+first+`"}`, "1")

		s.replacePolicy("version: 1\norganisations:\n  acme: { colour: red, recording: 7 }\n")
		s.logged(1, "level=ERROR", "policy refused, the running one stays", ":3: ", "colour")
		s.logged(1, "level=ERROR", "policy refused, the running one stays", ":3: ", "recording")
		s.metric(`tapedeck_policy_info{revision="`+first+`"}`, "1")

		s.replacePolicy(twoOrganisations + "# the same again\n")
		s.logged(1, "says what it said before")

		s.replacePolicy(oneOrganisation)
		line := s.logged(2, "policy in force")
		if attribute(line, "replaces") != first || attribute(line, "organisations") != "1" {
			t.Errorf("%s", line)
		}
		s.metric(`tapedeck_policy_info{revision="`+attribute(line, "revision")+`"}`, "1")
		if err := os.Remove(s.policy); err != nil {
			t.Fatal(err)
		}
		s.logged(1, "level=ERROR", "policy file not read: the running policy stays")
		if status, body := s.get("/readyz"); status != http.StatusOK {
			t.Errorf("/readyz: %d %s", status, body)
		}
	})
}

// TestServeWithoutPolicy is not ready, and says so.
func TestServeWithoutPolicy(t *testing.T) {
	leakFree(t)
	s := startServe(t, "", "")
	s.logged(1, "level=ERROR", "no policy is in force", s.policy)
	if strings.Contains(s.log.String(), "running") {
		t.Errorf("a policy is said to run:\n%s", s.log)
	}
	s.replacePolicy("version: 1\norganisations:\n  acme: { colour: red }\n")
	s.logged(1, "level=ERROR", "policy refused, and none is in force", "colour")
	if status, body := s.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "no policy yet") {
		t.Errorf("/readyz: %d %q", status, body)
	}
	if status, _ := s.get("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	s.replacePolicy(oneOrganisation)
	s.logged(1, "policy in force")
	if status, body := s.get("/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: %d %q", status, body)
	}
}

// TestServeWithoutPrompts says so once.
func TestServeWithoutPrompts(t *testing.T) {
	cfg := defaults()
	cfg.Prompts.Dir = t.TempDir()
	log := newJournal()
	cfg.warnOfPrompts(slog.New(slog.NewTextHandler(log, nil)))
	if text := log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "folder="+cfg.Prompts.Dir+"/en\n") {
		t.Error(text)
	}
	if err := os.Mkdir(filepath.Join(cfg.Prompts.Dir, "en"), 0o700); err != nil {
		t.Fatal(err)
	}
	if cfg.warnOfPrompts(slog.New(slog.NewTextHandler(log, nil))); strings.Count(log.String(), "\n") != 1 {
		t.Error(log.String())
	}
}

// TestServeWithLateRedis: it works without, and brings Redis up to date later.
func TestServeWithLateRedis(t *testing.T) {
	leakFree(t)
	r := newRedis(t)
	sw, line := testSwitch(t, "fs1", "ClueCon")
	s := startServe(t, twoOrganisations, r.config()+"switches:\n"+line)
	s.logged(1, "level=WARN", "redis is away")
	s.metric("tapedeck_store_up", "0")
	s.metric(`tapedeck_watch_up{switch="fs1"}`, "1")
	leg := s.recorded(sw)
	r.start()
	s.metric("tapedeck_store_up", "1")
	other := startServe(t, "", r.config()) // sees what is in Redis alone
	other.until("the policy is in Redis", func() bool { status, _ := other.get("/readyz"); return status == http.StatusOK })
	leg.Hangup("")
}

// TestServePortInUse is one clear line and exit code 1.
func TestServePortInUse(t *testing.T) {
	leakFree(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, key := range []string{"listen", "metrics.listen"} {
		config := "policy: /nowhere\nlisten: 127.0.0.1:0\nmetrics: { listen: '127.0.0.1:0' }\nhttp: { listen: off }\n"
		if key == "listen" {
			config = strings.Replace(config, "127.0.0.1:0", taken.Addr().String(), 1)
		} else {
			config = strings.Replace(config, "'127.0.0.1:0'", "'"+taken.Addr().String()+"'", 1)
		}
		o := tapedeck("serve", "--config", write(t, "tapedeck.yaml", config))
		o.want(t, exitFailed, "", key+" in the daemon file: listen tcp "+taken.Addr().String())
		if strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, "choose another address") {
			t.Errorf("stderr is %q", o.stderr)
		}
	}
}

// TestServeWithWrongPassword: /readyz names the switch, the log says what to
// change, and the other switch is served all the same.
func TestServeWithWrongPassword(t *testing.T) {
	leakFree(t)
	sw, right := testSwitch(t, "fs1", "ClueCon")
	_, wrong := testSwitch(t, "fs2", "hunter2hunter2")
	s := startServe(t, twoOrganisations, "switches:\n"+right+wrong)
	s.logged(1, "level=WARN", "switch=fs2", "wrong password", `param \"password\" in event_socket.conf.xml`)
	s.metric(`tapedeck_watch_up{switch="fs1"}`, "1")
	s.metric(`tapedeck_watch_up{switch="fs2"}`, "0")
	if status, body := s.get("/readyz"); status != http.StatusServiceUnavailable || body != "no watch link to switch fs2: the log says why\n" {
		t.Errorf("/readyz: %d %q", status, body)
	}
	leg := s.recorded(sw)
	sw.Talk(time.Second)
	leg.Hangup("")
	s.lasts(leg, time.Second)
	if strings.Contains(s.log.String(), "hunter2") {
		t.Error("the log has the password")
	}
}

// TestServeRefusesStrangers: who is not in allow is turned away and counted.
func TestServeRefusesStrangers(t *testing.T) {
	leakFree(t)
	sw, line := testSwitch(t, "fs1", "ClueCon")
	s := startServe(t, twoOrganisations, "allow: [192.0.2.0/24]\nswitches:\n"+line)
	leg := sw.Incoming(esltest.Leg{Destination: "+442079460001"})
	if stats, err := leg.Socket(t.Context(), s.socket); err == nil || stats.Exit {
		t.Errorf("served: %+v", stats)
	}
	s.metric(`tapedeck_outbound_rejected_total{reason="peer_not_allowed"}`, "1")
	if left, err := filepath.Glob(s.dir + "/spool/*"); err != nil || len(left) > 0 {
		t.Errorf("something was recorded: %q %v", left, err)
	}
}
