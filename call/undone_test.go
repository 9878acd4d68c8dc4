package call

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"tapedeck/esl/esltest"
	"tapedeck/toggle"
)

// A switch that FreeSWITCH did not carry out is refused aloud. So it must not be
// carried out later, when it could be: whoever pressed does not expect it.

// recordFails makes uuid_record's actions of this name fail, until mended is
// called.
func (l *lab) recordFails(action string) (mended func()) {
	l.sw.Fail(func(command, args string) (string, bool) {
		return "-ERR Cannot do that!\n", command == "uuid_record" && strings.Contains(args, " "+action+" ") && !strings.Contains(args, markerPrefix)
	})
	return func() { l.sw.Fail(func(string, string) (string, bool) { return "", false }) }
}

// relink cuts the watch link and waits until the call is followed again: every
// command that failed may be tried again then.
func (w *wired) relink() {
	w.Helper()
	w.sw.DropLinks()
	w.reconnected()
	w.settle()
}

// newPressed is a call to a number that dave has answered, who may press.
func newPressed(t *testing.T, number string) (w *wired, anchor, dave *esltest.Channel) {
	t.Helper()
	sounds, err := filepath.Abs("../freeswitch-conf/sounds")
	if err != nil {
		t.Fatal(err)
	}
	w = newWiredWith(t, pressPolicy(t), Prompts{Dir: sounds, Language: "en"})
	anchor = w.inbound(number)
	dave = w.ring(anchor, "1004")
	w.answer(dave)
	return w, anchor, dave
}

func TestStartRefusedIsUndone(t *testing.T) {
	w, a, d := newPressed(t, "+442079460004")
	mended := w.recordFails("start")
	w.press(d)
	w.until("it is refused", func() bool { return len(d.Hears()) > 0 })
	w.hears(d, "not-permitted.wav")
	mended()
	w.relink()
	w.talk(second)
	w.state(a, "off")
	w.press(d)
	w.state(a, "on")
	w.hears(d, "is-being-recorded.wav")
	w.over()
}

func TestResumeRefusedIsUndone(t *testing.T) {
	w, a, d := newPressed(t, "+442079460001")
	w.press(d)
	w.state(a, "paused")
	mended := w.recordFails("unmask")
	w.press(d)
	w.hears(d, "not-permitted.wav")
	w.state(a, "paused")
	mended()
	w.relink()
	w.talk(second)
	w.state(a, "paused")
	w.press(d)
	w.state(a, "on")
	w.talk(second)
	w.over()
	w.heard("0s-200ms 440|2200; 200ms-1.6s -|-; 1.6s-2.6s 440|2200")
}

// TestPressBetweenTwoFiles: a recording that is to be resumed while its file is
// given up goes on in the next file, and the user hears that.
func TestPressBetweenTwoFiles(t *testing.T) {
	w, a, d := newPressed(t, "+442079460001")
	w.press(d)
	w.state(a, "paused")
	var stopping atomic.Bool
	w.wire.judgeBy(func(kind, about string) verdict {
		if kind == "command" && strings.HasPrefix(about, "api uuid_record ") && strings.Contains(about, " stop ") {
			stopping.Store(true)
			return stall
		}
		return pass
	})
	w.deskHas("the file is broken", func(desk *Desk) bool {
		desk.happened(desk.calls[a.UUID()], toggle.Fact{What: toggle.Broken})
		return true
	})
	w.until("it is being stopped", stopping.Load)
	d.PressDigits("*1")
	w.deskHas("the press", func(desk *Desk) bool { return len(desk.calls[a.UUID()].presses) == 1 })
	w.wire.release()
	w.until("it goes on in a further file", func() bool { return a.Get("tapedeck_state") == "on" })
	w.settle()
	w.hears(d, "is-being-recorded.wav")
	if n := len(w.files()); n != 2 {
		t.Errorf("%d files, want 2", n)
	}
	w.over()
}
