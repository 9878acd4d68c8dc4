package daemon_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/spooltest"
	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
)

// TestServe: it starts, answers, records a call, and ends.
func TestServe(t *testing.T) {
	daemontest.EachStore(t, func(t *testing.T, store string) {
		sw1, one := daemontest.Switch(t, "fs1", "ClueCon", esltest.RealTime)
		sw2, two := daemontest.Switch(t, "fs2", "ClueCon", esltest.RealTime)
		s := daemontest.Start(t, spooltest.TwoOrganisations, store+"switches:\n"+one+two)
		s.Ready()
		if status, body := s.Get("/healthz"); status != http.StatusOK || body != "ok\n" {
			t.Errorf("/healthz: %d %q", status, body)
		}
		s.Metric(`tapedeck_watch_up{switch="fs1"}`, "1")
		s.Metric(`tapedeck_watch_up{switch="fs2"}`, "1")
		s.Metric("tapedeck_store_up", "1")
		for _, sw := range []*esltest.Switch{sw1, sw2} {
			leg := s.Recorded(sw)
			sw.Talk(time.Second)
			leg.Hangup("")
		}
		s.Metric(`tapedeck_calls_total{direction="inbound",state="on"}`, "2")
		s.Metric(`tapedeck_recordings_total{result="complete"}`, "2")
		s.Metric("tapedeck_calls_active", "0")
		took, err := s.Stop()
		if err != nil || took > 1500*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
		if c := s.Complaints(); len(c) > 0 {
			t.Errorf("complaints: %q", c)
		}
	})
}

// TestServeLeavesRecordingsRunning: the call and its file go on when the daemon ends.
func TestServeLeavesRecordingsRunning(t *testing.T) {
	daemontest.EachStore(t, func(t *testing.T, store string) {
		sw, line := daemontest.Switch(t, "fs1", "ClueCon", esltest.Manual)
		s := daemontest.Start(t, spooltest.TwoOrganisations, store+"switches:\n"+line)
		s.Metric(`tapedeck_watch_up{switch="fs1"}`, "1")
		leg := s.Recorded(sw)
		sw.Talk(time.Second)
		if took, err := s.Stop(); err != nil || took > 1500*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
		sw.Talk(3 * time.Second)
		leg.Hangup("")
		s.Lasts(leg, 4*time.Second)
		heard, err := esltest.Listen(leg.Get("tapedeck_file"), 100*time.Millisecond, daemontest.OutsideHz)
		if speech := esltest.Total(heard, daemontest.OutsideHz); err != nil || speech != 4*time.Second {
			t.Errorf("the outside party is heard for %v: %v", speech, err)
		}
	})
}

// TestServeFinishesCallInHand: a leg whose commands are on their way is served
// to its exit; later ones find the socket closed.
func TestServeFinishesCallInHand(t *testing.T) {
	testkit.NoLeaks(t)
	sw, line := daemontest.Switch(t, "fs1", "ClueCon", esltest.Manual)
	s := daemontest.Start(t, spooltest.TwoOrganisations, "switches:\n"+line)
	s.Metric(`tapedeck_watch_up{switch="fs1"}`, "1")
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
		stats, err := leg.Socket(t.Context(), s.Socket)
		ended <- end{stats, err}
	}()
	<-inHand
	s.Interrupt()
	s.Logged.Await(t, 1, "stopping: no more calls are taken")
	s.Until("the socket is closed", func() bool {
		c, err := net.Dial("tcp", s.Socket)
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
	if _, err := s.Stop(); err != nil {
		t.Error(err)
	}
}

// TestServeStopsBesideSilentPeer: a peer that connects and says nothing delays the end for
// no longer than grace.
func TestServeStopsBesideSilentPeer(t *testing.T) {
	testkit.NoLeaks(t)
	s := daemontest.Start(t, spooltest.OneOrganisation, "")
	peer, err := net.Dial("tcp", s.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	s.Metric("tapedeck_outbound_connections", "1")
	if took, err := s.Stop(); err != nil || took > 2*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}

// TestServeWatchesPolicy: a valid change is applied, an invalid one refused
// with a line for each mistake, and the running policy stays.
func TestServeWatchesPolicy(t *testing.T) {
	daemontest.EachStore(t, func(t *testing.T, store string) {
		s := daemontest.Start(t, spooltest.TwoOrganisations, store)
		first := daemontest.Attribute(s.Logged.Await(t, 1, "policy in force"), "revision")
		s.Metric(`tapedeck_policy_info{revision="`+first+`"}`, "1")

		testkit.Replace(t, s.Policy, "version: 1\norganisations:\n  acme: { colour: red, recording: 7 }\n")
		s.Logged.Await(t, 1, "level=ERROR", "policy refused, the running one stays", ":3: ", "colour")
		s.Logged.Await(t, 1, "level=ERROR", "policy refused, the running one stays", ":3: ", "recording")
		s.Metric(`tapedeck_policy_info{revision="`+first+`"}`, "1")

		testkit.Replace(t, s.Policy, spooltest.TwoOrganisations+"# the same again\n")
		s.Logged.Await(t, 1, "says what it said before")

		testkit.Replace(t, s.Policy, spooltest.OneOrganisation)
		line := s.Logged.Await(t, 2, "policy in force")
		if daemontest.Attribute(line, "replaces") != first || daemontest.Attribute(line, "organisations") != "1" {
			t.Errorf("%s", line)
		}
		s.Metric(`tapedeck_policy_info{revision="`+daemontest.Attribute(line, "revision")+`"}`, "1")
		if err := os.Remove(s.Policy); err != nil {
			t.Fatal(err)
		}
		s.Logged.Await(t, 1, "level=ERROR", "policy file not read: the running policy stays")
		if status, body := s.Get("/readyz"); status != http.StatusOK {
			t.Errorf("/readyz: %d %s", status, body)
		}
	})
}

// TestServeWithoutPolicy is not ready, and says so.
func TestServeWithoutPolicy(t *testing.T) {
	testkit.NoLeaks(t)
	s := daemontest.Start(t, "", "")
	s.Logged.Await(t, 1, "level=ERROR", "no policy is in force", s.Policy)
	if strings.Contains(s.Logged.String(), "running") {
		t.Errorf("a policy is said to run:\n%s", s.Logged)
	}
	testkit.Replace(t, s.Policy, "version: 1\norganisations:\n  acme: { colour: red }\n")
	s.Logged.Await(t, 1, "level=ERROR", "policy refused, and none is in force", "colour")
	if status, body := s.Get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "no policy yet") {
		t.Errorf("/readyz: %d %q", status, body)
	}
	if status, _ := s.Get("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	testkit.Replace(t, s.Policy, spooltest.OneOrganisation)
	s.Logged.Await(t, 1, "policy in force")
	if status, body := s.Get("/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: %d %q", status, body)
	}
}

// TestServeWithLateRedis: the daemon works without Redis, and brings it up to date later.
func TestServeWithLateRedis(t *testing.T) {
	testkit.NoLeaks(t)
	r := testkit.NewRedis(t)
	sw, line := daemontest.Switch(t, "fs1", "ClueCon", esltest.Manual)
	s := daemontest.Start(t, spooltest.TwoOrganisations, daemontest.RedisLine(r)+"switches:\n"+line)
	s.Logged.Await(t, 1, "level=WARN", "redis is away")
	s.Metric("tapedeck_store_up", "0")
	s.Metric(`tapedeck_watch_up{switch="fs1"}`, "1")
	leg := s.Recorded(sw)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	s.Metric("tapedeck_store_up", "1")
	other := daemontest.Start(t, "", daemontest.RedisLine(r)) // sees what is in Redis alone
	other.Ready()
	leg.Hangup("")
}

// TestServeWithWrongPassword: /readyz names the switch, the log says what to
// change, and the other switch is served all the same.
func TestServeWithWrongPassword(t *testing.T) {
	testkit.NoLeaks(t)
	sw, right := daemontest.Switch(t, "fs1", "ClueCon", esltest.Manual)
	_, wrong := daemontest.Switch(t, "fs2", "hunter2hunter2", esltest.Manual)
	s := daemontest.Start(t, spooltest.TwoOrganisations, "switches:\n"+right+wrong)
	s.Logged.Await(t, 1, "level=WARN", "switch=fs2", "wrong password", `param \"password\" in event_socket.conf.xml`)
	s.Metric(`tapedeck_watch_up{switch="fs1"}`, "1")
	s.Metric(`tapedeck_watch_up{switch="fs2"}`, "0")
	if status, body := s.Get("/readyz"); status != http.StatusServiceUnavailable || body != "no watch link to switch fs2: the log says why\n" {
		t.Errorf("/readyz: %d %q", status, body)
	}
	leg := s.Recorded(sw)
	sw.Talk(time.Second)
	leg.Hangup("")
	s.Lasts(leg, time.Second)
	if strings.Contains(s.Logged.String(), "hunter2") {
		t.Error("the log has the password")
	}
}

// TestServeRefusesStrangers: who is not in allow is turned away and counted.
func TestServeRefusesStrangers(t *testing.T) {
	testkit.NoLeaks(t)
	sw, line := daemontest.Switch(t, "fs1", "ClueCon", esltest.Manual)
	s := daemontest.Start(t, spooltest.TwoOrganisations, "allow: [192.0.2.0/24]\nswitches:\n"+line)
	leg := sw.Incoming(esltest.Leg{Destination: "+442079460001"})
	if stats, err := leg.Socket(t.Context(), s.Socket); err == nil || stats.Exit {
		t.Errorf("served: %+v", stats)
	}
	s.Metric(`tapedeck_outbound_rejected_total{reason="peer_not_allowed"}`, "1")
	if left, err := filepath.Glob(s.Folder + "/spool/*/*/*/*"); err != nil || len(left) > 0 {
		t.Errorf("something was recorded: %q %v", left, err)
	}
}
