package call

import (
	"testing"
	"time"
)

func TestInboundNumberYes(t *testing.T) {
	l := newLab(t)
	a := l.inbound("+442079460001")
	l.state(a, "off")
	b := l.ring(a, "1004")
	l.answer(b)
	l.state(a, "on")
	l.talk(2 * time.Second)
	a.Hangup("")
	l.settle()
	l.heard("0s-2s 440|2200")
	if l.meter.get("recording complete") != 1 || l.meter.get("live") != 0 {
		t.Errorf("counts: %v", l.meter.of)
	}
}
