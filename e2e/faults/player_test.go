package faults

import (
	"fmt"
	"math/rand/v2"
	"time"

	"tapedeck/esl/esltest"
)

// player plays the people of one call, and the dialplan.
type player struct {
	*call
	rand *rand.Rand
	plan callPlan
	ext  string // extension of the phone that talks to the outside party, or to the caller
	peer *esltest.Channel
	held bool
}

func newPlayer(s *stage, n int, plan callPlan) *player {
	return &player{call: &call{s: s, name: fmt.Sprintf("call %d", n+1), kind: plan.kind, way: rand.New(rand.NewPCG(plan.seed, 8))},
		plan: plan, rand: rand.New(rand.NewPCG(plan.seed, 7))}
}

func (p *player) pick(of ...string) string { return of[p.rand.IntN(len(of))] }

// sleep lets some time pass. It reports false, at once, if the call is over.
func (p *player) sleep(least, most time.Duration) bool {
	t := time.NewTimer(between(p.rand, least, most))
	defer t.Stop()
	leg := p.first
	if p.anchor != nil {
		leg = p.anchor
	}
	select {
	case <-t.C:
		return !p.over()
	case <-leg.Done():
		return false
	}
}

const ms = time.Millisecond

func (p *player) play() {
	time.Sleep(p.plan.after)
	end := time.Now().Add(p.plan.lasts)
	if !p.begin() || !p.connect() {
		p.leave()
		return
	}
	for time.Now().Before(end) && p.sleep(100*ms, 600*ms) {
		p.step()
	}
	p.leave()
}

// leave ends the call, unless its people stay until all faults are healed.
func (p *player) leave() {
	if p.plan.stays && !p.over() {
		p.mu.Lock()
		p.stayed = true
		p.mu.Unlock()
		return
	}
	p.hangUp()
}

// join adds the call to the stage's calls.
func (p *player) join(c *call) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.calls = append(p.s.calls, c)
}

// begin makes the call and connects it to the socket.
func (p *player) begin() bool {
	number := p.pick("+442079460001", "+442079460002")
	switch p.kind {
	case inbound:
		p.first = p.s.sw.Incoming(esltest.Leg{Number: "+447700900123", Destination: number, ToneHz: outsideTone})
		p.anchor = p.first
		p.happens(moment{what: "anchors", leg: p.first})
		p.happens(moment{what: "enters", element: "number/" + number})
	case outbound:
		p.ext = p.pick(extensions...)
		shown := p.pick("", number)
		p.first = p.from(p.ext, "07700900123", shown)
		p.happens(moment{what: "first", user: users[p.ext], leg: p.first})
		if shown != "" {
			p.happens(moment{what: "enters", element: "number/" + shown})
		}
	default:
		ext := p.pick(extensions...)
		p.first = p.from(ext, "1004", "")
		p.anchor = p.first
		p.happens(moment{what: "anchors", leg: p.first})
		p.happens(moment{what: "first", user: users[ext], leg: p.first})
	}
	p.has(p.first)
	p.join(p.call)
	ok := p.enter(p.first, "")
	p.mu.Lock()
	p.followed = ok
	p.mu.Unlock()
	return !p.over()
}

func (p *player) from(ext, number, shown string) *esltest.Channel {
	vars := map[string]string{"user_name": ext, "domain_name": "acme.example.net"}
	if shown != "" {
		vars["effective_caller_id_number"] = shown
	}
	return p.s.sw.Incoming(esltest.Leg{Profile: "internal", Number: ext, Destination: number, ToneHz: tones[ext], Variables: vars})
}

func (p *player) ring(leg *esltest.Channel, ext string) *esltest.Channel {
	return p.has(leg.Dial(esltest.Leg{Profile: "internal", Destination: ext, ToneHz: tones[ext],
		Variables: map[string]string{"dialed_user": ext, "dialed_domain": "acme.example.net"}}))
}

// element enters a random element.
func (p *player) element(leg *esltest.Channel) {
	el := p.pick("ring_group/sales", "ring_group/support", "application/queue", "application/survey")
	if p.enter(leg, el) {
		p.happens(moment{what: "enters", element: el})
	}
}

// connect goes through the dialplan until somebody answers.
func (p *player) connect() bool {
	for p.rand.IntN(3) == 0 && p.sleep(10*ms, 100*ms) {
		p.element(p.first)
	}
	if p.kind != outbound {
		return p.dial()
	}
	out := p.has(p.first.Dial(esltest.Leg{Destination: "07700900123", ToneHz: outsideTone}))
	if out == nil || !p.sleep(20*ms, 300*ms) {
		return false
	}
	out.Answer()
	p.anchor, p.peer = out, p.first
	p.happens(moment{what: "anchors", leg: out})
	p.happens(moment{what: "answers", leg: out})
	return !p.over()
}

// dial lets a random phone ring and answer.
func (p *player) dial() bool {
	p.ext = p.pick(extensions...)
	p.happens(moment{what: "rings"})
	phone := p.ring(p.anchor, p.ext)
	if phone == nil || !p.sleep(20*ms, 300*ms) {
		return false
	}
	if *talks && p.rand.IntN(6) == 0 {
		return p.takes("while it rings") && !p.over()
	}
	phone.Answer()
	p.peer, p.held = phone, false
	p.happens(moment{what: "joins", user: users[p.ext], leg: phone})
	return !p.over()
}

// step lets somebody do something random while they talk.
func (p *player) step() {
	kinds := 20
	if *talks {
		kinds = 23
	}
	n := p.rand.IntN(kinds)
	if p.plan.still {
		n = p.rand.IntN(13)
	}
	switch {
	case n < 8:
		p.press(p.peer, p.ext)
	case n < 9:
		p.press(p.anchor, "") // the outside party, or the caller of an internal call
	case n < 11:
		p.key()
	case n < 13:
		p.hold()
	case n < 17:
		p.blind()
	case n < 19:
		p.attended()
	case n < 22:
		p.pickUp()
	}
}

func (p *player) press(leg *esltest.Channel, ext string) {
	if leg == p.anchor && p.kind == internal {
		ext = leg.Get("user_name")
	}
	if p.held { // digits pressed on hold come with its end
		p.hold()
	}
	what := &press{leg: leg, ext: ext, method: "dtmf"}
	p.pressed(what)
	leg.Set(lastDigits, "none") // FreeSWITCH overwrites it if the digits are bound
	leg.PressDigits("*1")
	bound := leg.Get(lastDigits) != "none"
	p.mu.Lock()
	what.bound = bound
	p.mu.Unlock()
	if !bound {
		leg.Set(lastDigits, "")
		p.unheard(what)
	}
	p.s.note("%s %.8s: %q has pressed *1, bound %t", p.name, p.id(), ext, bound)
}

const lastDigits = "last_matching_digits"

func (p *player) key() {
	on := p.rand.IntN(2) == 0
	ask := map[bool]int{true: 1, false: -1}[on]
	what := &press{leg: p.peer, ext: p.ext, method: "record_key", ask: ask}
	p.pressed(what)
	ok := p.peer.RecordKey(on)
	p.mu.Lock()
	what.refused = !ok
	p.mu.Unlock()
	p.s.note("%s %.8s: record key of %s, on %t: %t", p.name, p.id(), p.ext, on, ok)
}

func (p *player) pressed(what *press) {
	what.at = time.Now()
	p.mu.Lock()
	for _, before := range p.presses {
		if before.leg == what.leg && before.until.IsZero() {
			before.until = what.at
		}
	}
	p.presses = append(p.presses, what)
	p.mu.Unlock()
	p.happens(moment{what: "presses", user: users[what.ext], leg: what.leg, press: what})
}

// unheard takes back a press whose digits FreeSWITCH did not recognise as the code. A
// prompt after it answers the press before, which a slow link may have delayed.
func (p *player) unheard(what *press) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, before := range p.presses {
		if before.leg == what.leg && before.until.Equal(what.at) {
			before.until = time.Time{}
		}
	}
}

func (p *player) hold() {
	if p.held = !p.held; p.held {
		p.s.mu.Lock()
		p.s.held[p.peer.UUID()] = true
		p.s.mu.Unlock()
		p.peer.Hold()
	} else {
		p.peer.Unhold()
	}
	p.s.note("%s %.8s: hold %t", p.name, p.id(), p.held)
}

// blind lets the phone that talks transfer the call to another phone.
func (p *player) blind() {
	stays := p.peer.BlindTransfer("1004")
	p.happens(moment{what: "leaves", leg: p.peer})
	if stays == nil || stays != p.anchor || !p.sleep(1*ms, 50*ms) {
		return
	}
	p.enter(stays, "")
	for p.rand.IntN(3) == 0 && p.sleep(10*ms, 100*ms) {
		p.element(stays)
	}
	p.dial()
}

// begins lets a user begin an internal call during this one.
func (p *player) begins(name, ext, to string) *player {
	own := &player{call: &call{s: p.s, name: p.name + " " + name, kind: internal, way: p.way}, rand: p.rand, ext: ext}
	own.first = own.from(ext, to, "")
	own.anchor = own.first
	own.happens(moment{what: "anchors", leg: own.first})
	own.happens(moment{what: "first", user: users[ext], leg: own.first})
	own.has(own.first)
	p.join(own.call)
	own.followed = own.enter(own.first, "")
	return own
}

// attended lets the phone call another one and transfer the call to it.
func (p *player) attended() {
	to := p.pick(extensions...)
	consult := p.begins("consult", p.ext, to)
	consult.happens(moment{what: "rings"})
	phone := consult.ring(consult.first, to)
	if phone == nil || !p.sleep(20*ms, 300*ms) {
		return
	}
	phone.Answer()
	consult.happens(moment{what: "joins", user: users[to], leg: phone})
	if !p.sleep(20*ms, 500*ms) {
		return
	}
	before := p.peer
	outside, target := before.AttendedTransfer(consult.first)
	if outside == nil || target == nil {
		return
	}
	consult.mu.Lock()
	consult.ended = time.Now()
	consult.mu.Unlock()
	p.has(phone)
	p.peer, p.ext, p.held = phone, to, false
	p.happens(moment{what: "leaves", leg: before})
	p.happens(moment{what: "joins", user: users[to], leg: phone})
}
