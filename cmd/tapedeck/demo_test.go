package main

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

	"tapedeck/esl/esltest"
	"tapedeck/flow"
)

var (
	resultLine = regexp.MustCompile(`^ ?(\d+)  (.+?)  +((?:(?:speech|silence|silent file) [\d.]+ s(?:, )?)+|no file)  +(.+?)(?:  +(/\S+\.wav))?\s*$`)
	stretch    = regexp.MustCompile(`(speech|silence|silent file) ([\d.]+) s`)
)

// demoDir is a folder whose name FreeSWITCH takes.
func demoDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tapedeck-demo-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestDemoOnce: what it prints of every call is what lies in the files.
func TestDemoOnce(t *testing.T) {
	leakFree(t)
	dir := demoDir(t)
	began := time.Now()
	o := tapedeck("demo", "--once", "--dir", dir)
	o.want(t, exitDone, "Tapedeck and a simulated FreeSWITCH are running.", "")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := os.Stat(filepath.Join(dir, "policy.yaml")); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"/   (until the calls have ended)   account demo, password ", "all with this password)\n", "  silent file "} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("no %q in\n%s", want, o.stdout)
		}
	}
	if o := tapedeck("recordings", "ls", "--config", filepath.Join(dir, "tapedeck.yaml")); o.code != exitDone || strings.Count(o.stdout, "\n") < 10 {
		t.Errorf("%d, %s\n%s", o.code, o.stdout, o.stderr)
	}
	printed := map[string]bool{}
	calls := 0
	for line := range strings.Lines(o.stdout) {
		m := resultLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		if calls++; m[1] != strconv.Itoa(calls) || m[2] != demoCalls[calls-1].title {
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
	if calls != len(demoCalls) {
		t.Errorf("%d calls printed of %d:\n%s", calls, len(demoCalls), o.stdout)
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

// heardAs fails unless speech and silence are in the file as long as is said.
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
		more        []string
		code        int
	}{
		{"during a round", " calls\n", nil, exitDone},
		{"between two", "a number that nobody has", nil, exitDone},
		{"during the only one", " calls\n", []string{"--once"}, exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			leakFree(t)
			ctx, cancel := context.WithCancel(t.Context())
			stdout, stderr, ended := newJournal(), newJournal(), make(chan int, 1)
			args := append([]string{"demo", "--dir", demoDir(t)}, c.more...)
			go func() { ended <- run(ctx, args, stdout, stderr) }()
			if _, err := stdout.find(1, c.after); err != nil {
				t.Error(err)
			}
			cancel()
			began := time.Now()
			if code := <-ended; code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, stderr)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestDemoLiveCallOfSue: among the calls that come and go is one of a group that
// she may see.
func TestDemoLiveCallOfSue(t *testing.T) {
	leakFree(t)
	s, err := newStage(t.Context(), demoDir(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan string, 1)
	line := demoLines[0]
	go func() { ended <- liveCall(ctx, s.office, line.number, line.element, line.phone, line.press) }()
	(&served{T: t}).until("a live call has passed one of sue's groups", func() bool {
		calls, err := s.daemon.store.Calls(ctx)
		return err == nil && len(calls) == 1 && slices.ContainsFunc(calls[0].Chain, func(step flow.Step) bool {
			return step.Element.Kind == flow.RingGroup && slices.Contains(demoAccounts[1].Groups, step.Element.ID)
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

// TestDemoTellsOfItsPolicy: whoever edits it sees what came of that.
func TestDemoTellsOfItsPolicy(t *testing.T) {
	leakFree(t)
	ctx, cancel := context.WithCancel(t.Context())
	dir, stdout, stderr, ended := demoDir(t), newJournal(), newJournal(), make(chan int, 1)
	go func() { ended <- run(ctx, []string{"demo", "--dir", dir}, stdout, stderr) }()
	defer func() { cancel(); <-ended }()
	if _, err := stdout.find(1, "metrics"); err != nil {
		t.Fatal(err)
	}
	for _, edit := range []struct {
		from, to string
		want     []string
	}{
		{"record: yes", "record: maybe", []string{"policy refused", "maybe"}},
		{"record: no", "record: yes", []string{"policy in force", "replaces"}},
	} {
		text := strings.ReplaceAll(string(demoPolicy), edit.from, edit.to)
		if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := stderr.find(1, edit.want...); err != nil {
			t.Error(err)
		}
	}
	if text := stderr.String(); strings.Contains(text, "prompt") || strings.Contains(text, "tapedeck serves") {
		t.Errorf("more than the policy's lines: %s", text)
	}
}

// TestDemoFollowsItsPolicy: the folder's policy is the demo's, if there is one.
func TestDemoFollowsItsPolicy(t *testing.T) {
	leakFree(t)
	dir := demoDir(t)
	silent := strings.ReplaceAll(string(demoPolicy), "    domains:", "    recording: false\n    domains:")
	if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(silent), 0o600); err != nil {
		t.Fatal(err)
	}
	tapedeck("demo", "--once", "--dir", dir).want(t, exitDone, "recording: false", "")
	if files := wavFiles(t, dir); len(files) > 0 {
		t.Errorf("recorded: %v", files)
	}
}
