package call

import (
	"context"
	"slices"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/recording"
)

// sayNotStarted checks that the sidecar of a call is written, and says that its file did
// not start.
func (d *describing) sayNotStarted(t *testing.T, call string) {
	t.Helper()
	if s, written := d.of(call); !written || !slices.Contains(s.Problems, "not started") {
		t.Errorf("the sidecar is written: %t, with the problems %q", written, s.Problems)
	}
}

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
	sidecars.sayNotStarted(t, x.UUID())
	a.Hangup("")
	fx.settle()
}

// TestDissolvedWithoutAPacket: the file of the picking user's call ends before its first
// packet. The call is over when FreeSWITCH has stopped it: nothing is waited for.
func TestDissolvedWithoutAPacket(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.parkedCall("+442079460001")
	x := fx.from("1001", "6001")
	fx.settle()
	x.PickUpParked(a)
	fx.until("the file is stopped", func() bool { return fx.meter.get("stop ok") == 1 })
	stopped, left := time.Now(), -1
	fx.until("the call that has dissolved is over", func() bool {
		fx.ctl.ask(context.Background(), func(time.Time) { left = len(fx.ctl.dissolved) })
		return left == 0
	})
	if late := time.Since(stopped); late >= startDeadline {
		t.Errorf("the call that has dissolved is over only after %v", late)
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
	sidecars.sayNotStarted(t, x.UUID())
	a.Hangup("")
	fx.settle()
}

// TestPausedWithoutAStart: the disk was full at the answer, and FreeSWITCH has left an
// empty file. The user pauses, and the call ends before the lack is noticed.
func TestPausedWithoutAStart(t *testing.T) {
	fx, sidecars := newTalk(t)
	a := fx.inbound("+442079460001")
	fx.settle()
	fx.sw.FailWrites(a.Get("tapedeck_file"), 0)
	phone := fx.ring(a, "1001")
	fx.answer(phone)
	fx.pressCode(phone)
	a.Hangup("")
	fx.settle()
	sidecars.sayNotStarted(t, a.UUID())
}

// TestNotWantedAnyMoreWithoutAStart: the disk was full at the answer. Then somebody came who
// says no, and the call ended before the lack was noticed. What was said until then was
// wanted: the sidecar says that it is missing.
func TestNotWantedAnyMoreWithoutAStart(t *testing.T) {
	fx, sidecars := newTalk(t)
	a := fx.from("1001", "07700900123") // alice is recorded
	b := a.Dial(esltest.Leg{Destination: "07700900123", ToneHz: outside})
	fx.settle()
	fx.sw.FailWrites(a.Get("tapedeck_file"), 0)
	fx.answer(b)
	x := fx.from("1002", "6001") // bob says no
	x.Intercept(b)
	fx.settle()
	b.Hangup("")
	fx.settle()
	sidecars.sayNotStarted(t, a.UUID())
}

// TestProblemWithoutADraft: the disk was full, so FreeSWITCH could not start the file, and
// Tapedeck not write down that. Then it was restarted. The sidecar says it all the same.
func TestProblemWithoutADraft(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.inbound("+442079460003") // nothing wants it recorded
	phone := fx.ring(a, "1004")
	fx.answer(phone)
	fx.sw.FailNext("uuid_record", "-ERR Cannot record session!")
	fx.pressCode(phone)
	sidecars := &describing{done: map[string]recording.Sidecar{}}
	fx.sw.ExcuseTold(true)
	fx.stop()
	fx.serve(Config{Policy: testPolicyOf(pressPolicy(t)), Calls: laterStore{}, Archive: sidecars})
	fx.sw.ExcuseTold(false)
	fx.settle()
	a.Hangup("")
	fx.settle()
	s, written := sidecars.of(a.UUID())
	if !written || len(s.Problems) != 1 || recording.ProblemCode(s.Problems[0]) != recording.NotStarted {
		t.Errorf("the sidecar is written: %t, with the problems %q", written, s.Problems)
	}
}
