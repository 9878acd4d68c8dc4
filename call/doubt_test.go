package call

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/call/confirm"
	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/flow"
)

// slowLink is a fixture in which FreeSWITCH says nothing on the watch link from slow to
// w.proxy.release.
func slowLink(t *testing.T) (w *proxied, slow func()) {
	p := strangerPolicy(t)
	w = newProxiedWith(t, p, Prompts{})
	w.hurry()
	var is atomic.Bool
	w.proxy.judgeBy(func(kind, _ string) verdict {
		if is.Load() && kind != "command" {
			return stall
		}
		return pass
	})
	return w, func() { w.settle(); is.Store(true) }
}

// TestSlowLink: what a real leg is owed if FreeSWITCH does not confirm it in time.
func TestSlowLink(t *testing.T) {
	for _, tc := range []struct {
		name  string
		play  func(w *proxied, slow func())
		heard string
	}{
		{"a new call", func(w *proxied, slow func()) {
			slow()
			a := w.inbound("+442079460005")
			w.ring(a, "1004").Answer()
			w.talk(second)
			w.proxy.release()
			w.settle()
			w.wantState(a, "on")
			w.talk(second)
		}, "0s-2s 440|2200"},
		{"a new call that ends meanwhile", func(w *proxied, slow func()) {
			slow()
			a := w.inbound("+442079460005")
			w.ring(a, "1004").Answer()
			w.talk(second)
			a.Hangup("")
			w.proxy.release()
		}, "0s-1s 440|2200"},
		{"a new call enters an element", func(w *proxied, slow func()) {
			slow()
			a := w.inbound("+442079460003")
			w.element(a, "ring_group/support")
			w.proxy.release()
			w.settle()
			w.answer(w.ring(a, "1004"))
			w.wantState(a, "on")
			w.talk(second)
		}, "0s-1s 440|2200"},
		{"an outgoing call", func(w *proxied, slow func()) {
			slow()
			a := w.from("1001", "07700900123")
			b := w.out(a)
			b.Answer()
			w.talk(second)
			w.proxy.release()
			w.settle()
			w.wantState(b, "on")
			b.Hangup("")
		}, "0s-1s 440|880"},
		{"an element that is not recorded", func(w *proxied, slow func()) {
			a := w.inbound("+442079460001")
			a.Answer()
			w.settle()
			w.wantState(a, "on")
			w.talk(second)
			slow()
			w.element(a, "application/reception")
			w.proxy.release()
			w.settle()
			w.wantState(a, "off")
			w.talk(second)
		}, "0s-1s 440|-; 1s-2s -|-"},
		{"an element that is recorded", func(w *proxied, slow func()) {
			a := w.inbound("+442079460003")
			slow()
			w.element(a, "ring_group/support")
			w.proxy.release()
			w.settle()
			w.answer(w.ring(a, "1004"))
			w.wantState(a, "on")
			w.talk(second)
		}, "0s-1s 440|2200"},
		{"a press by blind transfer", func(w *proxied, slow func()) {
			a := w.inbound("+442079460001")
			d := w.ring(a, "1004")
			w.answer(d)
			w.talk(second)
			slow()
			if d.ConfirmedTransfer("*1") != a {
				w.Fatal("the phone's leg does not wait for its transfer")
			}
			w.enter(a)
			d.Refuse(a)
			w.proxy.release()
			w.settle()
			w.wantState(a, "paused")
			w.talk(second)
		}, "0s-1s 440|2200; 1s-2s -|-"},
		{"a stranger came before the leg", func(w *proxied, slow func()) {
			a := w.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460005", ToneHz: outside})
			slow()
			w.visitUnsettled(a.UUID(), map[string]string{"tapedeck_org": "plain", "tapedeck_direction": "inbound"})
			w.enter(a)
			w.proxy.release()
			w.waitFor("the leg's own call", func(ctl *Controller) bool {
				c := ctl.callOf(a.UUID())
				return c != nil && c.route.org.ID == "acme"
			})
			w.settle()
			w.answer(w.ring(a, "1004"))
			w.wantState(a, "on")
			w.talk(second)
		}, "0s-1s 440|2200"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, slow := slowLink(t)
			tc.play(w, slow)
			w.endAll()
			w.wantWritten(tc.heard)
		})
	}
}

// visitUnsettled sends a stranger to the socket while the watch link is slow.
func (w *proxied) visitUnsettled(leg string, variables map[string]string) {
	w.Helper()
	_, err := esltest.Stranger{Leg: leg, Core: w.sw.CoreUUID(), Variables: variables,
		Headers: map[string]string{"Call-Direction": "inbound", "Answer-State": "answered", "Caller-Destination-Number": "+442079460101"}}.Visit(w.Context(), w.socket)
	w.must(err)
}

// TestStrangerOnSlowLink: a stranger who comes while FreeSWITCH does not answer pauses
// nothing, moves nothing, and what he has begun is forgotten.
func TestStrangerOnSlowLink(t *testing.T) {
	w, slow := slowLink(t)
	a := w.inbound("+442079460005")
	d := w.ring(a, "1004")
	w.answer(d)
	nobodys := w.inbound("+442079469999")
	n := w.ring(nobodys, "1003")
	w.answer(n)
	w.talk(second)
	slow()
	w.visitUnsettled(a.UUID(), map[string]string{"tapedeck_call": a.UUID(), "tapedeck_live": a.Get("tapedeck_live"), "tapedeck_element": "ring_group/private"})
	w.visitUnsettled(d.UUID(), map[string]string{"tapedeck_org": "plain"})
	w.visitUnsettled(nobodys.UUID(), map[string]string{"tapedeck_org": "plain"})
	w.visitUnsettled(n.UUID(), map[string]string{"tapedeck_org": "plain", "tapedeck_direction": "inbound"})
	w.visitUnsettled("0c7a5f40-1782-4bff-9de0-b6ba8f16e031", map[string]string{"tapedeck_org": "plain"})
	w.proxy.release()
	w.waitFor("the call that is real, alone", func(ctl *Controller) bool { return len(ctl.calls) == 1 && ctl.calls[a.UUID()] != nil })
	w.settle()
	w.wantState(a, "on")
	w.talk(second)
	w.endAll()
	w.wantWritten("0s-2s 440|2200")
}

// TestStrangerAnswersFirst: a stranger comes while the leg itself waits at the socket, and
// takes what is the leg's. What he has answered is not believed.
func TestStrangerAnswersFirst(t *testing.T) {
	for _, waits := range []string{"before it is heard", "after it is answered"} {
		t.Run(waits, func(t *testing.T) {
			w := newProxiedWith(t, strangerPolicy(t), Prompts{})
			w.hurry()
			entry := newProxy(t, w.socket)
			t.Cleanup(entry.close)
			var messages atomic.Int32
			entry.judgeBy(func(kind, _ string) verdict { // in this connection what the leg sends counts as a command
				if kind == "command" && (waits == "before it is heard" || messages.Add(1) > 1) {
					return stall
				}
				return pass
			})
			a := w.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001", ToneHz: outside})
			w.settle()
			entered := make(chan struct{})
			go func() {
				defer close(entered)
				_, _ = a.Socket(t.Context(), entry.ln.Addr().String())
				for waits == "after it is answered" && messages.Load() < 2 && t.Context().Err() == nil { // this machine stood still
					_, _ = a.Socket(t.Context(), entry.ln.Addr().String())
				}
			}()
			if waits == "after it is answered" {
				w.until("the leg has its commands", func() bool { return messages.Load() > 1 })
			} else {
				w.until("the leg is at the socket", func() bool { return a.Get("current_application") == "socket" })
			}
			w.visitUnsettled(a.UUID(), nil)
			entry.release()
			<-entered
			w.settle()
			w.answer(w.ring(a, "1004"))
			w.wantState(a, "on")
			w.talk(second)
			w.endAll()
			w.wantWritten("0s-1s 440|2200")
		})
	}
}

// TestSocketSecret: a leg without the dialplan's secret is sent away, and no line of the log
// has the secret.
func TestSocketSecret(t *testing.T) {
	fx := newFixture(t)
	fx.stop()
	secret := "a-secret-of-the-dialplan"
	fx.serve(Config{Policy: func() *flow.Policy { return testPolicy(t) }, SocketSecret: esl.NewSecret(secret)})
	for _, given := range []string{"", "another", secret + "x", secret} {
		a := fx.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001", Variables: map[string]string{"tapedeck_secret": given}})
		_, _ = a.Socket(t.Context(), fx.socket)
		if asked := a.Get("tapedeck_call") != ""; asked != (given == secret) {
			t.Errorf("with the secret %q Tapedeck was asked: %t", given, asked)
		}
		a.Hangup("")
	}
	fx.wantRejected(3)
	if strings.Contains(fx.log.String(), secret) {
		t.Error("the log has the secret")
	}
}

// noAnswer is a watch link whose commands get no answer: a leg is Late by it. down is one that
// is down.
type (
	noAnswer struct{ Link }
	down     struct{ Link }
)

func (noAnswer) Post(ctx context.Context, _ []esl.Command) func() ([]esl.Reply, error) {
	return func() ([]esl.Reply, error) { <-ctx.Done(); return nil, ctx.Err() }
}

func (down) Post(context.Context, []esl.Command) func() ([]esl.Reply, error) {
	return func() ([]esl.Reply, error) { return nil, esl.ErrLinkDown }
}

// TestDoubtOfATransferredCall: FreeSWITCH does not say that the leg of an outgoing call is
// real before the link is cut, and the leg is gone when it is back: its user has transferred
// the call. The leg that it has dialled has the call's id, which proves it, and commands
// reach the call.
func TestDoubtOfATransferredCall(t *testing.T) {
	fx := newFixture(t)
	fx.hurry()
	link := fx.ctl.cfg.Switches["fs1"]
	goes := func(l Link, asker confirm.Link) {
		fx.ctl.ask(t.Context(), func(time.Time) {
			fx.ctl.cfg.Switches["fs1"] = l
			fx.ctl.switches.asker = confirm.New(map[string]confirm.Link{"fs1": asker})
		})
	}
	goes(down{link}, noAnswer{link})
	a := fx.from("1001", "07700900123")
	goes(down{link}, link)
	b := fx.out(a)
	b.Answer()
	b = a.BlindTransfer("1004")
	fx.enter(b)
	d := fx.ring(b, "1004")
	d.Answer()
	goes(link, link)
	fx.must(fx.ctl.Connected(t.Context(), "fs1", link))
	fx.settle()
	fx.wantState(b, "off") // dave says nothing, and alice has left
	b = d.BlindTransfer("1001")
	fx.enter(b)
	fx.answer(fx.ring(b, "1001"))
	fx.wantState(b, "on")
	b.Hangup("")
}

// unheard is what the watch link is like from now on: nothing that FreeSWITCH says arrives,
// until it is cut and comes back.
func (w *proxied) unheard() (back func()) {
	w.Helper()
	w.hurry()
	w.settle()
	w.proxy.judgeBy(func(kind, _ string) verdict {
		if kind != "command" {
			return lose
		}
		return pass
	})
	return func() { w.Helper(); w.linkDown()() }
}

// TestDoubtOfAPicker: FreeSWITCH does not say that the leg of a user whose own calls are recorded is
// real before he picks up a parked call and the link is cut. His own file, whose beginning
// nobody saw, ends when the link is back.
func TestDoubtOfAPicker(t *testing.T) {
	w := newProxiedWith(t, pressPolicy(t), Prompts{})
	a := w.parkedCall("+442079460001")
	back := w.unheard()
	x := w.from("1001", "6001") // alice: internal yes
	x.PickUpParked(a)
	w.talk(second)
	back()
	w.toldTrue()
	if files := recordedInto(x); len(files) != 1 || files[0] != a.Get("tapedeck_file") {
		t.Errorf("alice is written into %q", files)
	}
	w.talk(second)
	w.endAll()
	if got, want := w.heardIn(x), "0s-1s -|-"; got != want {
		t.Errorf("alice's own file has %s, want %s", got, want)
	}
}

// TestBridgedBeforeItBegins: a leg that FreeSWITCH has not confirmed has picked up a call before
// its own call begins over the watch link. That one dissolves at once.
func TestBridgedBeforeItBegins(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.parkedCall("+442079460001")
	x := fx.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1001", Destination: "6001", ToneHz: alice,
		Variables: map[string]string{"user_name": "1001", "domain_name": "acme.example.net"}})
	x.PickUpParked(a)
	fx.settle()
	replies, err := fx.ctl.cfg.Switches["fs1"].Post(t.Context(), []esl.Command{esl.API("uuid_dump", x.UUID())})()
	fx.must(err)
	fx.ctl.ask(t.Context(), func(now time.Time) {
		reports{fx.ctl}.beginOnLink(readEntry(fx.ctl.cfg.Policy(), replies[0].Dump()), "", now)
	})
	fx.settle()
	fx.toldTrue()
	if files := recordedInto(x); len(files) != 1 || files[0] != a.Get("tapedeck_file") {
		t.Errorf("alice is written into %q", files)
	}
	fx.pressCode(x)
	fx.wantState(a, "paused")
	a.Hangup("")
}

// TestDoubtOfATransferredCallUnseen: as TestDoubtOfATransferredCall, and the leg that has answered is
// known from its socket alone.
func TestDoubtOfATransferredCallUnseen(t *testing.T) {
	w := newProxiedWith(t, pressPolicy(t), Prompts{})
	w.unheard()
	a := w.from("1001", "07700900123")
	up := w.linkDown()
	b := w.out(a)
	b.Answer()
	b = a.BlindTransfer("1004")
	b.Set("tapedeck_org", "acme")
	w.enter(b)
	w.talk(second)
	d := w.ring(b, "1004")
	d.Answer()
	up()
	w.wantState(b, "off") // dave says nothing, and alice has left
	w.pressCode(d)
	w.wantState(b, "on")
	b.Hangup("")
}

// TestDoubtOfADialledElement: an outgoing call enters an element while FreeSWITCH does not say
// that its leg is real, and is answered. The leg that has answered is recorded, and the element
// counts, although it is noted on the leg that called.
func TestDoubtOfADialledElement(t *testing.T) {
	w := newProxiedWith(t, pressPolicy(t), Prompts{})
	back := w.unheard()
	a := w.from("1001", "07700900123")
	w.element(a, "ring_group/private") // no
	b := w.out(a)
	b.Answer()
	back()
	w.wantState(b, "off")
	w.talk(second)
	w.endAll()
}
