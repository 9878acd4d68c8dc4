package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/spooltest"
	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
)

// build makes the binary.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "tapedeck")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// childrenOf are the command lines of the processes that a process has started.
func childrenOf(pid int) (all []string) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, _ := os.ReadFile(stat)
		_, rest, _ := strings.Cut(string(text), ") ") // proc_pid_stat(5): state and parent follow
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			words, _ := os.ReadFile(filepath.Join(filepath.Dir(stat), "cmdline"))
			all = append(all, strings.ReplaceAll(strings.TrimSuffix(string(words), "\x00"), "\x00", " "))
		}
	}
	return all
}

// TestAsAnOperator runs what an operator runs: serve as a process with a real
// Redis, load on it, a recorded call, SIGTERM.
func TestAsAnOperator(t *testing.T) {
	testkit.NoLeaks(t)
	redis := testkit.StartRedis(t)
	program := build(t)
	sw, line := daemontest.Switch(t, "fs1", "ClueCon", esltest.Manual)
	dir := spooltest.Folder(t)
	s := &daemontest.Daemon{T: t, Folder: dir, Policy: filepath.Join(dir, "policy.yaml"), Logged: &testkit.Log{}}
	testkit.Replace(t, s.Policy, spooltest.TwoOrganisations)
	config := spooltest.Files(t, dir, daemontest.SealedRedisLine(t, redis, dir)+"switches:\n"+line)
	for _, name := range []string{"accounts.yaml", "audit.key", "store.key"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "spool"), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"account add root --role operator --no-password", "audit key", "store key"} {
		if out, err := exec.Command(program, append(strings.Fields(words), "--config", config)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", words, err, out)
		}
	}
	cmd := exec.Command(program, "serve", "--config", config)
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, s.Logged
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	s.Listens()
	s.Metric(`tapedeck_watch_up{switch="fs1"}`, "1")

	first := s.Recorded(sw)
	sw.Talk(time.Second)
	first.Hangup("")
	sidecar := recording.SidecarPath(first.Get("tapedeck_file"))
	s.Until("the first recording is described", func() bool { _, err := os.Stat(sidecar); return err == nil })
	if workers := childrenOf(cmd.Process.Pid); runtime.GOOS == "linux" && !slices.Equal(workers, []string{"tapedeck worker --lowered finishing"}) {
		t.Errorf("serve has started %q", workers)
	}

	leg := s.Recorded(sw)
	sw.Talk(time.Second)
	out, err := exec.Command(program, "simulate", "--target", s.Socket, "--calls", "500", "--concurrency", "16").CombinedOutput()
	if _, _, failed, _ := numbers(t, string(out)); err == nil || failed != 500 || !strings.Contains(string(out), "without switches") {
		t.Errorf("simulate, whose calls no FreeSWITCH has: %v\n%s", err, out)
	}

	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("serve ended with %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v to end", took)
	}
	sw.Talk(time.Second)
	leg.Hangup("")
	s.Lasts(leg, 2*time.Second)
	// the simulated calls are a stranger's; and on a busy machine a Redis may be too slow
	// for a moment; the first call's times are not those of its file
	for _, complaint := range s.Complaints() {
		if !strings.Contains(complaint, "reason=stranger") && !strings.Contains(complaint, "redis is away") &&
			!strings.Contains(complaint, "recording has a problem") {
			t.Errorf("complaint: %s", complaint)
		}
	}
	if stdout.Len() > 0 {
		t.Errorf("stdout is %q", &stdout)
	}
}

// TestKilledAsAProcess: serve is killed in the middle of its work, twice, and starts again.
// What it has left verifies, with the key of its checkpoints.
func TestKilledAsAProcess(t *testing.T) {
	testkit.NoLeaks(t)
	program := build(t)
	sw, line := daemontest.Switch(t, "fs1", "ClueCon", esltest.Manual)
	dir := spooltest.Folder(t)
	s := &daemontest.Daemon{T: t, Folder: dir, Policy: filepath.Join(dir, "policy.yaml"), Logged: &testkit.Log{}}
	testkit.Replace(t, s.Policy, spooltest.TwoOrganisations)
	config := spooltest.Files(t, dir, "switches:\n"+line)
	if err := os.Remove(filepath.Join(dir, "audit.key")); err != nil {
		t.Fatal(err)
	}
	run := func(words string) string {
		out, err := exec.Command(program, append(strings.Fields(words), "--config", config)...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", words, err, out)
		}
		return string(out)
	}
	for range 2 {
		cmd := exec.Command(program, "serve", "--config", config)
		s.Logged = &testkit.Log{}
		cmd.Stderr = s.Logged
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		s.Listens()
		s.Metric(`tapedeck_watch_up{switch="fs1"}`, "1")
		leg := s.Recorded(sw)
		sw.Talk(time.Second)
		leg.Hangup("")
		s.Until("it is described", func() bool { return spooltest.IsThere(recording.SidecarPath(leg.Get("tapedeck_file"))) })
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
		if !spooltest.IsThere(filepath.Join(dir, "audit.key")) {
			run("audit key")
		}
		run("account add a" + strconv.Itoa(cmd.Process.Pid) + " --role operator --no-password")
		out := run("audit verify")
		if !strings.Contains(out, ": all is as it was written") || !strings.Contains(out, "; signed up to ") {
			t.Errorf("audit verify:\n%s", out)
		}
	}
	if out := run("audit verify"); !strings.Contains(out, ", 2 sidecars; ") {
		t.Errorf("audit verify:\n%s", out)
	}
}

// TestDemoAsAProcess: the endless form, until a person interrupts it.
func TestDemoAsAProcess(t *testing.T) {
	program := build(t)
	dir := spooltest.Folder(t)
	cmd := exec.Command(program, "demo", "--dir", dir)
	var out testkit.Log
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	out.Await(t, 1, "a number that nobody has")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "acme", "*", "*", "*", "*.wav"))
	if err != nil || len(files) == 0 {
		t.Errorf("recordings: %q, %v", files, err)
	}
	for _, file := range files {
		if length, err := esltest.Length(file); err != nil || length == 0 {
			t.Errorf("%s: %v, %v", file, length, err)
		}
	}
}
