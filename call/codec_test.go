package call

import (
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// TestCodecChanges: after a re-INVITE with another codec FreeSWITCH would go on writing
// the file with the wrong speed. So the recording goes on in a further file.
func TestCodecChanges(t *testing.T) {
	for _, paused := range []bool{false, true} {
		fx := newFixtureWith(t, pressPolicy(t))
		a := fx.inbound("+442079460001")
		d := fx.ring(a, "1004")
		fx.answer(d)
		fx.talk(second)
		if paused {
			fx.pressCode(d)
			fx.wantState(a, "paused")
			fx.talk(second)
		}
		a.ChangeCodec(8000, 1)  // as it was
		d.ChangeCodec(48000, 2) // it is not recorded
		fx.settle()
		if n := fx.meter.get("problem lost"); n != 0 {
			t.Errorf("paused %t: %d problems", paused, n)
		}
		a.ChangeCodec(48000, 2)
		fx.settle()
		if paused {
			fx.talk(second)
			fx.pressCode(d)
		}
		fx.waitState(a, "on")
		fx.talk(second)
		a.Hangup("")
		fx.settle()
		files := fx.files()
		if len(files) != 2 || !strings.HasSuffix(files[0], ".part2.wav") {
			t.Fatalf("paused %t: files %v", paused, files)
		}
		first := fx.heardAt(files[1])
		if second := fx.heardAt(files[0]); !strings.HasSuffix(second, "440+2200|440+2200") || strings.Contains(second, ";") {
			t.Errorf("paused %t: the second file has %s", paused, second)
		}
		if !strings.HasPrefix(first, "0s-1") || strings.Contains(first, "440+2200") {
			t.Errorf("paused %t: the first file has %s", paused, first)
		}
		if n := fx.meter.get("problem lost"); n != 1 {
			t.Errorf("paused %t: %d problems", paused, n)
		}
	}
}

// heardAt is what a file holds.
func (fx *fixture) heardAt(path string) string {
	fx.Helper()
	heard, err := esltest.Listen(path, 100*time.Millisecond, tones...)
	fx.must(err)
	var parts []string
	for _, h := range heard {
		parts = append(parts, h.String())
	}
	return strings.Join(parts, "; ")
}

// TestCodecChangedUnseen: the same if the watch link was away when the codec changed.
func TestCodecChangedUnseen(t *testing.T) {
	w, a, _ := newAnsweredCall(t, "+442079460001")
	w.talk(second)
	w.whileLinkIsCut(func() { a.ChangeCodec(16000, 1) })
	w.until("a further file", func() bool { return len(w.files()) == 2 })
	if n := w.meter.get("problem lost"); n != 1 {
		t.Errorf("%d problems", n)
	}
}
