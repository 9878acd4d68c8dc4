package e2e

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

// waits is how long a caller waits in the queue. A file that does not grow is a problem
// after 6 s, unless its call waits.
const waits = 9 * time.Second

func queues() []scenario {
	recorded := settings{numbers: map[int]string{lab.ToAlice: "yes"}, onDemand: digits}
	return []scenario{
		{"a caller waits in a queue", recorded, queue},
		{"a caller gives up in a queue", recorded, queueGivenUp},
		{"the outside party puts the user on hold", recorded, heldByOutside},
	}
}

// parked is a call that alice answers and parks in mod_fifo. FreeSWITCH writes nothing
// while it waits there, since entered.
func (t *talk) parked() (caller *lab.Telephone, anchor string, said period, entered time.Time) {
	t.Helper()
	caller = t.inbound(lab.ToAlice)
	alice := t.rings(lab.UserAlice)
	t.pickUp(alice, caller)
	anchor, said = t.leg(caller), t.speak(speech)
	t.do(alice.Transfer(t.ctx, t.org.Queue()))
	entered = t.queued(anchor, "push")
	t.speak(waits)
	return caller, anchor, said, entered
}

// queue is a call that bob takes out of the queue, and pauses: the silence is at its
// place in the file, which is shorter than the call.
func queue(t *talk) {
	caller, anchor, before, entered := t.parked()
	bob := t.dials(lab.UserBob, t.org.Agent())
	waited := t.bridgedAfter(anchor, entered).Sub(entered)
	after := t.speak(speech)
	t.pressFor(bob, anchor, "paused")
	t.speak(speech)
	t.pressFor(bob, anchor, "on")
	last := t.speak(speech)
	t.hangUp(caller, bob)

	r := t.waitedFor(anchor, entered, waited)
	r.heard(before, only(lab.Outside), only(lab.Alice))
	r.heard(after.earlier(waited), only(lab.Outside), only(lab.Bob))
	r.heard(last.earlier(waited), only(lab.Outside), only(lab.Bob))
}

// queueGivenUp is a call whose caller hangs up before anybody takes it.
func queueGivenUp(t *talk) {
	caller, anchor, said, entered := t.parked()
	t.hangUp(caller)
	t.waitedFor(anchor, entered, t.goneAt(anchor).Sub(entered)).heard(said, only(lab.Outside), only(lab.Alice))
}

// heldByOutside is a call whose outside party puts alice on hold, and whose phone sends
// nothing meanwhile.
func heldByOutside(t *talk) {
	caller := t.inbound(lab.ToAlice)
	alice := t.rings(lab.UserAlice)
	t.pickUp(alice, caller)
	anchor, before := t.leg(caller), t.speak(speech)
	t.do(caller.Hold(t.ctx))
	t.speak(waits)
	t.do(caller.Unhold(t.ctx))
	after := t.speak(speech)
	t.hangUp(caller, alice)

	r := t.listenPart(t.soundOf(anchor))
	var waited time.Duration
	for _, span := range r.about.Spans {
		waited += time.Duration(span.WaitedMS) * time.Millisecond
	}
	t.Logf("held for %v: FreeSWITCH wrote nothing for %v", waits, waited)
	r.lasts(r.ended.Sub(r.began) - waited)
	r.heard(before, only(lab.Outside), only(lab.Alice))
	r.heard(after.earlier(waited), only(lab.Outside), only(lab.Alice))
}

// soundOf is the path of the only recording of a leg.
func (t *talk) soundOf(leg string) string {
	t.Helper()
	files, err := t.suite.tapedeck.Files(t.org)
	t.do(err)
	files = slices.DeleteFunc(files, func(path string) bool { return !strings.HasSuffix(path, ".wav") })
	if len(files) != 1 || !strings.HasSuffix(files[0], leg+".wav") {
		t.Fatalf("there are the files %q, want one of %s", files, leg)
	}
	return files[0]
}

// queued waits until mod_fifo says what a leg does, and returns when that was.
func (t *talk) queued(leg, action string) time.Time {
	t.Helper()
	e, err := t.suite.lab.Switch.Wait(t.ctx, action+" of "+leg, func(e *esl.Event) bool {
		return e.Subclass() == "fifo::info" && e.Get("FIFO-Action") == action && e.Get("Unique-ID") == leg
	})
	t.do(err)
	return t.moment(e, "Event-Date-Timestamp")
}

// bridgedAfter waits until a leg talks to somebody after a time, and returns since when.
func (t *talk) bridgedAfter(leg string, after time.Time) time.Time {
	t.Helper()
	var at time.Time
	_, err := t.suite.lab.Switch.Wait(t.ctx, "bridge of "+leg, func(e *esl.Event) bool {
		if bridges(e, leg) {
			at = t.moment(e, "Event-Date-Timestamp")
		}
		return at.After(after)
	})
	t.do(err)
	return at
}

// waitedFor is the only recording of a leg that waited for so long.
func (t *talk) waitedFor(leg string, since time.Time, waited time.Duration) take {
	t.Helper()
	r := t.listenPart(t.soundOf(leg))
	r.lasts(r.ended.Sub(r.began) - waited)
	var found []string
	for _, span := range r.about.Spans {
		if span.State != "waiting" {
			continue
		}
		found = append(found, fmt.Sprintf("%+v", span))
		from, long := time.Duration(span.FromMS)*time.Millisecond, time.Duration(span.WaitedMS)*time.Millisecond
		if off, wrong := (from - since.Sub(r.began)).Abs(), (long - waited).Abs(); off > spanSlip+2*bridgeSlip || wrong > spanSlip || span.ToMS != span.FromMS {
			r.Errorf("the sidecar says waiting %+v, want from %v for %v", span, since.Sub(r.began), waited)
		}
	}
	if len(found) != 1 {
		r.Errorf("the sidecar has the waits %v, want one", found)
	}
	return r
}

// earlier is the period by so much earlier.
func (p period) earlier(by time.Duration) period { return period{p.from.Add(-by), p.to.Add(-by)} }
