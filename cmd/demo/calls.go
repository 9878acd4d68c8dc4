package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/store/calls"
)

// exampleCalls has a call for each rule.
var exampleCalls = []struct {
	title string
	play  func(*play)
}{
	{"inbound, the number says yes", func(p *play) {
		p.inbound("+442079460001")
		p.answer("1004")
		p.talk()
	}},
	{"inbound, nobody says anything", func(p *play) {
		p.inbound("+442079460004")
		p.answer("1004")
		p.talk()
	}},
	{"inbound, number no, then ring group yes", func(p *play) {
		p.inbound("02079460003")
		p.element("ring_group/support")
		p.answer("1004")
		p.talk()
	}},
	{"inbound, number yes, answered by bob who says no", func(p *play) {
		p.inbound("+442079460001")
		p.answer("1002")
		p.talk()
	}},
	{"inbound, ring group no, answered by carol who says yes", func(p *play) {
		p.inbound("+442079460004")
		p.element("ring_group/private")
		p.answer("1003")
		p.talk()
	}},
	{"inbound, the reception turns it off, the survey on again", func(p *play) {
		p.inbound("+442079460001")
		p.first.Answer()
		p.talk()
		p.element("application/reception")
		p.talk()
		p.element("application/survey")
		p.talk()
	}},
	{"inbound, blind transfer from dave to bob", func(p *play) {
		p.inbound("+442079460001")
		dave := p.answer("1004")
		p.talk()
		dave.BlindTransfer("1002")
		p.element("")
		p.answer("1002")
		p.talk()
	}},
	{"inbound, attended transfer from dave to carol", func(p *play) {
		p.inbound("+442079460004")
		dave := p.answer("1004")
		p.talk()
		consult, err := p.stage.office.From(p.ctx, "1004", "1003", nil)
		p.note(err)
		p.stage.office.Ring(consult, "1003").Answer()
		dave.AttendedTransfer(consult)
		p.talk()
	}},
	{"outgoing, alice says yes", func(p *play) {
		p.from("1001", "07700900123", "")
		p.stage.office.Out(p.first).Answer()
		p.talk()
	}},
	{"outgoing, bob shows a number that is always recorded", func(p *play) {
		p.from("1002", "07700900123", "+442079460002")
		p.stage.office.Out(p.first).Answer()
		p.talk()
	}},
	{"inbound, alice pauses while a card number is read aloud", func(p *play) {
		p.inbound("+442079460001")
		alice := p.answer("1001")
		p.talk()
		alice.PressDigits("*1")
		p.talk()
		alice.PressDigits("*1")
		p.talk()
	}},
	{"inbound, dave has it recorded by *1", func(p *play) {
		p.inbound("+442079460004")
		dave := p.answer("1004")
		p.talk()
		dave.PressDigits("*1")
		p.talk()
	}},
	{"outgoing, bob may not pause what is always recorded", func(p *play) {
		p.from("1002", "07700900123", "+442079460002")
		p.stage.office.Out(p.first).Answer()
		p.talk()
		p.first.PressDigits("*1")
		p.talk()
	}},
	{"internal, alice calls dave", func(p *play) {
		p.from("1001", "1004", "")
		p.answer("1004")
		p.talk()
	}},
	{"inbound, the caller gives up before the answer", func(p *play) {
		p.inbound("+442079460001")
		p.stage.office.Ring(p.first, "1004")
	}},
	{"inbound to an organisation without recording", func(p *play) {
		p.inbound("+442079460201")
		p.answer("1004")
		p.talk()
	}},
	{"inbound to a number that nobody has", func(p *play) {
		p.inbound("+442079469999")
		p.answer("1004")
		p.talk()
	}},
}

// talkTime is how long people talk between two events of a call.
const talkTime = time.Second

// play is one call of the demo.
type play struct {
	stage *stage
	ctx   context.Context
	first *esltest.Channel // the leg that reached the socket
	to    string           // the number that it dialled
	err   error
}

func (p *play) note(err error) { p.err = errors.Join(p.err, err) }

// arrives waits until no other call is on its way to the socket, so that all of them have
// their answers in time also on a slow machine. It returns what ends that.
func (p *play) arrives() (arrived func()) {
	p.stage.arriving.Lock()
	return p.stage.arriving.Unlock
}

func (p *play) inbound(number string) {
	defer p.arrives()()
	leg, err := p.stage.office.Inbound(p.ctx, number)
	p.first, p.to = leg, number
	p.note(err)
}

// from places a call of a user who shows a number, or none if shows is empty.
func (p *play) from(extension, number, shows string) {
	defer p.arrives()()
	leg, err := p.stage.office.From(p.ctx, extension, number, map[string]string{"effective_caller_id_number": shows})
	p.first = leg
	p.note(err)
}

func (p *play) element(name string) { p.note(p.stage.office.Enter(p.ctx, p.first, name)) }

func (p *play) answer(extension string) *esltest.Channel {
	phone := p.stage.office.Ring(p.first, extension)
	phone.Answer()
	return phone
}

// talk lets talkTime pass, in which everybody on the call is heard, unless the demo ends.
func (p *play) talk() {
	if p.ctx.Err() == nil {
		p.stage.sw.Talk(talkTime)
	}
}

// result hangs up and returns what was recorded, who decided, and where the file is.
func (p *play) result() (string, error) {
	if p.err != nil {
		return "", p.err
	}
	live, known := p.live()
	answered := p.first.Get("endpoint_disposition") == "ANSWER"
	p.first.Hangup("")
	<-p.first.Done()
	if !known {
		return "no file\t" + p.turnedAway(), nil
	}
	verdict := p.verdict(live)
	if !answered {
		verdict = "not answered; otherwise " + verdict
	}
	p.described(live.ID)
	heard, err := esltest.Listen(live.File, 100*time.Millisecond, tonesHz()...)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("no file\t%s", verdict), nil
	} else if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s\t%s\t%s", stretches(heard), verdict, live.File), nil
}

// live returns what the store says about the call. The store is written in the background,
// so this may take a moment.
func (p *play) live() (calls.Call, bool) {
	if p.first.Get("tapedeck_file") == "" {
		return calls.Call{}, false
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		all, err := p.stage.daemon.Calls(p.ctx)
		for _, c := range all {
			if err == nil && c.ID == p.first.UUID() {
				return c, true
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.ctx.Done():
			return calls.Call{}, false
		}
	}
	p.note(errors.New("the call is not in the store"))
	return calls.Call{}, false
}

// described waits until a call that has ended is out of the store. Then its file is
// described, or removed if nobody wanted it.
func (p *play) described(id string) {
	isLive := func(c calls.Call) bool { return c.ID == id }
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		all, err := p.stage.daemon.Calls(p.ctx)
		if err == nil && !slices.ContainsFunc(all, isLive) {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.ctx.Done():
			return
		}
	}
	p.note(errors.New("the call is still in the store after its end"))
}

func (p *play) verdict(c calls.Call) string {
	policy := p.stage.daemon.Policy()
	org := policy.Organisations[c.Organisation]
	if org == nil {
		return "its organisation has left the policy"
	}
	if c.Because.Toggle != "" {
		return pressedVerdict(c)
	}
	return flow.Explain(policy.Precedence, org.Recording, c.Chain).Verdict
}

// pressedVerdict says what a press has led to, if a press was the last to decide.
func pressedVerdict(c calls.Call) string {
	words := "recorded, because %s turned it on (%s)"
	switch c.State {
	case calls.Paused:
		words = "recorded, and then paused by %s (%s)"
	case calls.Off:
		words = "turned off by %s (%s)"
	}
	return fmt.Sprintf(words, c.Because.User, c.Because.Toggle)
}

// turnedAway says why Tapedeck left a call alone.
func (p *play) turnedAway() string {
	policy := p.stage.daemon.Policy()
	org, _, known := policy.FindNumber(p.to)
	if !known {
		return "not recorded, because no organisation has the number " + p.to
	}
	return flow.Explain(policy.Precedence, org.Recording, nil).Verdict
}

func tonesHz() []float64 {
	hz := []float64{outsideHz}
	for _, tone := range phones {
		hz = append(hz, float64(tone))
	}
	return hz
}

// stretches lists speech and silence in turn, with their lengths.
func stretches(heard []esltest.Heard) string {
	var parts []string
	speech, length := false, time.Duration(0)
	add := func() {
		if length > 0 {
			parts = append(parts, fmt.Sprintf("%s %.1f s", map[bool]string{true: "speech", false: "silence"}[speech], length.Seconds()))
		}
	}
	for _, h := range heard {
		if now := len(h.Tones()) > 0; now != speech {
			add()
			speech, length = now, 0
		}
		length += h.To - h.From
	}
	add()
	if len(parts) == 1 && !speech {
		return fmt.Sprintf("silent file %.1f s", length.Seconds())
	}
	return strings.Join(parts, ", ")
}
