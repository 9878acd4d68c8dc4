package call

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// liveVariable holds, on the recorded leg, what a Tapedeck needs that takes the
// call over: FreeSWITCH itself keeps it, exactly as long as the call. It goes out
// in one write with the commands that follow from it, before them, so it is never
// behind what FreeSWITCH was told.
const liveVariable = "tapedeck_live"

// control is what liveVariable says.
type control struct {
	Version      int             `json:"v"`
	Owner        string          `json:"owner"` // instance of Tapedeck
	Token        int64           `json:"token"` // grows with each change of owner
	Serial       int64           `json:"serial"`
	At           time.Time       `json:"at"` // since when what is to be written is what it is
	Changed      time.Time       `json:"changed"`
	Call         string          `json:"call"`
	Organisation string          `json:"org"`
	Direction    flow.Direction  `json:"direction"`
	Switch       string          `json:"switch"`
	First        string          `json:"first"`
	Anchor       string          `json:"anchor,omitempty"`
	Peer         string          `json:"peer,omitempty"`
	External     string          `json:"external,omitempty"`
	Began        time.Time       `json:"began"`
	Answered     time.Time       `json:"answered,omitzero"`
	Passed       []controlStep   `json:"passed,omitempty"`
	Away         string          `json:"away,omitempty"`
	On           bool            `json:"on,omitempty"`
	Guard        bool            `json:"guard,omitempty"`
	Person       toggle.Person   `json:"person,omitempty"`
	Method       string          `json:"method,omitempty"`
	User         string          `json:"user,omitempty"`
	Account      string          `json:"account,omitempty"` // that pressed, in the user's name
	Pressed      time.Time       `json:"pressed,omitzero"`
	File         toggle.File     `json:"file,omitempty"` // at most Open, or Closed: what is confirmed besides does not count
	Doomed       bool            `json:"doomed,omitempty"`
	Part         int             `json:"part"`
	PartBegan    time.Time       `json:"part_began,omitzero"`
	PartTold     bool            `json:"part_told,omitempty"`
	Disclaimed   bool            `json:"disclaimed,omitempty"`
	Problems     toggle.Problem  `json:"problems,omitempty"`
	Decided      recording.Cause `json:"decided,omitzero"`
	Trigger      string          `json:"trigger,omitempty"`
	By           string          `json:"by,omitempty"`
}

type controlStep struct {
	Element string       `json:"e"`
	Setting flow.Setting `json:"s,omitempty"`
	Leg     string       `json:"leg,omitempty"`
}

const (
	controlVersion = 1
	maxControl     = 32 << 10
)

// control is what there is to hand on of a call.
func (d *Desk) control(c *call) control {
	p := c.file()
	k := control{
		Version: controlVersion, Owner: d.cfg.Store.Instance(), Token: c.token, Serial: c.serial, At: c.wished,
		Call: c.id, Organisation: c.org.ID, Direction: c.direction, Switch: c.on, First: c.first, Anchor: c.anchor, Peer: c.peer,
		External: c.external, Began: c.began, Answered: c.answered,
		On: c.rec.On, Guard: c.rec.Guard, Person: c.rec.Person, Method: string(c.switched.method), User: c.switched.user, Account: c.switched.by, Pressed: c.switchedAt,
		File: armedAs(c.rec), Doomed: c.rec.Doomed, Part: p.n, PartBegan: p.began, PartTold: p.told, Disclaimed: c.disclaim.begun, Problems: c.rec.Problems,
		Decided: p.origin.decided, Trigger: p.origin.trigger, By: p.origin.by,
	}
	if k.File > toggle.Open && k.File < toggle.Closed {
		k.File = toggle.Open
	}
	for _, p := range c.passed {
		k.Passed = append(k.Passed, controlStep{p.Element.String(), p.Setting, p.leg})
	}
	if c.away.ID != "" {
		k.Away = c.away.String()
	}
	return k
}

// press is the switch that was obeyed last.
func (k control) press() press {
	return press{method: toggle.Method(k.Method), user: k.User, by: k.Account}
}

// stable is the text of a control without what changes by itself.
func (k control) stable() string {
	k.Serial, k.Changed = 0, time.Time{}
	return k.encode()
}

// encode makes text of letters, digits, - and _ alone, which nothing on the way
// can misread.
func (k control) encode() string {
	text, err := json.Marshal(k)
	if err != nil {
		panic(fmt.Sprintf("call: control: %v", err)) // plain data
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// written is a control as text. One that is too long lacks the elements that do not
// decide anything, or is left out altogether: nothing is better than what was true
// once, and no command must fail for it.
func (c *call) written(k control) string {
	text := k.encode()
	if len(text) <= maxControl {
		return text
	}
	if !c.long {
		c.long = true
		c.log.Warn("call has passed very many elements: what is kept of it for a take-over is shortened", "elements", len(k.Passed))
	}
	k.Passed = slices.DeleteFunc(k.Passed, func(p controlStep) bool {
		return p.Setting == flow.DontCare && p.Leg == "" && !strings.HasPrefix(p.Element, string(flow.Number))
	})
	if text = k.encode(); len(text) > maxControl {
		return ""
	}
	return text
}

// readControl reads what another Tapedeck, or an earlier one, has left. Whoever
// can set variables on a channel can do more than this could.
func readControl(text string) (control, error) {
	var k control
	if len(text) > maxControl {
		return k, fmt.Errorf("call: control: it has %d bytes, more than %d", len(text), maxControl)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &k)
	}
	switch {
	case err != nil:
		return k, fmt.Errorf("call: control: %w", err)
	case k.Version != controlVersion:
		return k, fmt.Errorf("call: control: it is of version %d, this Tapedeck reads %d", k.Version, controlVersion)
	case k.Call == "" || k.First == "" || k.Part < 1 || k.File > toggle.Closed || k.Person > toggle.SwitchedOff:
		return k, fmt.Errorf("call: control: of call %.40q: it is not whole", k.Call)
	}
	return k, nil
}

// controls are the latest that a scene's legs say of each call. On the outside
// party's leg of an outgoing call it may say nothing yet of who that is.
func (d *Desk) controls(now scene) map[string]control {
	newest := map[string]control{}
	for uuid, data := range now.dumps {
		text := data.Variable(liveVariable)
		if text == "" || !now.live.has(uuid) {
			continue
		}
		k, err := readControl(text)
		if err != nil {
			d.cfg.Log.Warn("call of another Tapedeck not understood", "leg", uuid, "error", err)
			d.cfg.Meter.Adopted("failed")
			continue
		}
		if k.Anchor == "" && uuid != k.First {
			if !now.live[uuid] { // it only rings
				continue
			}
			k.Anchor = uuid
			k.Serial++
		}
		if before, there := newest[k.Call]; !there || before.Serial < k.Serial {
			newest[k.Call] = k
		}
	}
	return newest
}

// holder is the leg that liveVariable is on.
func (c *call) holder() string {
	if c.anchor != "" {
		return c.anchor
	}
	return c.first
}

// live is the text for liveVariable, and whether it says something new since it
// was last sent.
func (d *Desk) live(c *call) (text string, fresh bool) {
	k := d.control(c)
	said := spoken{c.holder(), k.stable()}
	if said == c.said {
		return "", false
	}
	c.said = said
	c.serial++
	k.Serial, k.Changed = c.serial, time.Now()
	return c.written(k), true
}

// spoken is what liveVariable was last set to, and where.
type spoken struct{ leg, stable string }

// preface is what goes out before commands that follow from a press or from
// anything new: that the press was seen, and liveVariable, if it says something
// new.
func (d *Desk) preface(c *call) []esl.Command {
	var send []esl.Command
	if c.pressing != "" {
		send = append(send, esl.SetVar(c.pressing, lastDigits, ""))
		c.pressing, c.unclear = "", c.pressing
	}
	if c.relayed != "" {
		send = append(send, esl.SetVar(c.relayed, relayedVariable, ""))
		c.relayed = ""
	}
	if text, fresh := d.live(c); fresh {
		send = append(send, esl.SetVar(c.holder(), liveVariable, text))
		if c.onAnswering() {
			send = append(send, esl.SetVar(c.first, c.onFirst(liveVariable), text))
		}
	}
	return send
}

// onAnswering reports whether liveVariable has to be on the leg to come, too: the
// first one may be gone before the outside party's has been heard of.
func (c *call) onAnswering() bool { return c.direction == flow.Outbound && c.anchor == "" }

// remember sends the preface, if there is one that no command carried.
func (d *Desk) remember(c *call) {
	if c.rec.Gone || d.cfg.Switches[c.on] == nil || len(c.errands) > 0 { // it is sent when those are done
		return
	}
	clears := c.clears()
	send := d.preface(c)
	if len(send) == 0 {
		return
	}
	d.overLink(c, send, func(_ []esl.Reply, err error) {
		if err != nil { // said again with the next news, a new link's at the latest
			c.said = spoken{}
			return
		}
		c.cleared(clears)
	})
}

// clears is what the next preface makes FreeSWITCH forget.
func (c *call) clears() clears { return clears{c.pressing, c.relayed != ""} }

// clears: the leg whose code was taken, and whether elements that other instances
// have entered were.
type clears struct {
	code   string
	relays bool
}

// cleared notes that FreeSWITCH has forgotten that.
func (c *call) cleared(what clears) {
	if c.unclear == what.code {
		c.unclear = ""
	}
	if what.relays && c.relayed == "" {
		c.seen = nil
	}
}
