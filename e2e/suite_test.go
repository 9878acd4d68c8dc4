package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tapedeck/e2e/lab"
	"tapedeck/internal/testkit"
)

// scenario is one row of the suite. Each has an organisation of its own, whose
// number is the scenario's index.
type scenario struct {
	name     string
	settings settings
	run      func(*talk)
}

// suite is what all scenarios share: the switches, Tapedeck, and what was measured.
type suite struct {
	lab      *lab.Lab
	tapedeck *lab.Tapedeck
	socket   string // where it listens for calls

	mu      sync.Mutex
	files   int           // recordings that begin with the answer
	longest time.Duration // greatest difference between such a file's length and answer to hangup
	silent  time.Duration // longest silence at the start of such a file
	keys    int           // Record keys that turned a recording on or off
	pauses  int           // pauses in files
	latest  time.Duration // greatest difference between a press and the edge of its pause

	spans    int           // pauses that are heard in files
	furthest time.Duration // greatest difference between the edge of one and the sidecar's edge
}

// TestCalls makes every call of the suite.
func TestCalls(t *testing.T) {
	ctx, binary := begin(t)
	parallel, last := allScenarios(), closing()
	scenarios := slices.Concat(parallel, last)
	repetition := map[int]int{} // index of a scenario whose call FreeSWITCH may drop: index of its repetition
	for i, sc := range parallel {
		if mayBeDropped(sc) {
			repetition[i] = len(scenarios)
			scenarios = append(scenarios, sc)
		}
	}
	s := start(t, ctx, binary, scenarios)
	run := func(t *testing.T, i int) {
		if !s.play(t, ctx, scenarios[i], lab.Org(i)) {
			t.Log("FreeSWITCH hung the outside party up during the transfer: the scenario runs once more")
			if !s.play(t, ctx, scenarios[repetition[i]], lab.Org(repetition[i])) {
				t.Error("FreeSWITCH hung the outside party up again")
			}
		}
	}
	markers := s.lab.Switch.WatchMarkers(s.tapedeck.Recordings)
	t.Run("scenario", func(t *testing.T) {
		for i, sc := range parallel {
			t.Run(sc.name, func(t *testing.T) { t.Parallel(); run(t, i) })
		}
	})
	seen, longest, most, left := markers.Stop()
	t.Logf("%d markers of record keys, up to %v long: there were %v of sound in one at most", seen, longest, most)
	if s.keys > 0 && seen == 0 {
		t.Error("no marker of a record key was seen")
	}
	if most > markerSound || len(left) > 0 {
		t.Errorf("%v of sound in a marker of a record key, want %v at most; left: %q", most, markerSound, left)
	}
	var said string
	verified := testkit.Happens(describedIn, func() bool { // a picture of the last waveform may be on its way
		var err error
		said, err = s.tapedeck.Run(ctx, "recordings", "verify")
		return err == nil
	})
	if t.Log(strings.TrimSpace(said)); !verified {
		t.Error("not all is as it was written")
	}
	for i := len(parallel); i < len(parallel)+len(last); i++ {
		t.Run(scenarios[i].name, func(t *testing.T) { run(t, i) })
	}
	t.Logf("%d files that begin with the answer: their length and the time from answer to hangup differ by %v at most", s.files, s.longest)
	t.Logf("%d files that begin with the answer: the longest silence at the start is %v", s.files, s.silent)
	t.Logf("%d pauses: their edges and the presses that made them differ by %v at most", s.pauses, s.latest)
	t.Logf("%d pauses are heard: the sidecars' differ by %v at most", s.spans, s.furthest)
	for _, line := range s.tapedeck.Complaints("") {
		if !strings.Contains(line, ofNobody) && !strings.Contains(line, answeredByNobody) && !strings.Contains(line, sentAway) { // their scenarios look at these
			t.Errorf("tapedeck complained: %s", line)
		}
	}
}

// play makes the calls of a scenario. It reports false if FreeSWITCH dropped one.
func (s *suite) play(t *testing.T, ctx context.Context, sc scenario, org lab.Org) (played bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	defer func() {
		if cause := recover(); cause != nil {
			if _, dropped := cause.(droppedByFreeSWITCH); !dropped {
				panic(cause)
			}
			played = false
		}
	}()
	sc.run(&talk{T: t, ctx: ctx, suite: s, org: org})
	return true
}

// noise records when this machine was too busy. A time that is measured then may be
// wrong by as much.
var noise *lab.Noise

// begin skips the test if no real calls can be made here. The context ends early
// enough to stop everything before go test gives up.
func begin(t *testing.T) (ctx context.Context, binary string) {
	t.Helper()
	if os.Getenv("TAPEDECK_E2E") == "" {
		t.Skip("only `make e2e` makes real calls (TAPEDECK_E2E=1)")
	}
	binary, err := lab.FindFreeSWITCH()
	if errors.Is(err, lab.ErrNoFreeSWITCH) {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() { goleak.VerifyNone(t) }) // after everything was stopped
	noise = lab.WatchNoise()
	t.Cleanup(func() {
		noise.Stop()
		t.Logf("longest stall of this machine: %v", noise.Longest())
	})
	ctx = t.Context()
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-20*time.Second))
		t.Cleanup(cancel)
	}
	return ctx, binary
}

// build builds Tapedeck and returns the program.
func build(t *testing.T, ctx context.Context, dir string) string {
	t.Helper()
	program := filepath.Join(dir, "tapedeck")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "tapedeck/cmd/tapedeck").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// start builds Tapedeck and starts everything; t's cleanup stops it.
func start(t *testing.T, ctx context.Context, binary string, scenarios []scenario) *suite {
	t.Helper()
	dir := workDir(t)
	program := build(t, ctx, dir)
	confDir, err := filepath.Abs("../freeswitch-conf")
	must(t, err)
	ports, err := lab.FreePorts(1)
	must(t, err)
	socket := fmt.Sprintf("127.0.0.1:%d", ports[0])
	orgs := make([]lab.Org, len(scenarios))
	for i := range orgs {
		orgs[i] = lab.Org(i)
	}
	own := filepath.Join(dir, "tapedeck.d")
	s := &suite{socket: socket}
	s.lab, err = lab.Start(ctx, lab.Config{
		FreeSWITCH: binary, Dir: filepath.Join(dir, "lab"), ConfDir: confDir, Socket: socket, Orgs: orgs,
		Recordings: lab.RecordingsIn(own), Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	t.Cleanup(s.lab.Stop)
	s.tapedeck, err = lab.StartTapedeck(ctx, lab.TapedeckConfig{
		Program: program, Dir: own, Prompts: filepath.Join(confDir, "sounds"), Socket: socket, Switch: s.lab.ESL, Policy: policyFile(scenarios),
	})
	must(t, err)
	t.Cleanup(func() {
		if err := s.tapedeck.Stop(stopsWithin); err != nil {
			t.Errorf("tapedeck serve, after SIGTERM: %v", err)
		}
	})
	return s
}

// markerSound is how much sound may be in a record key's marker file: what comes
// after the phone has started it and before Tapedeck masks it.
const markerSound = 40 * time.Millisecond

// stopsWithin is how long tapedeck serve may take to end after SIGTERM.
const stopsWithin = 10 * time.Second

// workDir makes a folder for everything that the test writes. If the test fails, or
// TAPEDECK_E2E_KEEP is set, it stays, and the test prints its path.
func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tapedeck-e2e-")
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() || os.Getenv("TAPEDECK_E2E_KEEP") != "" {
			t.Logf("logs, configuration and recordings are in %s", dir)
			return
		}
		os.RemoveAll(dir)
	})
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// paused notes how far a pause is from its presses, for the summary.
func (s *suite) paused(differences ...time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pauses++
	for _, d := range differences {
		s.latest = max(s.latest, d.Abs())
	}
}

// measured notes how far a file's length is from its call's, and how long it is
// silent at its start, for the summary.
func (s *suite) measured(difference, silent time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files++
	s.longest, s.silent = max(s.longest, difference.Abs()), max(s.silent, silent)
}
