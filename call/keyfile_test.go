package call

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/call/keyfile"
)

// TestKeySparesOtherRecordings: what somebody else records on a user's leg is kept
// whole, although the user presses the Record key meanwhile.
func TestKeySparesOtherRecordings(t *testing.T) {
	for _, number := range []string{"+442079460001", "+442079460004"} { // recorded; not recorded
		t.Run(number, func(t *testing.T) {
			fx := newFixtureWith(t, pressPolicy(t))
			a := fx.inbound(number)
			d := fx.ring(a, "1004")
			fx.answer(d)
			other := filepath.Join(fx.dir, "other.wav")
			fx.must(d.Execute("record_session", other))
			fx.talk(second)
			for _, on := range []bool{true, false, true, false} {
				fx.pressKey(d, on)
				fx.talk(second)
			}
			a.Hangup("")
			fx.settle()
			info, err := os.Stat(other)
			if err != nil {
				t.Fatalf("the other recording of the leg: %v", err)
			}
			if want := int64(44 + 5*16000); info.Size() != want {
				t.Errorf("the other recording of the leg has %d bytes, want %d", info.Size(), want)
			}
			fx.until("no marker is left", func() bool { return len(fx.markers()) == 0 })
		})
	}
}

// TestKeyFileIsRemovedAtOnce: the file that a Record key begins has lost its name
// before anything stops it, so a crash leaves nothing behind. So have the markers that
// Tapedeck begins.
func TestKeyFileIsRemovedAtOnce(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.inbound("+442079460004") // not recorded: no marker runs
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.pressKey(d, true)
	fx.wantState(a, "on")
	fx.until("the key's file is removed", func() bool { return len(fx.markers()) == 0 })
	fx.pressKey(d, false)
	fx.wantState(a, "paused")
	fx.pressCode(d) // a marker of Tapedeck's own begins
	fx.wantState(a, "on")
	fx.until("the marker is removed", func() bool { return len(fx.markers()) == 0 })
	fx.pressKey(d, false) // it runs all the same
	fx.wantState(a, "paused")
	a.Hangup("")
	fx.settle()
	fx.until("nothing is left", func() bool { return len(fx.markers()) == 0 })
}

// TestLeftKeyMarkersAreRemoved: a Tapedeck that starts removes the markers of an earlier
// one, and those that keys have begun meanwhile; whatever else is in the folder stays.
func TestLeftKeyMarkersAreRemoved(t *testing.T) {
	policy := pressPolicy(t)
	fx := newFixtureWith(t, policy)
	a := fx.inbound("+442079460004")
	d := fx.ring(a, "1004")
	fx.answer(d)
	keep := filepath.Join(filepath.Dir(keyfile.Of(fx.dir, "")), "notes.txt")
	fx.restart(policy, func() {
		d.RecordKey(true)
		if len(fx.markers()) != 1 {
			t.Error("the key has begun no file")
		}
		left := keyfile.Of(fx.dir, "gone")
		for _, path := range []string{left, keep} {
			fx.must(os.WriteFile(path, nil, 0o600))
		}
		long := time.Now().Add(-time.Minute)
		for _, path := range append(fx.markers(), keep) {
			fx.must(os.Chtimes(path, long, long))
		}
	})
	fx.until("they are removed", func() bool { return len(fx.markers()) == 0 })
	if _, err := os.Stat(keep); err != nil {
		t.Error(err)
	}
}

// markers are the files of markers that exist.
func (fx *fixture) markers() []string {
	left, err := filepath.Glob(keyfile.Of(fx.dir, "*"))
	fx.must(err)
	return left
}

// aboutMarker reports whether a command is about the file of a marker.
func aboutMarker(command string) bool {
	return slices.ContainsFunc(strings.Fields(command), keyfile.Is)
}
