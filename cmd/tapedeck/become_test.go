package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tapedeck/cmd/spooltest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// ownedByAnother is a spool with one recording that belongs to another user, which only
// root can make. Run runs the program on it as root.
func ownedByAnother(t *testing.T, program string, user int) (s spool, run func(words string) (string, error)) {
	t.Helper()
	s = newSpool(t, spooltest.KeptForAMonth, "")
	s.Put(spooltest.SampleCall(spooltest.IDs+"1", spooltest.Began))
	err := filepath.WalkDir(s.Root, func(path string, e fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, user, user))
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, func(words string) (string, error) {
		out, err := exec.Command(program, append(strings.Fields(words), "--config", s.Config)...).CombinedOutput()
		return string(out), err
	}
}

func ownerAt(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// TestRootBecomesOwner: a command that root runs goes on as the owner of the recordings,
// so that nothing in that folder reaches further than its owner may. Who ran it is still
// root.
func TestRootBecomesOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	const user = 1234
	program := build(t)

	s, run := ownedByAnother(t, program, user)
	for _, words := range []string{
		"recordings hold " + spooltest.IDs + "1 --reason x", "recordings verify", "recordings release " + spooltest.IDs + "1",
		"account add root --role operator --no-password", "audit key", "token add root", "audit verify", "recordings purge",
	} {
		if out, err := run(words); err != nil {
			t.Errorf("%s: %v\n%s", words, err, out)
		}
	}
	lines := testkit.JSONLines[audit.Line](t, audit.New(s.Dir.String(), nil).Path())
	for _, line := range lines {
		if line.Who != me() {
			t.Errorf("%+v", line)
		}
	}
	if len(lines) < 5 {
		t.Errorf("%d lines", len(lines))
	}
	err := filepath.WalkDir(s.Root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && ownerAt(t, path) != user {
			t.Errorf("%s is of user %d", path, ownerAt(t, path))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}

	for name, trap := range map[string]func(s spool) error{
		"audit log of root": func(s spool) error {
			return os.WriteFile(audit.New(s.Dir.String(), nil).Path(), nil, 0o600)
		},
		"sidecar of root": func(s spool) error {
			path := recording.SidecarPath(onlyRecording(s))
			return errors.Join(os.Chown(path, 0, 0), os.Chmod(path, 0o600))
		},
		"folder of root": func(s spool) error {
			dir := filepath.Dir(onlyRecording(s))
			return errors.Join(os.Chown(dir, 0, 0), os.Chmod(dir, 0o755))
		},
	} {
		s, run := ownedByAnother(t, program, user)
		if err := trap(s); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(recording.SidecarPath(onlyRecording(s)))
		out, err := run("recordings hold " + spooltest.IDs + "1 --reason x")
		after, _ := os.ReadFile(recording.SidecarPath(onlyRecording(s)))
		if err == nil || !strings.Contains(out, "permission denied") || string(before) != string(after) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func onlyRecording(s spool) string {
	s.Helper()
	path, err := spooltest.SampleCall(spooltest.IDs+"1", spooltest.Began).Path(s.Dir)
	if err != nil {
		s.Fatal(err)
	}
	return path
}

// TestRootFollowsNoLink: with audit.jsonl as a link, a command of root fails, and the file
// to which it leads stays as it is: also where the folder is root's own, so that the
// command stays root.
func TestRootFollowsNoLink(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	program := build(t)
	for _, user := range []int{1234, 0} {
		s, run := ownedByAnother(t, program, user)
		other := filepath.Join(t.TempDir(), "other")
		if err := errors.Join(os.WriteFile(other, []byte("theirs"), 0o600), os.Symlink(other, audit.New(s.Dir.String(), nil).Path())); err != nil {
			t.Fatal(err)
		}
		for _, words := range []string{"recordings hold " + spooltest.IDs + "1 --reason x", "account add root --role operator --no-password", "recordings purge"} {
			if out, err := run(words); err == nil && words != "recordings purge" {
				t.Errorf("user %d: %s: %s", user, words, out)
			}
		}
		if text, err := os.ReadFile(other); err != nil || string(text) != "theirs" {
			t.Errorf("user %d: %q, %v", user, text, err)
		}
	}
}

// TestNotesOpenSecrets: a password file that others may read is a note of every command
// that reads the daemon file, and a line in the log of serve.
func TestNotesOpenSecrets(t *testing.T) {
	testkit.NoLeaks(t)
	path := write(t, "password", "ClueCon\n")
	s := newSpool(t, spooltest.TwoOrganisations, "switches: [{ name: fs1, address: '127.0.0.1:1', password_file: "+path+" }]\n")
	s.do("ls").want(t, exitDone, "no recordings\n", "")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	const holds = "the password of switch fs1"
	for _, words := range []string{"recordings ls", "account ls", "audit verify"} {
		o := tapedeck(append(strings.Fields(words), "--config", s.Config)...)
		if want := "note: others may read " + path + " (-rw-r--r--), which holds " + holds + ": chmod 600\n"; strings.Count(o.stderr, want) != 1 {
			t.Errorf("%s: %q", words, o.stderr)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var log testkit.Log
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--config", s.Config}, environment{nil, io.Discard, &log, nil, false})
	}()
	log.Await(t, 1, "tapedeck serves")
	cancel()
	<-ended
	if n := strings.Count(log.String(), `level=WARN msg="others may read a file that holds a secret: chmod 600" file=`+path+` holds="`+holds+`"`); n != 1 {
		t.Errorf("%d times in the log:\n%s", n, &log)
	}
}
