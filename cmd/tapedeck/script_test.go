package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tapedeck/cmd/spooltest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
)

// TestMain lets the scripts run this test binary as tapedeck.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tapedeck": main})
}

// TestScript runs the scripts of testdata/script, each in a folder of its own. Beside
// the commands of testscript they have those of this file.
func TestScript(t *testing.T) {
	commands := map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"exits": exits, "lines": lines, "recordings": putRecordings, "age": age,
		"redis": func(ts *testscript.TestScript, _ bool, _ []string) { useRedis(t, ts) },
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), Cmds: commands,
		RequireExplicitExec: true, RequireUniqueNames: true,
		UpdateScripts: os.Getenv("TAPEDECK_UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "Europe/London")
			env.Setenv("USER", "oscar")
			return os.WriteFile(filepath.Join(env.WorkDir, "tapedeck.yaml"), []byte(spooltest.DaemonFile(env.WorkDir, "")), 0o600)
		},
	})
}

// exits runs a program that has to end with an exit code: exits CODE PROGRAM ARGS...
// Wrong usage (2) has to be told in one line.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
	if text := ts.ReadFile("stderr"); code == exitUsage && len(args) > 2 && strings.Count(text, "\n") != 1 {
		ts.Fatalf("wrong usage is told in more than a line:\n%s", text)
	}
}

// lines checks how many lines a file (or stdout, or stderr) has: lines N FILE.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines N FILE")
	}
	if n := strings.Count(ts.ReadFile(args[1]), "\n"); strconv.Itoa(n) != args[0] {
		ts.Fatalf("%s has %d lines, want %s", args[1], n, args[0])
	}
}

// putRecordings makes the folder of recordings, empty or with one of spooltest's sets:
// recordings none|variety|old.
func putRecordings(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: recordings none|variety|old")
	}
	root := ts.MkAbs(".")
	ts.Check(os.Mkdir(filepath.Join(root, "spool"), 0o700))
	dir, err := recording.NewDir(filepath.Join(root, "spool"))
	ts.Check(err)
	switch args[0] {
	case "none":
	case "variety":
		for _, s := range spooltest.Variety() {
			_, err := spooltest.Put(dir, s)
			ts.Check(err)
		}
	case "old":
		for _, s := range spooltest.Old() {
			_, err := spooltest.Put(dir, s)
			ts.Check(err)
		}
	default:
		ts.Fatalf("there is no set %s", args[0])
	}
}

// age makes a file look as if it was written some time ago: age DURATION FILE.
func age(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: age DURATION FILE")
	}
	by, err := time.ParseDuration(args[0])
	ts.Check(err)
	then := time.Now().Add(-by)
	ts.Check(os.Chtimes(ts.MkAbs(args[1]), then, then))
}

// useRedis starts a redis-server and names it in the daemon file.
func useRedis(t *testing.T, ts *testscript.TestScript) {
	r := testkit.StartRedis(t)
	ts.Defer(r.Kill)
	ts.Setenv("REDIS", r.URL())
	daemonFile := ts.MkAbs("tapedeck.yaml")
	text := ts.ReadFile(daemonFile) + fmt.Sprintf("store: { redis: '%s' }\n", r.URL())
	ts.Check(os.WriteFile(daemonFile, []byte(text), 0o600))
}
