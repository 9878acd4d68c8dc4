package call

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/flow"
)

// BenchmarkPress is how long a pressed code takes with 1,000 live calls, each
// answered: from the event's arrival on the watch link to the mask or unmask (or
// the start, on the first press) being handed to the link's socket. What the
// simulated switch does with its 1,000 files in between is not ours.
func BenchmarkPress(b *testing.B) {
	p := testPolicy(b)
	p.Organisations["acme"].OnDemand = flow.OnDemand{DTMF: "*1"}
	var arrived atomic.Int64
	handed, answered := make(chan time.Time, 1), make(chan struct{}, 1)
	isSwitch := func(commands []esl.Command) bool {
		return slices.ContainsFunc(commands, func(c esl.Command) bool { return c.Name() == "uuid_record" })
	}
	spy := &spied{handed: func(commands []esl.Command) {
		if isSwitch(commands) && arrived.Load() != 0 {
			handed <- time.Now()
		}
	}, answered: func(commands []esl.Command) {
		if isSwitch(commands) && arrived.Load() != 0 {
			answered <- struct{}{}
		}
	}}
	f := newFloor(b, p, func(ev *esl.Event) {
		if ev.Subclass() == toggleSubclass {
			arrived.Store(time.Now().UnixNano())
		}
	}, spy)
	phones := make([]*esltest.Channel, len(f.legs))
	for i, a := range f.legs {
		phones[i] = a.Dial(esltest.Leg{Profile: "internal", Destination: "1004",
			Variables: map[string]string{"dialed_user": "1004", "dialed_domain": "acme.example.net"}})
		phones[i].Answer()
	}
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		phones[i%len(phones)].PressDigits("*1")
		at := <-handed
		<-answered
		took = append(took, at.Sub(time.Unix(0, arrived.Load())))
	}
	slices.Sort(took)
	for name, q := range map[string]float64{"p50-ms": 0.50, "p99-ms": 0.99} {
		at := took[min(len(took)-1, int(q*float64(len(took))))]
		b.ReportMetric(float64(at)/float64(time.Millisecond), name)
	}
}
