package demo

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/cmd/spooltest"
	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/store/calls"
)

var (
	resultLine = regexp.MustCompile(`^ ?(\d+)  (.+?)  +((?:(?:speech|silence|silent file) [\d.]+ s(?:, )?)+|no file)  +(.+?)(?:  +(/\S+\.wav))?\s*$`)
	stretch    = regexp.MustCompile(`(speech|silence|silent file) ([\d.]+) s`)
)

// once runs a demo to its end and returns what it printed.
func once(t *testing.T, dir string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	if err := Run(t.Context(), Options{Once: true, Dir: dir}, &stdout, &stderr); err != nil || stderr.Len() > 0 {
		t.Errorf("%v; stderr: %s", err, &stderr)
	}
	return stdout.String()
}

// TestDemoOnce: what it prints about each call is true of the files.
func TestDemoOnce(t *testing.T) {
	testkit.NoLeaks(t)
	dir := spooltest.Folder(t)
	began := time.Now()
	stdout := once(t, dir)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := os.Stat(filepath.Join(dir, "policy.yaml")); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"Tapedeck and a simulated FreeSWITCH are running.", "/   (until the calls have ended)   account demo, password ", "all with this password)\n", "  no file "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if cfg, err := config.Load(filepath.Join(dir, "tapedeck.yaml")); err != nil || cfg.Recordings.Dir.String() != dir {
		t.Errorf("the daemon file: %v", err)
	}
	printed := map[string]bool{}
	calls := 0
	for line := range strings.Lines(stdout) {
		m := resultLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		if calls++; m[1] != strconv.Itoa(calls) || m[2] != exampleCalls[calls-1].title {
			t.Errorf("call %d is printed as %s %q", calls, m[1], m[2])
		}
		said, verdict, file := m[3], m[4], m[5]
		if (said == "no file") != (file == "") {
			t.Errorf("%s: %q, file %q", m[2], said, file)
		}
		if strings.HasPrefix(verdict, "recorded") != strings.HasSuffix(said, "s") && !strings.Contains(said, "silen") {
			t.Errorf("%s: %q, but %q", m[2], said, verdict)
		}
		if file != "" {
			printed[file] = true
			heardAs(t, file, said)
		}
	}
	if calls != len(exampleCalls) {
		t.Errorf("%d calls printed of %d:\n%s", calls, len(exampleCalls), stdout)
	}
	for _, file := range wavFiles(t, dir) {
		if !printed[file] {
			t.Errorf("%s is not printed", file)
		}
		delete(printed, file)
	}
	if len(printed) > 0 {
		t.Errorf("printed, but not there: %v", printed)
	}
}

// heardAs fails the test unless speech and silence in the file last as long as printed.
func heardAs(t *testing.T, file, said string) {
	t.Helper()
	heard, err := esltest.Listen(file, 20*time.Millisecond, tonesHz()...)
	if err != nil {
		t.Error(err)
		return
	}
	var speech, silence, speechSaid, silenceSaid float64
	for _, h := range heard {
		if len(h.Tones()) > 0 {
			speech += (h.To - h.From).Seconds()
		} else {
			silence += (h.To - h.From).Seconds()
		}
	}
	for _, m := range stretch.FindAllStringSubmatch(said, -1) {
		seconds, _ := strconv.ParseFloat(m[2], 64)
		if m[1] == "speech" {
			speechSaid += seconds
		} else {
			silenceSaid += seconds
		}
	}
	const near = 0.25 // each stretch is printed to 0.1 s
	if max(speech-speechSaid, speechSaid-speech, silence-silenceSaid, silenceSaid-silence) > near {
		t.Errorf("%s: %q, but speech %.2f s and silence %.2f s are in it", file, said, speech, silence)
	}
}

func wavFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".wav") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestDemoEndsWhenInterrupted: during a round, and between two.
func TestDemoEndsWhenInterrupted(t *testing.T) {
	for _, c := range []struct {
		name, after string
		once        bool
	}{
		{"during a round", " calls\n", false},
		{"between two", "a number that nobody has", false},
		{"during the only one", " calls\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			ctx, cancel := context.WithCancel(t.Context())
			var stdout, stderr testkit.Log
			ended := make(chan error, 1)
			o := Options{Once: c.once, Dir: spooltest.Folder(t)}
			go func() { ended <- Run(ctx, o, &stdout, &stderr) }()
			stdout.Await(t, 1, c.after)
			cancel()
			began := time.Now()
			if err := <-ended; (err != nil) != c.once {
				t.Errorf("%v; %s", err, &stderr)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestDemoLiveCallOfSue: one of the steady lines calls a group that sue may see.
func TestDemoLiveCallOfSue(t *testing.T) {
	testkit.NoLeaks(t)
	s, err := newStage(t.Context(), spooltest.Folder(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan string, 1)
	line := steadyLines[0]
	go func() { ended <- liveCall(ctx, s.office, line.number, line.element, line.phone, line.press) }()
	testkit.Until(t, "a live call has passed one of sue's groups", func() bool {
		calls, err := s.daemon.Calls(ctx)
		return err == nil && len(calls) == 1 && slices.ContainsFunc(calls[0].Chain, func(step flow.Step) bool {
			return step.Element.Kind == flow.RingGroup && slices.Contains(accounts[1].Groups, step.Element.ID)
		})
	})
	cancel()
	<-ended
}

// TestDemoSaysItsEnd: when no more calls come and go, it says so.
func TestDemoSaysItsEnd(t *testing.T) {
	var b strings.Builder
	(&stage{office: &esltest.Office{}}).comeAndGo(t.Context(), &b, 0)
	if b.String() != "0 calls were placed; start the demo again for more.\n" {
		t.Error(b.String())
	}
}

// TestDemoTellsOfItsPolicy: whoever edits the policy sees whether it was taken.
func TestDemoTellsOfItsPolicy(t *testing.T) {
	testkit.NoLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr testkit.Log
	dir, ended := spooltest.Folder(t), make(chan error, 1)
	go func() { ended <- Run(ctx, Options{Dir: dir}, &stdout, &stderr) }()
	defer func() { cancel(); <-ended }()
	stdout.Await(t, 1, "metrics")
	for _, edit := range []struct {
		from, to string
		want     []string
	}{
		{"record: yes", "record: maybe", []string{"policy refused", "maybe"}},
		{"record: no", "record: yes", []string{"policy in force", "replaces"}},
	} {
		text := strings.ReplaceAll(string(examplePolicy), edit.from, edit.to)
		if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		stderr.Await(t, 1, edit.want...)
	}
	if text := stderr.String(); strings.Contains(text, "prompt") || strings.Contains(text, "tapedeck serves") {
		t.Errorf("more than the policy's lines: %s", text)
	}
}

// TestDemoFollowsItsPolicy: a policy that is in the folder already is used.
func TestDemoFollowsItsPolicy(t *testing.T) {
	testkit.NoLeaks(t)
	dir := spooltest.Folder(t)
	silent := strings.ReplaceAll(string(examplePolicy), "    domains:", "    recording: false\n    domains:")
	if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(silent), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout := once(t, dir); !strings.Contains(stdout, "recording: false") {
		t.Error(stdout)
	}
	if files := wavFiles(t, dir); len(files) > 0 {
		t.Errorf("recorded: %v", files)
	}
}

// TestPressedVerdict: what a press led to is said in the words of the rest, whatever the
// edited policy makes of the press.
func TestPressedVerdict(t *testing.T) {
	for state, want := range map[calls.State]string{
		calls.On:     "recorded, because dave turned it on (dtmf)",
		calls.Paused: "recorded, and then paused by dave (dtmf)",
		calls.Off:    "turned off by dave (dtmf)",
	} {
		c := calls.Call{State: state, Because: calls.Cause{Toggle: "dtmf", User: "dave"}}
		if got := pressedVerdict(c); got != want {
			t.Errorf("%s: %q, want %q", state, got, want)
		}
	}
}

func TestPolicyIsValid(t *testing.T) {
	p, err := flow.Load("policy.yaml")
	if err != nil || len(p.Organisations) != 2 {
		t.Errorf("%v", err)
	}
}
