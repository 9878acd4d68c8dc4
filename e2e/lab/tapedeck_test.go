package lab

import (
	"path/filepath"
	"testing"

	"tapedeck/internal/testkit"
)

// TestComplaints: warnings and errors are found, and a log that cannot be read is no log
// without complaints.
func TestComplaints(t *testing.T) {
	tapedeck := &Tapedeck{log: filepath.Join(t.TempDir(), "tapedeck.log")}
	if lines := tapedeck.Complaints("call=1"); len(lines) != 1 {
		t.Errorf("without a log: %q", lines)
	}
	testkit.WriteFile(t, tapedeck.log, []byte("level=INFO call=1\nlevel=WARN call=1\nlevel=WARN call=2\n"))
	if lines := tapedeck.Complaints("call=1"); len(lines) != 1 || lines[0] != "level=WARN call=1" {
		t.Errorf("with a log: %q", lines)
	}
}
