package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/spooltest"
	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
)

var (
	fairness      = flag.Bool("fairness.run", false, "measure how long calls wait beside MP3s, finished recordings and a flood of passwords")
	fairnessLoad  = flag.String("fairness.load", "mp3s recordings passwords", "what the load is, to find which part of it makes calls wait")
	fairnessEach  = flag.Int("fairness.each", 250, "entries, and as many presses, of each round of idle and of load")
	fairnessGuess = flag.String("fairness.guess", "", "guess passwords at this console until killed; TestFairness starts itself with it")
	fairnessMost  = flag.Float64("fairness.most", 0, "fail if the p99 under load is more than so many times that of idle; 0: only print it")
)

const (
	fairRounds    = 4   // of idle, and of load, in turns
	fairFinishing = 100 // recordings that end when a load begins
	fairMinutes   = 20  // of each of three recordings that become MP3s
	fairGuessers  = 8   // that try passwords, each without a pause
)

// fairPolicy records one number, and its user may press *1.
const fairPolicy = `version: 1
region: GB
organisations:
  acme:
    domains: [acme.example.net]
    on_demand: { dtmf: "*1" }
    numbers:
      "+442079460001": { record: yes }
    users:
      bob: { extension: "1002" }
`

// fair is a serve as a process, and what has been measured of it.
type fair struct {
	*daemontest.Daemon
	sw      *esltest.Switch
	console string
	tokens  []string
	mp3s    []string // their paths, one for each token
	leg     *esltest.Channel
	phone   *esltest.Channel
	masked  chan time.Time // when a mask or unmask reached the switch

	entries, presses map[string][]time.Duration // by "idle" and "load"
	cut              int                        // entries that serve ended too soon
	made             atomic.Int64               // MP3s that were made
}

// TestFairness prints how long entries and presses wait, while nothing else is done and
// while three MP3s are made, a hundred recordings end and passwords are guessed.
func TestFairness(t *testing.T) {
	if *fairnessGuess != "" {
		guess(*fairnessGuess)
	}
	if !*fairness {
		t.Skip("this takes minutes: say -fairness.run")
	}
	f := newFair(t)
	for range fairRounds {
		f.measure("idle")
		stop := f.load()
		f.measure("load")
		stop()
	}
	fmt.Printf("fairness, %d entries and %d presses each, idle and load in turns; load: %s (%d MP3s were made, %d entries were cut off)\n",
		fairRounds**fairnessEach, fairRounds**fairnessEach, *fairnessLoad, f.made.Load(), f.cut)
	fmt.Println("| | idle p50 | idle p99 | load p50 | load p99 | p99 ratio |\n|---|---|---|---|---|---|")
	for _, row := range []struct {
		what string
		took map[string][]time.Duration
	}{{"entry", f.entries}, {"press", f.presses}} {
		idle, load := row.took["idle"], row.took["load"]
		ratio := float64(quantile(load, 0.99)) / float64(quantile(idle, 0.99))
		fmt.Printf("| %s | %v | %v | %v | %v | %.2f |\n", row.what, quantile(idle, 0.5), quantile(idle, 0.99), quantile(load, 0.5), quantile(load, 0.99), ratio)
		if *fairnessMost > 0 && ratio > *fairnessMost {
			t.Errorf("%s: %.2f times as long", row.what, ratio)
		}
	}
}

// quantile is a quantile of times, to the hundredth of a millisecond.
func quantile(took []time.Duration, q float64) time.Duration {
	slices.Sort(took)
	return took[min(len(took)-1, int(q*float64(len(took))))].Round(10 * time.Microsecond)
}

// newFair starts serve with three accounts and three long recordings, and places the call
// in which keys are pressed.
func newFair(t *testing.T) *fair {
	program := build(t)
	sw, line := daemontest.Switch(t, "fs1", "ClueCon", esltest.Manual)
	dir := spooltest.Folder(t)
	f := &fair{Daemon: &daemontest.Daemon{T: t, Folder: dir, Policy: filepath.Join(dir, "policy.yaml"), Logged: &testkit.Log{}}, sw: sw,
		masked: make(chan time.Time, 1), entries: map[string][]time.Duration{}, presses: map[string][]time.Duration{}}
	testkit.Replace(t, f.Policy, fairPolicy)
	config := spooltest.Files(t, dir, "switches:\n"+line)
	spool, err := recording.NewDir(filepath.Join(dir, "spool"))
	if err != nil {
		t.Fatal(err)
	}
	wav := testkit.NewClip(2, 8000).Add(fairMinutes*60_000, 1000).WAV()
	for i := range 3 {
		path, err := spooltest.Put(spool, spooltest.SampleCall(fmt.Sprint(spooltest.IDs, i), time.Now().Add(-time.Hour).Truncate(time.Millisecond)))
		if err != nil {
			t.Fatal(err)
		}
		testkit.WriteFile(t, path, wav)
		f.mp3s = append(f.mp3s, strings.TrimSuffix(path, ".wav")+".mp3")
		name := fmt.Sprint("reader", i)
		f.tapedeck(program, "account", "add", name, "--role", "operator", "--no-password", "--config", config)
		f.tokens = append(f.tokens, f.tapedeck(program, "token", "add", name, "--config", config))
	}
	cmd := exec.Command(program, "serve", "--config", config)
	cmd.Stdout, cmd.Stderr = f.Logged, f.Logged
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	f.Listens()
	f.console = "http://" + daemontest.Attribute(f.Logged.Await(t, 1, "tapedeck serves"), "console")
	f.Logged.Await(t, 1, "recordings indexed")
	f.Metric(`tapedeck_watch_up{switch="fs1"}`, "1")
	office := daemontest.Office(sw, f.Socket)
	if f.leg, err = office.Inbound(t.Context(), "+442079460001"); err != nil {
		t.Fatal(err)
	}
	f.phone = office.Ring(f.leg, "1002")
	f.phone.Answer()
	f.Until("the recording runs", func() bool { return f.leg.Get("tapedeck_state") == "on" })
	sw.Fail(func(command, args string) (string, bool) {
		if command == "uuid_record" && strings.HasPrefix(args, f.leg.UUID()) && strings.Contains(args, "mask ") {
			f.masked <- time.Now()
		}
		return "", false
	})
	return f
}

// tapedeck runs a command and returns what it prints on stdout.
func (f *fair) tapedeck(program string, args ...string) string {
	f.Helper()
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		f.Fatalf("%q: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// measure enters calls and presses the code, in turns.
func (f *fair) measure(when string) {
	f.Helper()
	for range *fairnessEach {
		leg := f.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001"})
		began := time.Now()
		if _, err := leg.Socket(f.Context(), f.Socket); err != nil {
			f.Logf("%s: an entry that was cut off: %v", when, err) // it counts all the same
			f.cut++
		}
		f.entries[when] = append(f.entries[when], time.Since(began))
		leg.Hangup("")

		before := f.leg.Get("tapedeck_state")
		began = time.Now()
		f.phone.PressDigits("*1")
		select {
		case at := <-f.masked:
			f.presses[when] = append(f.presses[when], at.Sub(began))
		case <-time.After(testkit.Patience):
			f.Fatalf("a press did nothing; the log:\n%s", f.Logged)
		}
		f.Until("the press is confirmed", func() bool { return f.leg.Get("tapedeck_state") != before })
	}
}

// load begins the load, and returns what ends it.
func (f *fair) load() (stop func()) {
	f.Helper()
	with := func(what string, n int) int {
		if !strings.Contains(*fairnessLoad, what) {
			return 0
		}
		return n
	}
	var finishing []*esltest.Channel
	for range with("recordings", fairFinishing) {
		finishing = append(finishing, f.Recorded(f.sw))
	}
	f.sw.Talk(time.Minute)
	ctx, cancel := context.WithCancel(f.Context())
	var load sync.WaitGroup
	for i := range with("mp3s", len(f.tokens)) {
		load.Go(func() { f.encode(ctx, i) })
	}
	for range with("passwords", 1) {
		load.Go(func() { f.guessers(ctx) })
	}
	for _, leg := range finishing {
		leg.Hangup("")
	}
	return func() {
		cancel()
		load.Wait()
	}
}

// encode asks for an MP3 until ctx ends, and for the same one again when it is made.
func (f *fair) encode(ctx context.Context, i int) {
	id := strings.TrimSuffix(filepath.Base(f.mp3s[i]), ".mp3")
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodHead, f.console+"/api/v1/recordings/"+id+"/audio.mp3", nil)
		if err != nil {
			f.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+f.tokens[i])
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			continue // ctx has ended
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			f.Errorf("an MP3: %s", res.Status)
			return
		}
		f.made.Add(1)
		_ = os.Remove(f.mp3s[i])
	}
}

// guessers runs those that try passwords until ctx ends, as a process that takes no
// processor time from calls: who does this in earnest has a machine of his own.
func (f *fair) guessers(ctx context.Context) {
	cmd := exec.CommandContext(ctx, "nice", "-n", "19", os.Args[0], "-test.run", "TestFairness", "-fairness.guess", f.console)
	if out, err := cmd.CombinedOutput(); ctx.Err() == nil {
		f.Errorf("the guessers: %v: %s", err, out)
	}
}

// guess tries passwords for ever.
func guess(console string) {
	form := url.Values{"name": {"reader0"}, "password": {"wrong"}}.Encode()
	for range fairGuessers - 1 {
		go try(console, form)
	}
	try(console, form)
}

func try(console, form string) {
	for {
		if res, err := http.Post(console+"/sign-in", "application/x-www-form-urlencoded", strings.NewReader(form)); err == nil {
			res.Body.Close()
		}
	}
}
