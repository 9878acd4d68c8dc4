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
		play  func(*lab)
		heard string
	}{
		{"inbound, number yes", func(l *lab) {
			a := l.inbound("+442079460001")
			l.state(a, "off")
			b := l.ring(a, "1004")
			l.talk(second) // it rings
			l.answer(b)
			l.state(a, "on")
			l.talk(2 * second)
			a.Hangup("")
		}, "0s-2s 440|2200"},
		{"inbound, number dont-care", func(l *lab) {
			a := l.inbound("+442079460004")
			l.answer(l.ring(a, "1004"))
			l.talk(second)
			a.Hangup("")
		}, "no file"},
		{"number no, then group yes", func(l *lab) {
			a := l.inbound("+442079460003")
			l.element(a, "ring_group/support")
			l.answer(l.ring(a, "1004"))
			l.talk(second)
			a.Hangup("")
		}, "0s-1s 440|2200"},
		{"group yes, answering user no", func(l *lab) {
			a := l.inbound("+442079460004")
			l.element(a, "ring_group/support")
			l.answer(l.ring(a, "1002"))
			l.state(a, "off")
			l.talk(second)
			a.Hangup("")
		}, "0s-1s -|-"},
		{"group no, answering user yes", func(l *lab) {
			a := l.inbound("+442079460004")
			l.element(a, "ring_group/private")
			l.answer(l.ring(a, "1003"))
			l.state(a, "on")
			l.talk(second)
			a.Hangup("")
		}, "0s-1s 440|1760"},
		{"number force, answering user no", func(l *lab) {
			a := l.inbound("+442079460005")
			l.answer(l.ring(a, "1002"))
			l.talk(second)
			a.Hangup("")
		}, "0s-1s 440|1320"},
		{"switched off by an application, on by a later one", func(l *lab) {
			a := l.inbound("+442079460001")
			a.Answer()
			l.settle()
			l.state(a, "on")
			l.talk(second)
			l.element(a, "application/reception")
			l.settle()
			l.state(a, "off")
			l.talk(second)
			l.element(a, "application/survey")
			l.settle()
			l.state(a, "on")
			l.talk(second)
			a.Hangup("")
		}, "0s-1s 440|-; 1s-2s -|-; 2s-3s 440|-"},
		{"two phones ring, the one that says no loses", func(l *lab) {
			a := l.inbound("+442079460001")
			b, d := l.ring(a, "1002"), l.ring(a, "1004")
			d.AnswerAgainst(b)
			l.settle()
			l.talk(second)
			a.Hangup("")
		}, "0s-1s 440|2200"},
		{"two phones ring, the one that says no answers", func(l *lab) {
			a := l.inbound("+442079460001")
			b, d := l.ring(a, "1002"), l.ring(a, "1004")
			b.AnswerAgainst(d)
			l.settle()
			l.talk(second)
			a.Hangup("")
		}, "0s-1s -|-"},
		{"the caller gives up", func(l *lab) {
			a := l.inbound("+442079460001")
			l.ring(a, "1004")
			a.Hangup("ORIGINATOR_CANCEL")
		}, "no file"},
		{"outgoing by the user", func(l *lab) {
			a := l.from("1001", "07700900123")
			l.answer(l.out(a))
			l.talk(second)
			a.Hangup("")
		}, "0s-1s 440|880"},
		{"outgoing by the number", func(l *lab) {
			a := l.from("1002", "07700900123", "02079460002")
			l.answer(l.out(a))
			l.talk(second)
			a.Hangup("")
		}, "0s-1s 440|1320"},
		{"outgoing, not wanted", func(l *lab) {
			a := l.from("1002", "07700900123")
			l.answer(l.out(a))
			l.talk(second)
			a.Hangup("")
		}, "no file"},
		{"outgoing, the number entered as an element", func(l *lab) {
			a := l.from("1004", "07700900123", "02079460003")
			l.element(a, "number/02079460002")
			l.answer(l.out(a))
			l.talk(second)
			a.Hangup("")
		}, "0s-1s 440|2200"},
		{"outgoing, the first leg dialled is busy", func(l *lab) {
			a := l.from("1001", "07700900123")
			l.out(a).Hangup("USER_BUSY")
			l.answer(l.out(a))
			l.talk(second)
			a.Hangup("")
		}, "0s-1s 440|880"},
		{"internal", func(l *lab) {
			a := l.from("1001", "1004")
			l.answer(l.ring(a, "1004"))
			l.talk(second)
			a.Hangup("")
		}, "0s-1s 880|2200"},
		{"internal, the one called says no", func(l *lab) {
			a := l.from("1001", "1002")
			l.answer(l.ring(a, "1002"))
			l.talk(second)
			a.Hangup("")
		}, "0s-1s -|-"},
		{"inbound, blind transfer to one who says no, then to one who does not care", func(l *lab) {
			a := l.inbound("+442079460001")
			d := l.ring(a, "1004")
			l.answer(d)
			l.talk(second)
			a = d.BlindTransfer("1002")
			l.enter(a)
			b := l.ring(a, "1002")
			l.settle()
			l.talk(second) // it rings
			l.answer(b)
			l.talk(second)
			a = b.BlindTransfer("1004")
			l.enter(a)
			l.answer(l.ring(a, "1004"))
			l.talk(second)
			a.Hangup("")
		}, "0s-1s 440|2200; 1s-3s -|-; 3s-4s 440|2200"},
		{"inbound, blind transfer: the first user's yes goes with the user", func(l *lab) {
			a := l.inbound("+442079460004")
			c := l.ring(a, "1003")
			l.answer(c)
			l.talk(second)
			a = c.BlindTransfer("1004")
			l.enter(a)
			l.answer(l.ring(a, "1004"))
			l.state(a, "off")
			l.talk(second)
			a.Hangup("")
		}, "0s-1s 440|1760; 1s-2s -|-"},
		{"outgoing, blind transfer of the outside party", func(l *lab) {
			a := l.from("1001", "07700900123")
			b := l.out(a)
			l.answer(b)
			l.talk(second)
			b = a.BlindTransfer("1002")
			l.settle()
			l.enter(b)
			l.answer(l.ring(b, "1002"))
			l.talk(second)
			b.Hangup("")
		}, "0s-1s 440|880; 1s-2s -|-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t)
			tc.play(l)
			l.settle()
			l.heard(tc.heard)
			if live := l.meter.get("live"); live != 0 {
				t.Errorf("%d calls are still live", live)
			}
			if n := len(l.log.Lines("level=WARN")); n != 0 {
				t.Errorf("%d warnings", n)
			}
		})
	}
}

func TestAttendedTransfer(t *testing.T) {
	l := newLab(t)
	a := l.inbound("+442079460001")
	b := l.ring(a, "1004")
	l.answer(b)
	l.talk(second)
	consult := l.from("1004", "1002")
	l.answer(l.ring(consult, "1002"))
	l.talk(second)
	b.AttendedTransfer(consult)
	l.settle()
	l.talk(second)
	a.Hangup("")
	l.settle()
	l.heard("0s-2s 440|2200; 2s-3s -|-")
	if live := l.meter.get("live"); live != 0 {
		t.Errorf("%d calls are still live", live)
	}
}
