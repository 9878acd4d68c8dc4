package call

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/call/handover"
)

// TestDissolvedWithoutAStart: the disk was full when the picking user's leg was answered,
// and FreeSWITCH has left an empty file. His call dissolves before that is noticed: its
// sidecar says so.
func TestDissolvedWithoutAStart(t *testing.T) {
	fx, sidecars := newTalk(t)
	a := fx.parkedCall("+442079460001")
	x := fx.from("1001", "6001") // alice is recorded
	fx.settle()
	fx.sw.FailWrites(x.Get("tapedeck_file"), 0)
	x.Answer()
	fx.settle()
	x.PickUpParked(a)
	fx.settle()
	s, written := sidecars.of(x.UUID())
	if !written || !slices.Contains(s.Problems, "not started") {
		t.Errorf("alice's sidecar is written: %t, with the problems %q", written, s.Problems)
	}
	a.Hangup("")
	fx.settle()
}

// TestDissolvedWithoutAPacket: the file of the picking user's call ends before its first
// packet. The call is over at once.
func TestDissolvedWithoutAPacket(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.parkedCall("+442079460001")
	x := fx.from("1001", "6001")
	fx.settle()
	x.PickUpParked(a)
	fx.until("the file is stopped", func() bool { return fx.meter.get("stop ok") == 1 })
	left := -1
	fx.ctl.ask(context.Background(), func(time.Time) { left = len(fx.ctl.dissolved) })
	if left != 0 {
		t.Errorf("%d calls that have dissolved are not over", left)
	}
	a.Hangup("")
	fx.settle()
}

// TestPickUpToldLate: the call of the picking user belongs to another instance, and what
// that has told his leg arrives after what the owner of the outside party's call has. When
// the other instance has noticed the pick-up, the owner tells the leg again.
func TestPickUpToldLate(t *testing.T) {
	p := pressPolicy(t)
	fx := newFixtureWith(t, p)
	fx.settle()
	fx.stop()
	one, socketOne := fx.start(fx.address, Config{Policy: testPolicyOf(p), Calls: named{name: "one"}, Index: noIndex{}, Archive: noArchive{}})
	stopOne := fx.stop
	two, socketTwo := fx.start(fx.address, Config{Policy: testPolicyOf(p), Calls: named{name: "two"}, Index: noIndex{}, Archive: noArchive{}})
	stopTwo := fx.stop
	fx.stop = func() { stopOne(); stopTwo() }
	fx.ctl, fx.socket = one, socketOne
	a := fx.parkedCall("+442079460001")
	fx.ctl, fx.socket = two, socketTwo
	x := fx.from("1005", "6001")
	fx.settle()
	waits := make(chan struct{})
	two.post(func(time.Time) { <-waits })
	x.PickUpParked(a)
	fx.ctl = one
	fx.settle()
	fx.wantState(x, "on")
	x.Set("tapedeck_state", "off") // what the other instance had sent before
	close(waits)
	fx.waitState(x, "on")
	fx.toldTrue()
	a.Hangup("")
	fx.settle()
}

// TestJoinedWhileNobodyFollowed: the picking user's call has dissolved at another instance
// while nobody followed the outside party's call. Whoever takes that over finds it out.
func TestJoinedWhileNobodyFollowed(t *testing.T) {
	p := pressPolicy(t)
	fx := newFixtureWith(t, p)
	a := fx.parkedCall("+442079460001")
	x := fx.from("1001", "6001")
	fx.settle()
	fx.restart(p, func() {
		x.PickUpParked(a)
		x.Set(handover.Variable, "")
		x.Set("tapedeck_call", a.UUID())
	})
	fx.waitState(x, "on")
	if got := fx.log.Lines("user came with a call of his own"); len(got) != 1 || !strings.Contains(got[0], "other="+x.UUID()) {
		t.Errorf("the log says %q", got)
	}
	a.Hangup("")
	fx.settle()
}

// TestGuestWithoutAStart: the disk was full when the leg of a user was answered in whose
// conference room an outside party is. FreeSWITCH has left an empty file, and the
// sidecar says so.
func TestGuestWithoutAStart(t *testing.T) {
	fx, sidecars := newTalk(t)
	r := &conferenceRoom{fixture: fx}
	a := r.outside("+442079460001")
	x := fx.from("1001", "3000") // alice is recorded
	fx.settle()
	fx.sw.FailWrites(x.Get("tapedeck_file"), 0)
	r.joins(x)
	x.Hangup("")
	fx.settle()
	s, written := sidecars.of(x.UUID())
	if !written || !slices.Contains(s.Problems, "not started") {
		t.Errorf("alice's sidecar is written: %t, with the problems %q", written, s.Problems)
	}
	a.Hangup("")
	fx.settle()
}
