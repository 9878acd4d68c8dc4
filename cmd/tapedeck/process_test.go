package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tapedeck/esl/esltest"
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

// TestAsAnOperator runs what an operator runs: serve as a process with a real
// Redis, load on it, a recorded call, SIGTERM.
func TestAsAnOperator(t *testing.T) {
	leakFree(t)
	redis := newRedis(t).start()
	program := build(t)
	sw, line := testSwitch(t, "fs1", "ClueCon")
	s := &served{T: t, dir: demoDir(t), log: newJournal()}
	s.policy = filepath.Join(s.dir, "policy.yaml")
	s.replacePolicy(twoOrganisations)
	if err := os.MkdirAll(filepath.Join(s.dir, "sounds", "en"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(s.dir, "tapedeck.yaml")
	if err := os.WriteFile(config, []byte(labConfig(s.dir, redis.config()+"switches:\n"+line)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "account", "add", "root", "--role", "operator", "--no-password", "--config", config).CombinedOutput(); err != nil {
		t.Fatalf("account add: %v\n%s", err, out)
	}
	cmd := exec.Command(program, "serve", "--config", config)
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	ready := s.logged(1, "tapedeck serves")
	s.socket, s.web = attribute(ready, "socket"), attribute(ready, "metrics")
	s.metric(`tapedeck_watch_up{switch="fs1"}`, "1")

	leg := s.recorded(sw)
	sw.Talk(time.Second)
	out, err := exec.Command(program, "simulate", "--target", s.socket, "--calls", "500", "--concurrency", "16").CombinedOutput()
	if calls, recorded, failed, _ := numbers(t, string(out)); err != nil || calls != 500 || recorded != 500 || failed != 0 {
		t.Errorf("simulate: %v\n%s", err, out)
	}
	t.Logf("simulate:\n%s", out)

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
	s.lasts(leg, 2*time.Second)
	// the simulated calls are of a FreeSWITCH that no watch link goes to; and on a
	// busy machine a Redis may be too slow for a moment
	for _, complaint := range s.complaints() {
		if !strings.Contains(complaint, "call cannot be followed") && !strings.Contains(complaint, "redis is away") {
			t.Errorf("complaint: %s", complaint)
		}
	}
	if stdout.Len() > 0 {
		t.Errorf("stdout is %q", &stdout)
	}
}

// TestProcessExitCodes: what a script sees.
func TestProcessExitCodes(t *testing.T) {
	program := build(t)
	for _, c := range []struct {
		line string
		code int
	}{{"version", exitDone}, {"policy check /nowhere", exitFailed}, {"policy check", exitUsage}, {"", exitUsage}} {
		cmd := exec.Command(program, strings.Fields(c.line)...)
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != c.code {
			t.Errorf("tapedeck %s: exit code %d, want %d", c.line, code, c.code)
		}
	}
}

// TestDemoAsAProcess: the endless form, until a person interrupts it.
func TestDemoAsAProcess(t *testing.T) {
	program := build(t)
	dir := demoDir(t)
	cmd := exec.Command(program, "demo", "--dir", dir)
	out := newJournal()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if _, err := out.find(1, fmt.Sprintf("%2d  ", len(demoCalls))); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
	for _, file := range wavFiles(t, dir) {
		if length, err := esltest.Length(file); err != nil || length == 0 {
			t.Errorf("%s: %v, %v", file, length, err)
		}
	}
}
