package call

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/esl"
	"tapedeck/esl/esltest"
)

// whileLinkIsCut cuts the watch link, calls meanwhile, and lets the link come back.
func (w *proxied) whileLinkIsCut(meanwhile func()) {
	w.Helper()
	w.settle()
	w.proxy.judgeBy(func(string, string) verdict { return cut })
	w.sw.DropLinks()
	meanwhile()
	for len(w.connected) > 0 {
		<-w.connected
	}
	w.proxy.judgeBy(nil)
	w.reconnected()
	w.settle()
}

// TestLinkCut: the watch link is cut while something happens, and comes back.
// Afterwards tapedeck_state is true, commands reach the call again, and nothing is
// recorded that must not be.
func TestLinkCut(t *testing.T) {
	for _, tc := range []struct {
		name     string
		before   func(*proxied) *esltest.Channel // returns the outside party's leg, or the first
		during   func(*proxied, *esltest.Channel) *esltest.Channel
		allowed  []string // what may be recorded in the second after it
		transfer bool     // afterwards a blind transfer to bob, then to dave, must be obeyed
	}{
		{"nothing happens", talkingTo("+442079460001", "1004"), stays, []string{"440|2200"}, true},
		{"nothing happens to a call that is not recorded", talkingTo("+442079460004", "1004"), stays, []string{"no file"}, false},
		{"the user goes, one who says no comes by a blind transfer", talkingTo("+442079460001", "1004"), blindTo("1002"), []string{"-|-"}, true},
		{"the user goes, one who says nothing comes by a blind transfer", talkingTo("+442079460001", "1004"), blindTo("1003"), []string{"-|-", "440|1760"}, true},
		{"one who says no comes by an attended transfer", talkingTo("+442079460001", "1004"), attendedTo("1002"), []string{"-|-"}, true},
		{"a forced call is transferred", talkingTo("+442079460005", "1004"), attendedTo("1002"), []string{"440|1320"}, false},
		{"the call is answered", ringing("+442079460001", "1004"), answeredBy("1004"), []string{"-|-", "440|2200"}, true},
		{"the call is answered by one who says no", ringing("+442079460001", "1002"), answeredBy("1002"), []string{"-|-"}, true},
		{"a forced call is answered", ringing("+442079460005", "1004"), answeredBy("1004"), []string{"440|2200"}, false},
		{"a phone rings and is answered", ringing("+442079460001", ""), func(w *proxied, a *esltest.Channel) *esltest.Channel {
			w.ring(a, "1002").Answer()
			return a
		}, []string{"-|-"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newProxied(t)
			a := tc.before(w)
			w.whileLinkIsCut(func() { a = tc.during(w, a) })
			w.checkNextSecond(a, tc.allowed...)
			if tc.transfer {
				a = w.transfer(a, "1002")
				w.checkNextSecond(a, "-|-")
				a = w.transfer(a, "1004")
				w.checkNextSecond(a, "440|2200")
			}
			w.endAll()
		})
	}
}

// TestLinkCutWithOddLegs: legs with ids that no command can contain do not keep the
// watch link from coming back.
func TestLinkCutWithOddLegs(t *testing.T) {
	for name, id := range map[string]string{"quote": "o'neill@192.0.2.1", "backslash": `o\neill`, "space": "o neill", "not UTF-8": "o\xffneill"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newProxied(t)
			a := talkingTo("+442079460001", "1004")(w)
			w.sw.Incoming(esltest.Leg{UUID: id, Number: "1"})
			w.relink()
			w.transfer(a, "1002")
			w.checkNextSecond(a, "-|-")
			w.endAll()
		})
	}
}

func talkingTo(number, phone string) func(*proxied) *esltest.Channel {
	return func(w *proxied) *esltest.Channel {
		a := w.inbound(number)
		w.answer(w.ring(a, phone))
		w.talk(second)
		return a
	}
}

func ringing(number, phone string) func(*proxied) *esltest.Channel {
	return func(w *proxied) *esltest.Channel {
		a := w.inbound(number)
		if phone != "" {
			w.ring(a, phone)
		}
		return a
	}
}

func stays(_ *proxied, a *esltest.Channel) *esltest.Channel { return a }

func blindTo(phone string) func(*proxied, *esltest.Channel) *esltest.Channel {
	return func(w *proxied, a *esltest.Channel) *esltest.Channel {
		a = w.peerOf(a).BlindTransfer(phone)
		w.enter(a)
		w.ring(a, phone).Answer()
		return a
	}
}

func attendedTo(phone string) func(*proxied, *esltest.Channel) *esltest.Channel {
	return func(w *proxied, a *esltest.Channel) *esltest.Channel {
		consult := w.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1004", Destination: phone,
			Variables: map[string]string{"user_name": "1004", "domain_name": "acme.example.net"}})
		w.ring(consult, phone).Answer()
		w.peerOf(a).AttendedTransfer(consult)
		return a
	}
}

func answeredBy(phone string) func(*proxied, *esltest.Channel) *esltest.Channel {
	return func(w *proxied, a *esltest.Channel) *esltest.Channel {
		for _, c := range w.sw.Channels() {
			if c.Get("dialed_user") == phone && c != a {
				c.Answer()
			}
		}
		return a
	}
}

// transfer is a blind transfer that the phone answers.
func (w *proxied) transfer(a *esltest.Channel, phone string) *esltest.Channel {
	w.Helper()
	a = w.peerOf(a).BlindTransfer(phone)
	w.enter(a)
	w.answer(w.ring(a, phone))
	return a
}

// peerOf is the leg that a leg talks to.
func (w *proxied) peerOf(a *esltest.Channel) *esltest.Channel {
	w.Helper()
	peer, ok := w.sw.Channel(a.Get("bridge_uuid"))
	if !ok {
		w.Fatal("the leg talks to nobody")
	}
	return peer
}

// checkNextSecond lets a second pass and checks what is recorded of it.
func (w *proxied) checkNextSecond(a *esltest.Channel, allowed ...string) {
	w.Helper()
	state, before := a.Get("tapedeck_state"), w.fileSeconds()
	w.talk(second)
	heard := "no file"
	if files := w.files(); len(files) > 0 {
		all, err := esltest.Listen(files[0], second, tones...)
		w.must(err)
		heard = "nothing"
		for _, h := range all {
			if int(h.To/second) > before {
				_, heard, _ = strings.Cut(h.String(), " ")
			}
		}
	}
	for _, want := range allowed {
		if heard == want {
			if speech := heard != "-|-" && heard != "no file"; speech != (state == "on") {
				w.Errorf("tapedeck_state is %q, and %s is written", state, heard)
			}
			return
		}
	}
	w.Errorf("%s is written, not %v (tapedeck_state %q)", heard, allowed, state)
}

// TestLinkCutCallEnds: calls that ended while the link was cut are ended afterwards.
func TestLinkCutCallEnds(t *testing.T) {
	w := newProxied(t)
	var legs []*esltest.Channel
	for range 5 {
		a := w.inbound("+442079460005")
		w.answer(w.ring(a, "1004"))
		legs = append(legs, a)
	}
	kept := w.inbound("+442079460001")
	w.ring(kept, "1002")
	w.talk(second)
	w.whileLinkIsCut(func() {
		for _, a := range legs {
			a.Hangup("")
		}
		w.inbound("+442079460003").Hangup("") // came and went
	})
	w.waitFor("one call and its two legs, and no file to be described", func(ctl *Controller) bool {
		return len(ctl.calls) == 1 && ctl.calls[kept.UUID()] != nil && len(ctl.describer.working) == 0 && len(ctl.legs.all) <= 3 // one is settle's mark
	})
	if n := w.liveCalls.len(); n != 1 {
		t.Errorf("%d calls are live in the store", n)
	}
	w.endAll()
}

// TestLinkCutOutgoing: an outgoing call is answered while the link is cut.
// Afterwards the anchor is known, and the setting of its next user counts.
func TestLinkCutOutgoing(t *testing.T) {
	w := newProxied(t)
	a := w.from("1001", "07700900123")
	b := w.out(a)
	w.whileLinkIsCut(func() { b.Answer() })
	w.talk(second)
	w.waitFor("the recorded leg", func(ctl *Controller) bool {
		c := ctl.calls[a.UUID()]
		return c != nil && c.route.anchor == b.UUID() && c.rec.Answered
	})
	w.wantState(b, "on")
	b = a.BlindTransfer("1002")
	w.enter(b)
	w.answer(w.ring(b, "1002"))
	w.wantState(b, "off")
	w.talk(second)
	w.endAll()
	w.wantWritten("0s-1s 440|880; 1s-2s -|-")
}

// TestLinkCutOutgoingTransferred: an outgoing call is answered while the link is cut, and
// its user transfers it to one who says no, by way of another instance. The leg that has
// answered is the recorded one, not the transfer's target, whether that rings or has
// answered when the link comes back.
func TestLinkCutOutgoingTransferred(t *testing.T) {
	for name, answers := range map[string]bool{"the target has answered": true, "the target rings": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newProxied(t)
			_, elsewhere := w.start(w.address, Config{Policy: testPolicyOf(testPolicy(t)), Calls: claimMeanwhile{}})
			defer w.stop()
			a := w.from("1001", "07700900123")
			b := w.out(a)
			var target *esltest.Channel
			w.whileLinkIsCut(func() {
				b.Answer()
				b = a.BlindTransfer("1002")
				w.must((&esltest.Office{Switch: w.sw, Socket: elsewhere}).Enter(w.Context(), b, ""))
				if target = w.ring(b, "1002"); answers {
					target.Answer()
				}
			})
			if !answers {
				w.answer(target)
			}
			w.waitFor("the recorded leg", func(ctl *Controller) bool {
				c := ctl.calls[a.UUID()]
				return c != nil && c.route.anchor == b.UUID() && c.rec.Answered
			})
			w.wantState(b, "off")
			w.talk(second)
			w.endAll()
		})
	}
}

// TestEntryDuringReconnect: a leg enters while an older list of live legs is on its
// way. The leg does not count as gone.
func TestEntryDuringReconnect(t *testing.T) {
	w := newProxied(t)
	listed := make(chan struct{}, 1)
	w.proxy.judgeBy(func(kind, about string) verdict {
		if kind == "reply" && strings.HasPrefix(about, "api show ") {
			listed <- struct{}{}
			return stall
		}
		return pass
	})
	w.sw.DropLinks()
	<-listed
	a := w.inbound("+442079460001")
	w.waitFor("the call", func(ctl *Controller) bool { return ctl.calls[a.UUID()] != nil })
	w.proxy.release()
	w.reconnected()
	w.answer(w.ring(a, "1004"))
	w.wantState(a, "on")
	w.talk(second)
	w.endAll()
	w.wantWritten("0s-1s 440|2200")
}

// TestReplyAfterTheEnd: a reply that comes after the end of its call does not bring
// the call back into the store.
func TestReplyAfterTheEnd(t *testing.T) {
	w := newProxied(t)
	asked := make(chan struct{}, 1)
	a := w.inbound("+442079460004")
	b := w.ring(a, "1003")
	w.sw.Fail(func(command, args string) (string, bool) {
		if command == "uuid_record" {
			asked <- struct{}{}
		}
		return "", false
	})
	w.proxy.judgeBy(func(kind, about string) verdict { // only the reply is late; the end of the call is posted directly
		if kind == "reply" && strings.HasPrefix(about, "api uuid_record ") {
			return stall
		}
		return pass
	})
	b.Answer()
	<-asked
	w.ctl.post(func(now time.Time) { w.ctl.hungUp(b.UUID(), now); w.ctl.hungUp(a.UUID(), now) })
	a.Hangup("")
	w.proxy.release()
	w.endAll()
}

// TestPressTakenAtTheCut: the command of a press is lost with the link. The press is
// obeyed when the link is back, and the user hears only that result.
func TestPressTakenAtTheCut(t *testing.T) {
	w, a, b := newAnsweredCall(t, "+442079460001")
	w.wantState(a, "on")
	var once atomic.Bool
	w.proxy.judgeBy(func(kind, about string) verdict {
		if kind == "command" && strings.Contains(about, lastDigits) && once.CompareAndSwap(false, true) {
			return cut
		}
		return pass
	})
	b.PressDigits("*1")
	w.until("the link is cut", once.Load)
	w.reconnected()
	w.until("it is paused", func() bool { return a.Get("tapedeck_state") == "paused" })
	w.until("the code is cleared", func() bool { return b.Get(lastDigits) == "" })
	w.until("the user hears it", func() bool { return len(b.Hears()) > 0 })
	w.wantPrompt(b, "recorded.wav")
	if n := w.meter.get("toggle dtmf missed"); n != 0 {
		t.Errorf("%d presses were refused", n)
	}
	w.proxy.judgeBy(func(string, string) verdict { return pass })
	w.sw.DropLinks()
	b.PressDigits("*1")
	w.reconnected()
	w.until("a press that nobody took is refused", func() bool { return w.meter.get("toggle dtmf missed") == 1 })
	a.Hangup("")
}

// TestPromptLostAtTheCut: the link is cut when the answer to a press is sent. The user hears it when
// the link is back, unless it is not true any more.
func TestPromptLostAtTheCut(t *testing.T) {
	for name, goesOn := range map[string]bool{"it is still paused": false, "it has been resumed": true} {
		t.Run(name, func(t *testing.T) {
			w, a, b := newAnsweredCall(t, "+442079460001")
			var once atomic.Bool
			w.proxy.judgeBy(func(kind, about string) verdict {
				if kind == "command" && (once.Load() || strings.Contains(about, "uuid_displace")) {
					once.Store(true)
					return cut
				}
				return pass
			})
			b.PressDigits("*1")
			w.until("the prompt is lost", func() bool { return len(w.log.Lines("prompt not played")) > 0 })
			if goesOn {
				w.element(a, "application/survey") // says yes
			}
			var again atomic.Bool
			w.proxy.judgeBy(func(_, about string) verdict {
				if strings.Contains(about, "start") && strings.Contains(about, "/recorded.wav") {
					again.Store(true)
				}
				return pass
			})
			w.reconnected()
			w.waitState(a, map[bool]string{false: "paused", true: "on"}[goesOn])
			w.settle()
			if again.Load() == goesOn {
				t.Errorf("\"Recorded\" is played again: %t; the user hears %q", !goesOn, b.Hears())
			}
			a.Hangup("")
		})
	}
}

// TestPromptLostNotTrue: what was lost with the link is played again only if it is true, and for
// a short time.
func TestPromptLostNotTrue(t *testing.T) {
	w, a, b := newAnsweredCall(t, "+442079460001")
	w.wantState(a, "on")
	for _, tc := range []struct {
		name  string
		ago   time.Duration
		plays bool
	}{{recorded, 0, false}, {isBeingRecorded, promptLife, false}, {isBeingRecorded, 0, true}} {
		w.ctl.ask(t.Context(), func(now time.Time) {
			l := w.ctl.legs.get(b.UUID())
			l.heard.lost = lostPrompt{tc.name, now.Add(-tc.ago)}
			l.playLost(w.ctl.calls[a.UUID()], now)
		})
		w.settle()
		if plays := len(b.Hears()) > 0; plays != tc.plays {
			t.Errorf("%s, lost %v ago: the user hears %q", tc.name, tc.ago, b.Hears())
		}
	}
	a.Hangup("")
}

// TestLegOfItsOwnCallIsNoAnswer: a leg that was dialled for an outgoing call runs the
// dialplan while it rings, and so begins a call of its own. It is answered while the
// link is cut: that is no answer of the outgoing call, which ends with its first leg.
func TestLegOfItsOwnCallIsNoAnswer(t *testing.T) {
	w := newProxied(t)
	a := w.from("1001", "07700900123")
	b := w.out(a)
	b.Set("tapedeck_org", "acme")
	w.enter(b)
	w.waitFor("two calls", func(ctl *Controller) bool { return len(ctl.calls) == 2 })
	w.whileLinkIsCut(func() { b.Answer() })
	w.settle()
	b.Hangup("")
	a.Hangup("")
	w.waitFor("both calls have ended", func(ctl *Controller) bool { return len(ctl.calls) == 0 })
}

// TestRelayOfALegThatIsGone: another instance tells of a leg that has answered, and
// hung up before the telling was read. What it entered counts, and nothing breaks.
func TestRelayOfALegThatIsGone(t *testing.T) {
	l := newFixture(t)
	a := l.from("1001", "07700900123")
	l.ctl.ask(t.Context(), func(now time.Time) {
		c := l.ctl.calls[a.UUID()]
		c.absence.enterRelayed(entry{leg: "gone", dialledLeg: true, answered: true, fromDialplan: fromDialplan{hint: "application/survey"}}, now, now)
		if n := len(c.route.passed); n == 0 || c.route.passed[n-1].Element.ID != "survey" {
			t.Errorf("the chain is %v", c.route.passed)
		}
	})
	a.Hangup("")
}

// TestAnnouncementUnanswered: FreeSWITCH takes so long for an announcement that its
// replies count as lost, and meanwhile another user comes on the call. The link stays
// up, and nothing else happens: his leg is told all the same.
func TestAnnouncementUnanswered(t *testing.T) {
	t.Parallel()
	w := newProxied(t)
	a := talkingTo("+442079460005", "1004")(w)
	w.settle()
	w.sw.DelayReplies(commandDeadline + 500*time.Millisecond) // of each command that comes now
	attendedTo("1002")(w, a)
	w.waitFor("the announcement is on its way, and bob is there", func(ctl *Controller) bool {
		c := ctl.calls[a.UUID()]
		return c.announced.sending && c.route.peer == w.peerOf(a).UUID()
	})
	w.sw.DelayReplies(0)
	w.waitState(w.peerOf(a), "on")
	w.endAll()
}

// TestCodeNotAskedFor: a press is found after a link cut, and FreeSWITCH takes so long to
// say whether its code is still there that the reply counts as lost. The link stays up,
// and nothing else happens: the press is refused aloud all the same.
func TestCodeNotAskedFor(t *testing.T) {
	t.Parallel()
	w, a, b := newAnsweredCall(t, "+442079460001")
	w.wantState(a, "on")
	var asked atomic.Int32
	w.settle()
	w.proxy.judgeBy(func(string, string) verdict { return cut })
	w.sw.DropLinks()
	b.PressDigits("*1")
	w.proxy.judgeBy(func(kind, about string) verdict {
		switch isAsked := about == "api uuid_getvar "+b.UUID()+" "+lastDigits; {
		case kind != "command":
		case isAsked && asked.Add(1) == 1:
			w.sw.DelayReplies(commandDeadline + 500*time.Millisecond)
		default:
			w.sw.DelayReplies(0)
		}
		return pass
	})
	w.until("the press is refused", func() bool { return w.meter.get("toggle dtmf missed") == 1 })
	if n := asked.Load(); n < 2 {
		t.Errorf("FreeSWITCH was asked for the code %d times: the test is about nothing", n)
	}
	w.until("the code is cleared", func() bool { return b.Get(lastDigits) == "" })
	w.settle()
	w.wantPrompt(b, "not-permitted.wav")
	w.endAll()
}

// stalling is a watch link on which too much waits while full is true.
type stalling struct {
	Link
	full    atomic.Bool
	refused atomic.Int32
}

func (s *stalling) Post(ctx context.Context, commands []esl.Command) func() ([]esl.Reply, error) {
	if !s.full.Load() {
		return s.Link.Post(ctx, commands)
	}
	s.refused.Add(1)
	return func() ([]esl.Reply, error) { return nil, &esl.SendError{Name: commands[0].Name(), Err: esl.ErrStalled} }
}

// TestTooMuchWaits: another user comes on the call while too much waits on the link,
// which stays up. What was not sent is sent a little later, although nothing else
// happens; it is not tried all the time.
func TestTooMuchWaits(t *testing.T) {
	for name, tc := range map[string]struct{ number, before, after string }{
		"an announcement":     {"+442079460005", "1004", "1002"}, // a lock: what is recorded does not change
		"a recording command": {"+442079460001", "1002", "1004"}, // bob says no
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newProxied(t)
			a := talkingTo(tc.number, tc.before)(w)
			w.settle()
			link := &stalling{}
			w.ctl.ask(t.Context(), func(time.Time) {
				link.Link = w.ctl.cfg.Switches["fs1"]
				w.ctl.cfg.Switches["fs1"] = link
			})
			link.full.Store(true)
			attendedTo(tc.after)(w, a)
			mark := w.sw.Incoming(esltest.Leg{Number: "mark"})
			w.waitFor("all events are taken", func(ctl *Controller) bool { return ctl.legs.get(mark.UUID()) != nil })
			time.Sleep(retryAfter / 2) // the time in which it must not be tried all the time
			if n := link.refused.Load(); n == 0 || n > 50 {
				t.Errorf("it was tried %d times", n)
			}
			link.full.Store(false)
			w.waitState(w.peerOf(a), "on")
			w.waitState(a, "on")
			w.endAll()
		})
	}
}
