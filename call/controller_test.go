package call

import (
	"testing"
	"time"
)

const second = time.Second

// TestCalls: what is heard in the file of each kind of call. Channel 1 is the
// recorded leg's own voice, channel 2 what it hears.
func TestCalls(t *testing.T) {
	for _, tc := range []struct {
		name  string
		play  func(*fixture)
		heard string
	}{
		{"inbound, number yes", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			fx.wantState(a, "off")
			b := fx.ring(a, "1004")
			fx.talk(second) // it rings
			fx.answer(b)
			fx.wantState(a, "on")
			fx.talk(2 * second)
			a.Hangup("")
		}, "0s-2s 440|2200"},
		{"inbound, number dont-care", func(fx *fixture) {
			a := fx.inbound("+442079460004")
			fx.answer(fx.ring(a, "1004"))
			fx.talk(second)
			a.Hangup("")
		}, "no file"},
		{"number no, then group yes", func(fx *fixture) {
			a := fx.inbound("+442079460003")
			fx.element(a, "ring_group/support")
			fx.answer(fx.ring(a, "1004"))
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s 440|2200"},
		{"group yes, answering user no", func(fx *fixture) {
			a := fx.inbound("+442079460004")
			fx.element(a, "ring_group/support")
			fx.answer(fx.ring(a, "1002"))
			fx.wantState(a, "off")
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s -|-"},
		{"group no, answering user yes", func(fx *fixture) {
			a := fx.inbound("+442079460004")
			fx.element(a, "ring_group/private")
			fx.answer(fx.ring(a, "1003"))
			fx.wantState(a, "on")
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s 440|1760"},
		{"number force, answering user no", func(fx *fixture) {
			a := fx.inbound("+442079460005")
			fx.answer(fx.ring(a, "1002"))
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s 440|1320"},
		{"switched off by an application, on by a later one", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			a.Answer()
			fx.settle()
			fx.wantState(a, "on")
			fx.talk(second)
			fx.element(a, "application/reception")
			fx.settle()
			fx.wantState(a, "off")
			fx.talk(second)
			fx.element(a, "application/survey")
			fx.settle()
			fx.wantState(a, "on")
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s 440|-; 1s-2s -|-; 2s-3s 440|-"},
		{"two phones ring, the one that says no loses", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			b, d := fx.ring(a, "1002"), fx.ring(a, "1004")
			d.AnswerAgainst(b)
			fx.settle()
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s 440|2200"},
		{"two phones ring, the one that says no answers", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			b, d := fx.ring(a, "1002"), fx.ring(a, "1004")
			b.AnswerAgainst(d)
			fx.settle()
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s -|-"},
		{"the caller gives up", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			fx.ring(a, "1004")
			a.Hangup("ORIGINATOR_CANCEL")
		}, "no file"},
		{"outgoing by the user", func(fx *fixture) {
			a := fx.from("1001", "07700900123")
			fx.answer(fx.out(a))
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s 440|880"},
		{"outgoing by the number", func(fx *fixture) {
			a := fx.from("1002", "07700900123", "02079460002")
			fx.answer(fx.out(a))
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s 440|1320"},
		{"outgoing, not wanted", func(fx *fixture) {
			a := fx.from("1002", "07700900123")
			fx.answer(fx.out(a))
			fx.talk(second)
			a.Hangup("")
		}, "no file"},
		{"outgoing, the number entered as an element", func(fx *fixture) {
			a := fx.from("1004", "07700900123", "02079460003")
			fx.element(a, "number/02079460002")
			fx.answer(fx.out(a))
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s 440|2200"},
		{"outgoing, the first leg dialled is busy", func(fx *fixture) {
			a := fx.from("1001", "07700900123")
			fx.out(a).Hangup("USER_BUSY")
			fx.answer(fx.out(a))
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s 440|880"},
		{"internal", func(fx *fixture) {
			a := fx.from("1001", "1004")
			fx.answer(fx.ring(a, "1004"))
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s 880|2200"},
		{"internal, the one called says no", func(fx *fixture) {
			a := fx.from("1001", "1002")
			fx.answer(fx.ring(a, "1002"))
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s -|-"},
		{"inbound, blind transfer to one who says no, then to one who does not care", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.talk(second)
			a = d.BlindTransfer("1002")
			fx.enter(a)
			b := fx.ring(a, "1002")
			fx.settle()
			fx.talk(second) // it rings
			fx.answer(b)
			fx.talk(second)
			a = b.BlindTransfer("1004")
			fx.enter(a)
			fx.answer(fx.ring(a, "1004"))
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s 440|2200; 1s-3s -|-; 3s-4s 440|2200"},
		{"inbound, blind transfer: the first user's yes goes with the user", func(fx *fixture) {
			a := fx.inbound("+442079460004")
			c := fx.ring(a, "1003")
			fx.answer(c)
			fx.talk(second)
			a = c.BlindTransfer("1004")
			fx.enter(a)
			fx.answer(fx.ring(a, "1004"))
			fx.wantState(a, "off")
			fx.talk(second)
			a.Hangup("")
		}, "0s-1s 440|1760; 1s-2s -|-"},
		{"outgoing, blind transfer of the outside party", func(fx *fixture) {
			a := fx.from("1001", "07700900123")
			b := fx.out(a)
			fx.answer(b)
			fx.talk(second)
			b = a.BlindTransfer("1002")
			fx.settle()
			fx.enter(b)
			fx.answer(fx.ring(b, "1002"))
			fx.talk(second)
			b.Hangup("")
		}, "0s-1s 440|880; 1s-2s -|-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fx := newFixture(t)
			tc.play(fx)
			fx.settle()
			fx.wantWritten(tc.heard)
			if live := fx.meter.get("live"); live != 0 {
				t.Errorf("%d calls are still live", live)
			}
			if n := len(fx.log.Lines("level=WARN")); n != 0 {
				t.Errorf("%d warnings", n)
			}
		})
	}
}

func TestAttendedTransfer(t *testing.T) {
	fx := newFixture(t)
	a := fx.inbound("+442079460001")
	b := fx.ring(a, "1004")
	fx.answer(b)
	fx.talk(second)
	consult := fx.from("1004", "1002")
	fx.answer(fx.ring(consult, "1002"))
	fx.talk(second)
	b.AttendedTransfer(consult)
	fx.settle()
	fx.talk(second)
	a.Hangup("")
	fx.settle()
	fx.wantWritten("0s-2s 440|2200; 2s-3s -|-")
	if live := fx.meter.get("live"); live != 0 {
		t.Errorf("%d calls are still live", live)
	}
}
