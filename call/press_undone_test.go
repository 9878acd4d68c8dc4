package call

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/toggle"
)

// When FreeSWITCH does not carry a press out, the person hears "Not permitted". So the
// press must not be carried out later, when that is possible again.

// recordFails makes one action of uuid_record fail until mended is called.
func (fx *fixture) recordFails(action string) (mended func()) {
	fx.sw.Fail(func(command, args string) (string, bool) {
		return "-ERR Cannot do that!\n", command == "uuid_record" && strings.Contains(args, " "+action+" ") && !aboutMarker(args)
	})
	return func() { fx.sw.Fail(func(string, string) (string, bool) { return "", false }) }
}

// relink cuts the watch link and waits until the call is followed again. Then a
// failed command may be sent again.
func (w *proxied) relink() {
	w.Helper()
	w.sw.DropLinks()
	w.reconnected()
	w.settle()
}

// newAnsweredCall is a call that dave has answered; dave may press.
func newAnsweredCall(t *testing.T, number string) (w *proxied, anchor, dave *esltest.Channel) {
	t.Helper()
	sounds, err := filepath.Abs("../freeswitch-conf/sounds")
	if err != nil {
		t.Fatal(err)
	}
	w = newProxiedWith(t, pressPolicy(t), Prompts{Dir: sounds, Language: "en"})
	anchor = w.inbound(number)
	dave = w.ring(anchor, "1004")
	w.answer(dave)
	return w, anchor, dave
}

func TestStartRefusedIsUndone(t *testing.T) {
	w, a, d := newAnsweredCall(t, "+442079460004")
	mended := w.recordFails("start")
	w.pressCode(d)
	w.until("it is refused", func() bool { return len(d.Hears()) > 0 })
	w.wantPrompt(d, "not-permitted.wav")
	mended()
	w.relink()
	w.talk(second)
	w.wantState(a, "off")
	w.pressCode(d)
	w.wantState(a, "on")
	w.wantPrompt(d, "is-being-recorded.wav")
	w.endAll()
}

func TestResumeRefusedIsUndone(t *testing.T) {
	w, a, d := newAnsweredCall(t, "+442079460001")
	w.pressCode(d)
	w.wantState(a, "paused")
	mended := w.recordFails("unmask")
	w.pressCode(d)
	w.wantPrompt(d, "not-permitted.wav")
	w.wantState(a, "paused")
	mended()
	w.relink()
	w.talk(second)
	w.wantState(a, "paused")
	w.pressCode(d)
	w.wantState(a, "on")
	w.talk(second)
	w.endAll()
	w.wantWritten("0s-100ms 440|2200; 100ms-1.3s -|-; 1.3s-2.3s 440|2200") // a press takes 0.1 s
}

// TestPressBetweenTwoFiles: a user resumes while the file is given up. The recording
// goes on in the next file, and the user hears that.
func TestPressBetweenTwoFiles(t *testing.T) {
	w, a, d := newAnsweredCall(t, "+442079460001")
	w.pressCode(d)
	w.wantState(a, "paused")
	var stopping atomic.Bool
	w.proxy.judgeBy(func(kind, about string) verdict {
		if kind == "command" && strings.HasPrefix(about, "api uuid_record ") && strings.Contains(about, " stop ") {
			stopping.Store(true)
			return stall
		}
		return pass
	})
	w.waitFor("the file is broken", func(ctl *Controller) bool {
		ctl.calls[a.UUID()].happened(toggle.Fact{What: toggle.Broken}, time.Now())
		return true
	})
	w.until("it is being stopped", stopping.Load)
	d.PressDigits("*1")
	w.waitFor("the press", func(ctl *Controller) bool { return len(ctl.calls[a.UUID()].presses.waiting) == 1 })
	w.proxy.release()
	w.until("it goes on in a further file", func() bool { return a.Get("tapedeck_state") == "on" })
	w.settle()
	w.wantPrompt(d, "is-being-recorded.wav")
	if n := len(w.files()); n != 2 {
		t.Errorf("%d files, want 2", n)
	}
	w.endAll()
}

// TestTwoPressesResumeRefused: a user pauses, and resumes before FreeSWITCH has
// answered the pause. The resume is refused aloud, so nothing is resumed later.
func TestTwoPressesResumeRefused(t *testing.T) {
	w, a, d := newAnsweredCall(t, "+442079460001")
	mended := w.recordFails("unmask")
	var stalled atomic.Bool
	w.proxy.judgeBy(func(kind, about string) verdict {
		if kind == "command" && strings.HasPrefix(about, "api uuid_record ") && strings.Contains(about, " mask ") && !aboutMarker(about) {
			stalled.Store(true)
			return stall
		}
		return pass
	})
	d.PressDigits("*1")
	w.until("the mask is on its way", stalled.Load)
	d.PressDigits("*1")
	w.waitFor("both presses", func(ctl *Controller) bool { return len(ctl.calls[a.UUID()].presses.waiting) == 2 })
	w.proxy.release()
	w.proxy.judgeBy(nil)
	w.until("it is refused", func() bool { return len(d.Hears()) > 0 })
	w.settle()
	w.wantPrompt(d, "not-permitted.wav")
	w.wantState(a, "paused")
	mended()
	w.relink()
	w.talk(second)
	w.wantState(a, "paused")
}

// TestAskedAgainRefused: a recording on demand is lost and cannot begin again. The
// user asks for it once more and is refused. Then it does not begin by itself
// either.
func TestAskedAgainRefused(t *testing.T) {
	w, a, d := newAnsweredCall(t, "+442079460004")
	w.pressCode(d)
	w.wantState(a, "on")
	mended := w.recordFails("start")
	w.waitFor("the file is broken", func(ctl *Controller) bool {
		ctl.calls[a.UUID()].happened(toggle.Fact{What: toggle.Broken}, time.Now())
		return true
	})
	w.waitFor("it does not begin again", func(ctl *Controller) bool { return ctl.calls[a.UUID()].timers.restartWait >= 2*second })
	if status, err := w.ctl.Toggle(t.Context(), a.UUID(), "dave", "", toggle.TurnOn); err == nil {
		t.Fatal("not refused:", status)
	}
	mended()
	w.relink()
	w.wantState(a, "off")
	w.waitFor("the press is undone", func(ctl *Controller) bool { return ctl.calls[a.UUID()].rec.Person == toggle.Nobody })
	w.pressCode(d)
	w.wantState(a, "on")
	w.endAll()
}

// linkDown cuts the watch link until up is called.
func (w *proxied) linkDown() (up func()) {
	w.Helper()
	w.proxy.judgeBy(func(kind, about string) verdict {
		if strings.HasPrefix(about, "auth") {
			return cut
		}
		return pass
	})
	w.sw.DropLinks()
	w.until("the link is down", func() bool { return len(w.log.Lines("link is down")) > 0 })
	return func() { w.proxy.judgeBy(nil); w.reconnected(); w.settle() }
}

// TestStartWithoutLink: a start that could not be sent is refused, and is not sent
// when the link is back.
func TestStartWithoutLink(t *testing.T) {
	w, a, d := newAnsweredCall(t, "+442079460004")
	up := w.linkDown()
	if status, err := w.ctl.Toggle(t.Context(), a.UUID(), "dave", "", toggle.TurnOn); err == nil || status == toggle.On {
		t.Errorf("got %s, %v; want an error", status, err)
	}
	up()
	w.talk(second)
	w.wantState(a, "off")
	w.pressCode(d)
	w.wantState(a, "on")
	w.endAll()
}

// TestPauseWithoutLink: a pause before the answer that could not be sent is an
// error. It is sent when the link is back.
func TestPauseWithoutLink(t *testing.T) {
	w := newProxiedWith(t, pressPolicy(t), Prompts{})
	a := w.from("1001", "07700900123") // alice wants it
	b := w.out(a)
	w.settle()
	up := w.linkDown()
	if status, err := w.ctl.Toggle(t.Context(), a.UUID(), "alice", "", toggle.TurnOff); err == nil {
		t.Errorf("got %s without an error", status)
	}
	up()
	w.answer(b)
	w.talk(second)
	w.wantState(b, "paused")
	w.endAll()
	w.wantWritten("0s-1s -|-")
}

// TestStartWhileOutgoingRings: a recording that is started while an outgoing call
// rings has the call from the answer on.
func TestStartWhileOutgoingRings(t *testing.T) {
	w := newProxiedWith(t, pressPolicy(t), Prompts{})
	a := w.from("1004", "07700900123") // dave does not care
	b := w.out(a)
	w.settle()
	if status, err := w.ctl.Toggle(t.Context(), a.UUID(), "", "sue", toggle.TurnOn); err != nil {
		t.Fatal(status, err)
	}
	w.answer(b)
	w.talk(second)
	w.wantState(b, "on")
	w.endAll()
	w.wantWritten("0s-1s 440|2200")
}
