package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tapedeck/recording/sound"
)

// TestPriority: every thread of a worker has the lowest priority, that for MP3s only what
// nobody else wants, and they share one processor. A worker has no environment, and no file of
// ours is open in it.
func TestPriority(t *testing.T) {
	l := newLoweredLab(t)
	t.Setenv("TAPEDECK_TEST_SECRET", "x")
	secret := l.file(nil)
	inherited, err := syscall.Dup(int(secret.Fd())) // which closes at no exec
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	in := l.file(clip(1).WAV())
	if err := l.MP3(t.Context(), in, l.file(nil), sound.Tags{}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Analyse(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	l.quiet()
	processors := map[string]bool{}
	defer func() {
		if len(processors) != 1 || processors["many"] {
			t.Errorf("the threads may run on %v, want one processor for all", processors)
		}
	}()
	for name, want := range map[string]string{Finishing: "nice 19, policy 0", MP3: "nice 19, policy 5"} {
		proc := fmt.Sprintf("/proc/%d", pidOf(l, name))
		threads, err := filepath.Glob(proc + "/task/*/stat")
		if err != nil || len(threads) < 2 {
			t.Fatalf("%d threads, %v", len(threads), err)
		}
		for _, thread := range threads {
			text, err := os.ReadFile(thread)
			if err != nil {
				continue // it has ended
			}
			_, rest, _ := strings.Cut(string(text), ") ") // proc_pid_stat(5): field 3 follows
			fields := strings.Fields(rest)
			if got := "nice " + fields[19-3] + ", policy " + fields[41-3]; got != want {
				t.Errorf("%s, %s: %s, want %s", name, thread, got, want)
			}
		}
		for _, thread := range threads {
			if processor, has := allowed(filepath.Dir(thread) + "/status"); has {
				processors[processor] = true
			}
		}
		if environment, err := os.ReadFile(proc + "/environ"); err != nil || len(environment) > 0 {
			t.Errorf("%s: %q, %v", name, environment, err)
		}
		open, err := filepath.Glob(proc + "/fd/*")
		if err != nil || len(open) == 0 {
			t.Fatal(err)
		}
		for _, fd := range open {
			if to, err := os.Readlink(fd); err == nil && to == secret.Name() {
				t.Errorf("%s has %s open", name, to)
			}
		}
		if comm, err := os.ReadFile(proc + "/comm"); err != nil || !strings.HasPrefix("tapedeck-"+name, strings.TrimSpace(string(comm))) || len(comm) < 12 {
			t.Errorf("%s is called %q", name, comm)
		}
	}
	l.quiet()
}

// allowed is the processor that a thread may run on, or "many". It reports false if the thread has
// ended.
func allowed(status string) (processor string, has bool) {
	text, err := os.ReadFile(status)
	_, rest, found := strings.Cut(string(text), "Cpus_allowed_list:")
	processor, _, _ = strings.Cut(strings.TrimSpace(rest), "\n")
	if strings.ContainsAny(processor, "-,") {
		processor = "many"
	}
	return processor, err == nil && found
}
