package access

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"tapedeck/internal/testkit"
)

// TestFollowChown: a file that could not be read is read when nothing but its owner has
// changed.
func TestFollowChown(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file away")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "tapedeck-access-") // only the owner may enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path, log := filepath.Join(dir, "accounts.yaml"), new(testkit.Log)
	testkit.Replace(t, path, "version: 1\naccounts: { root: { role: operator } }")
	runtime.LockOSThread() // and never unlocked: the thread, which changed its user, ends with the test
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
	a, err := Open(path, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil || a.Len() != 0 {
		t.Fatalf("%d accounts, %v: nobody can read root's file", a.Len(), err)
	}
	a.look()
	if n := strings.Count(log.String(), "accounts file refused"); n != 1 {
		t.Errorf("said %d times that it cannot be read:\n%s", n, log)
	}
	_ = syscall.Setfsuid(0)
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Setfsuid(nobody)
	if a.look(); a.Len() != 1 {
		t.Errorf("after chown %d accounts, want 1:\n%s", a.Len(), log)
	}
}
