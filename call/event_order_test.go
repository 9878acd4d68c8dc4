package call

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// holdController keeps the Controller busy until release is called.
func (w *proxied) holdController() (release func()) {
	busy := make(chan struct{})
	w.ctl.post(func(now time.Time) { <-busy })
	return sync.OnceFunc(func() { close(busy) })
}

// TestEventsTwice: repeating every event changes nothing.
func TestEventsTwice(t *testing.T) {
	w := newProxied(t)
	w.proxy.judgeBy(func(kind, _ string) verdict {
		if kind == "event" {
			return twice
		}
		return pass
	})
	a := w.inbound("+442079460001")
	d := w.ring(a, "1004")
	w.answer(d)
	w.talk(second)
	a = d.BlindTransfer("1002")
	w.enter(a)
	b := w.ring(a, "1002")
	w.answer(b)
	w.talk(second)
	a = b.BlindTransfer("1004")
	w.enter(a)
	w.answer(w.ring(a, "1004"))
	w.talk(second)
	w.endAll()
	w.wantWritten("0s-1s 440|2200; 1s-2s -|-; 2s-3s 440|2200")
	if n := len(w.log.Lines("level=WARN")); n != 0 {
		t.Errorf("%d warnings", n)
	}
	if n := w.meter.get("recording complete"); n != 1 {
		t.Errorf("counted %d complete recordings", n)
	}
}

// TestWatchLinkSlow: entries are served while the watch link is silent. When its
// events come later, all at once, the recording is the same.
func TestWatchLinkSlow(t *testing.T) {
	w := newProxied(t)
	w.proxy.judgeBy(func(kind, _ string) verdict {
		if kind == "event" {
			return stall
		}
		return pass
	})
	a := w.inbound("+442079460005") // force: armed with speech
	w.element(a, "ring_group/support")
	w.ring(a, "1004").Answer()
	w.talk(second)
	w.proxy.release()
	w.settle()
	w.wantState(a, "on")
	w.talk(second)
	w.endAll()
	w.wantWritten("0s-2s 440|2200")
}

// TestEntryAfterHangup: a leg has hung up, and its hangup event has come, before the
// Controller takes its entry. No call begins, because nothing would end it.
func TestEntryAfterHangup(t *testing.T) {
	for _, number := range []string{"+442079460001", "+442079460004", "+442079469999"} {
		t.Run(number, func(t *testing.T) {
			w := newProxied(t)
			entry := newProxy(t, w.socket)
			t.Cleanup(entry.close)
			said := make(chan struct{}, 1)
			entry.judgeBy(func(kind, _ string) verdict {
				if kind == "command" { // the leg's data, seen from here
					said <- struct{}{}
					return stall
				}
				return pass
			})
			a := w.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: number})
			var dialplan sync.WaitGroup
			dialplan.Go(func() { _, _ = a.Socket(t.Context(), entry.ln.Addr().String()) })
			<-said
			a.Hangup("ORIGINATOR_CANCEL")
			dialplan.Wait()
			w.settle()
			entry.release()
			w.waitFor("the entry", func(*Controller) bool { return w.handled.Load() > 0 })
			w.settle()
			w.endAll()
			if n := len(w.files()); n != 0 {
				t.Errorf("%d files", n)
			}
		})
	}
}

// TestEntryOverdue: the Controller is busy for longer than a leg may wait. The leg
// goes on without commands, and its call is followed from then on.
func TestEntryOverdue(t *testing.T) {
	w := newProxied(t)
	w.hurry()
	free := w.holdController()
	began := time.Now()
	a := w.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001", ToneHz: outside})
	_, _ = a.Socket(t.Context(), w.socket)
	if took := time.Since(began); took > 4*entryDeadline {
		t.Errorf("the leg was kept for %v", took)
	}
	free()
	w.settle()
	w.enter(a) // the next element
	w.answer(w.ring(a, "1004"))
	w.wantState(a, "on")
	w.talk(second)
	w.endAll()
	w.wantWritten("0s-1s 440|2200")
}

// TestInboxFull: the leg leaves in time even if the Controller's inbox is full.
func TestInboxFull(t *testing.T) {
	w := newProxied(t)
	w.hurry()
	free := w.holdController()
	defer free()
	for len(w.ctl.inbox) < cap(w.ctl.inbox) {
		select {
		case w.ctl.inbox <- func(time.Time) {}:
		default:
		}
	}
	began := time.Now()
	a := w.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001"})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, _ = a.Socket(ctx, w.socket)
	if took := time.Since(began); took > 4*entryDeadline {
		t.Errorf("the leg was kept for %v", took)
	}
	free()
	w.endAll()
}

// TestHangupInEveryPhase: in whatever phase a leg hangs up, nothing of the call
// remains.
func TestHangupInEveryPhase(t *testing.T) {
	phases := []func(w *proxied, a *esltest.Channel) *esltest.Channel{
		func(w *proxied, a *esltest.Channel) *esltest.Channel { return w.ring(a, "1004") },
		func(_ *proxied, b *esltest.Channel) *esltest.Channel { b.Answer(); return b },
		func(w *proxied, b *esltest.Channel) *esltest.Channel { w.settle(); w.talk(second); return b },
		func(_ *proxied, b *esltest.Channel) *esltest.Channel { return b.BlindTransfer("1002") },
		func(w *proxied, a *esltest.Channel) *esltest.Channel { w.enter(a); return a },
		func(w *proxied, a *esltest.Channel) *esltest.Channel { return w.ring(a, "1002") },
		func(_ *proxied, b *esltest.Channel) *esltest.Channel { b.Answer(); return b },
	}
	for last := range phases {
		for _, settled := range []bool{true, false} {
			t.Run(fmt.Sprint(last, settled), func(t *testing.T) {
				w := newProxied(t)
				leg := w.inbound("+442079460001")
				for _, phase := range phases[:last+1] {
					leg = phase(w, leg)
				}
				if settled {
					w.settle()
				}
				leg.Hangup("")
				w.endAll()
				if n := len(w.log.Lines("level=WARN")); n != 0 {
					t.Errorf("%d warnings", n)
				}
			})
		}
	}
}

// TestStopInEveryPhase: the Controller stops in the middle of a call. The call and
// its recording go on, and new legs leave at once.
func TestStopInEveryPhase(t *testing.T) {
	phases := []func(w *proxied, a *esltest.Channel) *esltest.Channel{
		func(_ *proxied, a *esltest.Channel) *esltest.Channel { return a },
		func(w *proxied, a *esltest.Channel) *esltest.Channel { return w.ring(a, "1004") },
		func(_ *proxied, b *esltest.Channel) *esltest.Channel { b.Answer(); return b },
		func(w *proxied, b *esltest.Channel) *esltest.Channel { w.settle(); w.talk(second); return b },
	}
	for last := range phases {
		t.Run(fmt.Sprint(last), func(t *testing.T) {
			w := newProxied(t)
			leg := w.inbound("+442079460005")
			for _, phase := range phases[:last+1] {
				leg = phase(w, leg)
			}
			w.stopController()
			<-w.ctl.done
			w.talk(second)
			next := w.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001"})
			began := time.Now()
			_, _ = next.Socket(t.Context(), w.socket)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("a leg was kept for %v", took)
			}
			if n := len(w.sw.Channels()); n < 2 {
				t.Errorf("%d legs are left", n)
			}
			if last >= 2 && !strings.Contains(w.writtenTones(), "440|2200") {
				t.Errorf("heard %s", w.writtenTones())
			}
		})
	}
}

// TestEntriesAtOnce: one leg enters twice at the same moment.
func TestEntriesAtOnce(t *testing.T) {
	w := newProxied(t)
	a := w.inbound("+442079460001")
	a.Answer()
	w.settle()
	var both sync.WaitGroup
	for _, element := range []string{"application/reception", "application/survey"} {
		a.Set("tapedeck_element", element)
		both.Go(func() { _, _ = a.Socket(t.Context(), w.socket) })
	}
	both.Wait()
	w.settle()
	w.ctl.ask(t.Context(), func(now time.Time) {
		if c := w.ctl.calls[a.UUID()]; c == nil || len(c.route.passed) < 2 {
			t.Errorf("the call is %+v", c)
		}
	})
	before, state := w.fileSeconds(), a.Get("tapedeck_state")
	w.talk(2 * second)
	w.checkStateIsWritten(a, state, before)
	w.endAll()
}

// TestElementOfAnotherLeg: a phone's leg that runs the socket does not enter an
// element into the call that it was dialled for.
func TestElementOfAnotherLeg(t *testing.T) {
	w := newProxied(t)
	a := w.inbound("+442079460001")
	b := w.ring(a, "1004")
	w.answer(b)
	w.talk(second)
	_ = w.office().Enter(t.Context(), b, "application/reception")
	w.settle()
	w.wantState(a, "on")
	w.talk(second)
	w.ctl.ask(t.Context(), func(now time.Time) {
		if c := w.ctl.calls[a.UUID()]; c == nil || len(c.route.passed) != 2 || c.route.anchor != a.UUID() {
			t.Errorf("the call is %+v", c)
		}
	})
	w.endAll()
}

// TestUnknownLegs: events about legs that nobody has heard of change nothing.
func TestUnknownLegs(t *testing.T) {
	w := newProxied(t)
	w.proxy.judgeBy(func(kind, about string) verdict {
		if kind == "event" && strings.HasPrefix(about, "CHANNEL_CREATE") {
			return lose
		}
		return pass
	})
	stranger := w.sw.Incoming(esltest.Leg{Number: "07700900999", Destination: "100"})
	phone := w.ring(stranger, "1002")
	phone.Answer()
	w.sw.Talk(second)
	phone.Hangup("")
	w.proxy.judgeBy(nil)
	w.endAll()
	if n := len(w.files()); n != 0 {
		t.Errorf("%d files", n)
	}
}

// TestUnknownPeer: if the anchor talks to an unknown leg, that may be somebody who
// says no, so nothing is recorded.
func TestUnknownPeer(t *testing.T) {
	w := newProxied(t)
	a := w.inbound("+442079460001")
	w.proxy.judgeBy(func(kind, about string) verdict {
		if kind == "event" && strings.HasPrefix(about, "CHANNEL_CREATE") && !strings.Contains(about, a.UUID()) {
			return lose
		}
		return pass
	})
	b := w.ring(a, "1002")
	b.Answer()
	w.waitFor("the bridge", func(ctl *Controller) bool {
		return ctl.calls[a.UUID()] != nil && ctl.calls[a.UUID()].route.peer == b.UUID()
	})
	w.proxy.judgeBy(nil)
	w.settle()
	w.talk(second)
	w.endAll()
	w.wantWritten("0s-1s -|-")
}

// TestAnswerBeforeReplies: the phone answers while the replies of the entry are
// still on their way to the Controller.
func TestAnswerBeforeReplies(t *testing.T) {
	for i := range 20 {
		w := newProxied(t)
		number, heard := "+442079460001", "0s-1s 440|2200"
		if i%2 == 1 {
			number = "+442079460005"
		}
		a := w.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: number, ToneHz: outside})
		_, err := a.Socket(t.Context(), w.socket)
		w.must(err)
		free := w.holdController()
		w.ring(a, "1004").Answer()
		free()
		w.settle()
		w.talk(second)
		w.endAll()
		w.wantWritten(heard)
	}
}

// TestCallAgain: a leg that makes another call after its call has ended gets a new
// call and a new file.
func TestCallAgain(t *testing.T) {
	for _, settled := range []bool{true, false} {
		t.Run(fmt.Sprint(settled), func(t *testing.T) {
			w := newProxied(t)
			w.hurry()
			a := w.from("1001", "07700900123")
			for range 3 {
				a.Set("hangup_after_bridge", "false")
				b := w.out(a)
				w.answer(b)
				w.talk(second)
				if !settled { // the watch link is slower than the socket
					w.proxy.judgeBy(func(kind, _ string) verdict {
						if kind == "event" {
							return stall
						}
						return pass
					})
				}
				b.Hangup("")
				if settled {
					w.settle()
				}
				w.enter(a)
				w.proxy.judgeBy(nil)
				w.proxy.release()
				w.settle()
			}
			w.endAll()
			files := w.files()
			if len(files) != 3 {
				t.Fatalf("files: %v", files)
			}
			for _, f := range files {
				if long, err := esltest.Length(f); err != nil || long != second {
					t.Errorf("%s: %v, %v", f, long, err)
				}
			}
			if n := w.meter.get("recording complete"); n != 3 {
				t.Errorf("counted %d complete recordings", n)
			}
		})
	}
}
