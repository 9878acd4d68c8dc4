package call

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/flow/flowtest"
)

// TestRandomWalks plays random calls under random policies. It compares their files
// with a model that knows rules 1 to 5 of docs/design.md, section 2, and nothing of
// FreeSWITCH. A failing walk names its seed; TAPEDECK_WALK_SEED plays that seed
// again, TAPEDECK_WALKS says how many to play.
func TestRandomWalks(t *testing.T) {
	walks, first := 250, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("TAPEDECK_WALKS")); err == nil {
		walks, first = n, uint64(time.Now().UnixNano())
	}
	if seed, err := strconv.ParseUint(os.Getenv("TAPEDECK_WALK_SEED"), 10, 64); err == nil {
		walks, first = 1, seed
	}
	if testing.Short() {
		walks = min(walks, 50)
	}
	for i := range walks {
		seed := first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWalk(t, seed)
			for range 4 + w.rand.IntN(12) {
				w.step()
			}
			w.finish()
		})
	}
}

// walk is one run: a simulated switch and the calls on it.
type walk struct {
	*fixture
	rand    *rand.Rand
	seed    uint64
	policy  *flow.Policy
	text    string
	script  []string
	main    *modelCall
	calls   []*modelCall
	ringing map[*esltest.Channel]string // phones that ring for main
}

func newWalk(t *testing.T, seed uint64) *walk {
	t.Helper()
	w := &walk{rand: rand.New(rand.NewPCG(seed, 1)), seed: seed, ringing: map[*esltest.Channel]string{}}
	w.text = walkPolicy(w.rand)
	w.policy = flowtest.Policy(t, w.text)
	w.fixture = newFixtureWith(t, w.policy)
	w.story = func() string { return fmt.Sprintf("seed %d\n\t%s\n%s", seed, strings.Join(w.script, "\n\t"), w.text) }
	w.begin()
	return w
}

func (w *walk) note(format string, args ...any) {
	w.script = append(w.script, fmt.Sprintf(format, args...))
}

func (w *walk) pick(of ...string) string { return of[w.rand.IntN(len(of))] }

// begin places the walk's call.
func (w *walk) begin() {
	w.Helper()
	switch w.rand.IntN(3) {
	case 0:
		number := w.pick("+442079460001", "+442079460002")
		a := w.office().Incoming(number)
		w.must(w.office().Enter(w.Context(), a, ""))
		w.note("inbound %s", number)
		w.main = w.follow(&modelCall{direction: flow.Inbound, anchor: a, first: a})
		w.main.enters(flow.Number, number)
	case 1:
		ext := w.pick("1001", "1002", "1003", "1004")
		shown := w.pick("", "+442079460001", "+442079460002")
		w.begins(ext, shown)
	default:
		ext := w.pick("1001", "1002", "1003", "1004")
		w.note("internal from %s", ext)
		w.main = w.internal(ext, "1004")
	}
}

func (w *walk) begins(ext, shown string) {
	w.Helper()
	vars := map[string]string{}
	if shown != "" {
		vars["effective_caller_id_number"] = shown
	}
	a, err := w.office().From(w.Context(), ext, "07700900123", vars)
	w.must(err)
	w.note("outgoing from %s showing %q", ext, shown)
	w.main = w.follow(&modelCall{direction: flow.Outbound, first: a})
	w.main.passed = append(w.main.passed, modelElement{flow.User, walkUsers[ext], a})
	if shown != "" {
		w.main.enters(flow.Number, shown)
	}
}

func (w *walk) internal(ext, to string) *modelCall {
	w.Helper()
	a, err := w.office().From(w.Context(), ext, to, nil)
	w.must(err)
	c := w.follow(&modelCall{direction: flow.Internal, anchor: a, first: a})
	c.passed = append(c.passed, modelElement{flow.User, walkUsers[ext], a})
	return c
}

func (w *walk) follow(c *modelCall) *modelCall {
	c.policy, c.file = w.policy, c.first.Get("tapedeck_file")
	w.calls = append(w.calls, c)
	return c
}

func (w *walk) office() walkOffice {
	o := w.fixture.office()
	o.Phones = walkTones
	return walkOffice{o}
}

type walkOffice struct{ *esltest.Office }

// Incoming is a call that has not reached the socket yet.
func (o walkOffice) Incoming(number string) *esltest.Channel {
	return o.Switch.Incoming(esltest.Leg{Number: o.Outside, Destination: number, ToneHz: o.ToneHz})
}

// legInDialplan is the leg that is in the dialplan when nobody talks to the main call.
func (w *walk) legInDialplan() *esltest.Channel {
	if w.main.anchor == nil {
		return w.main.first
	}
	return w.main.anchor
}

// step does one thing that could happen now.
func (w *walk) step() {
	w.Helper()
	switch {
	case w.main.ended:
		return
	case w.main.peer != nil:
		w.stepTalking()
	case len(w.ringing) > 0:
		w.stepRinging()
	default:
		w.stepDialplan()
	}
	w.settle()
}

func (w *walk) stepDialplan() {
	w.Helper()
	switch n := w.rand.IntN(13); {
	case n == 12 && w.main.anchor != nil:
		w.pickedUp()
	case n < 3:
		w.enterSome()
	case n < 9:
		w.dial(1 + w.rand.IntN(2))
	case n < 10 && w.main.anchor != nil && !w.main.answered:
		w.note("an application answers")
		w.main.anchor.Answer()
		w.main.answered = true
	case n < 11:
		w.talks()
	default:
		w.hangsUp(w.legInDialplan(), "in the dialplan")
	}
}

// enterSome enters a random element; into an outgoing call also its number.
func (w *walk) enterSome() {
	w.Helper()
	el := w.pick("ring_group/sales", "ring_group/support", "application/queue", "application/survey")
	if w.main.direction == flow.Outbound && w.rand.IntN(2) == 0 {
		el = w.pick("number/+442079460001", "number/02079460002")
	}
	w.note("element %s", el)
	w.element(w.legInDialplan(), el)
	kind, id, _ := strings.Cut(el, "/")
	if kind == "number" {
		id = "+44" + id[len(id)-10:]
	}
	w.main.enters(flow.Kind(kind), id)
}

// dial lets phones ring; on an outgoing call without an answer, the outside party's.
func (w *walk) dial(n int) {
	if w.main.anchor == nil {
		w.note("dial out")
		w.ringing[w.office().Out(w.legInDialplan())] = ""
		return
	}
	for _, ext := range w.rand.Perm(5)[:n] {
		number := strconv.Itoa(1001 + ext)
		w.note("%s rings", number)
		w.ringing[w.office().Ring(w.legInDialplan(), number)] = number
	}
}

func (w *walk) stepRinging() {
	w.Helper()
	legs := w.sorted()
	leg := legs[w.rand.IntN(len(legs))]
	switch n := w.rand.IntN(11); {
	case n == 10 && w.main.anchor != nil:
		w.pickedUp()
	case n < 2:
		w.talks()
	case n < 4:
		w.note("%s is busy", w.ringing[leg])
		leg.Hangup("USER_BUSY")
		delete(w.ringing, leg)
	case n < 5:
		w.hangsUp(w.legInDialplan(), "while it rings")
	default:
		w.answers(leg, legs)
	}
}

func (w *walk) sorted() []*esltest.Channel {
	var legs []*esltest.Channel
	for leg := range w.ringing {
		legs = append(legs, leg)
	}
	slices.SortFunc(legs, func(a, b *esltest.Channel) int { return strings.Compare(w.ringing[a], w.ringing[b]) })
	return legs
}

func (w *walk) answers(leg *esltest.Channel, legs []*esltest.Channel) {
	w.note("%q answers", w.ringing[leg])
	ext := w.ringing[leg]
	if w.rand.IntN(2) == 0 {
		w.legInDialplan().Set("hangup_after_bridge", "false")
	}
	if w.rand.IntN(2) == 0 {
		leg.AnswerAgainst(slices.DeleteFunc(legs, func(l *esltest.Channel) bool { return l == leg })...)
	} else {
		leg.Answer()
	}
	clear(w.ringing)
	if w.main.anchor == nil {
		w.main.anchor, w.main.peer, w.main.answered = leg, w.main.first, true
		for ext, user := range walkUsers {
			if user == w.main.passed[0].id {
				w.main.peerExt = ext
			}
		}
		return
	}
	w.main.talksTo(leg, ext)
}

func (w *walk) stepTalking() {
	w.Helper()
	switch n := w.rand.IntN(12); {
	case n >= 10:
		w.pickedUp()
	case n < 4:
		w.talks()
	case n < 6:
		w.blind()
	case n < 8 && walkUsers[w.main.peerExt] != "":
		w.attended()
	case n < 9:
		w.hangsUp(w.main.peer, "the phone, first")
	default:
		w.hangsUp(w.main.anchor, "the recorded party, first")
	}
}

func (w *walk) blind() {
	w.Helper()
	phone := w.main.peer
	w.note("%s transfers blindly", w.main.peerExt)
	stays := phone.BlindTransfer("1004")
	if stays != w.main.anchor {
		w.Fatal("the walk has lost the recorded leg")
	}
	if w.rand.IntN(3) == 0 {
		w.settle()
	}
	w.main.loses(phone)
	w.must(w.office().Enter(w.Context(), stays, ""))
}

// attended plays an attended transfer: the phone calls another one and joins the
// two.
func (w *walk) attended() {
	w.Helper()
	phone, ext := w.main.peer, w.main.peerExt
	to := w.pick("1001", "1002", "1003", "1004", "1005")
	w.note("%s consults %s", ext, to)
	consult := w.internal(ext, to)
	leg := w.office().Ring(consult.first, to)
	leg.Answer()
	consult.talksTo(leg, to)
	w.settle()
	if w.rand.IntN(2) == 0 {
		w.talks()
	}
	w.note("%s transfers to %s", ext, to)
	phone.AttendedTransfer(consult.first)
	consult.ended = true
	w.main.loses(phone)
	w.main.talksTo(leg, to)
}

// pickedUp: another phone dials a pick-up code. Its call becomes part of the main call,
// whether that waits, rings or talks.
func (w *walk) pickedUp() {
	w.Helper()
	ext := w.pick("1001", "1002", "1003", "1004")
	picks, before := w.internal(ext, "6001"), w.main.peer
	w.note("%s dials a pick-up code", ext)
	if w.rand.IntN(2) == 0 {
		w.note("an application answers %s", ext)
		picks.first.Answer()
		picks.answered = true
		w.settle()
		if w.rand.IntN(2) == 0 {
			w.talks()
		}
	}
	w.note("%s picks up", ext)
	if before == nil && len(w.ringing) == 0 && w.main.answered && w.rand.IntN(2) == 0 {
		w.main.anchor.Park()
		picks.first.PickUpParked(w.main.anchor)
	} else {
		picks.first.Intercept(w.main.anchor)
	}
	picks.ended = true
	clear(w.ringing)
	if before != nil {
		w.main.loses(before)
	}
	w.main.talksTo(picks.first, ext)
}

// hangsUp ends a leg. The leg that it talks to ends, too, unless the dialplan goes
// on.
func (w *walk) hangsUp(leg *esltest.Channel, when string) {
	w.Helper()
	w.note("hangup %s", when)
	leg.Hangup("")
	clear(w.ringing)
	w.main.loses(leg)
	select {
	case <-w.legInDialplan().Done():
		w.main.ended = true
	default:
		w.note("the recorded party stays in the dialplan")
		return
	}
	if w.main.direction != flow.Outbound {
		return
	}
	select {
	case <-w.main.first.Done():
	default:
		w.callsAgain()
	}
}

// callsAgain: the outside party of an outgoing call has hung up. The caller is in
// the dialplan again, which hands the leg to the socket once more.
func (w *walk) callsAgain() {
	w.Helper()
	w.note("the caller calls again")
	a, before := w.main.first, w.main
	if w.rand.IntN(2) == 0 {
		w.settle()
	}
	w.must(w.office().Enter(w.Context(), a, ""))
	w.main = w.follow(&modelCall{direction: flow.Outbound, first: a})
	for ext, user := range walkUsers {
		if ext == a.Get("user_name") {
			w.main.passed = []modelElement{{flow.User, user, a}}
		}
	}
	if shown := a.Get("effective_caller_id_number"); shown != "" {
		w.main.enters(flow.Number, shown)
	}
	if w.policy.Organisations["acme"].Recording && w.main.file == before.file {
		w.fail("the second call has the first one's file")
	}
}

// talks lets some time pass, and notes for each call what may be written in it.
func (w *walk) talks() {
	w.Helper()
	w.settle()
	long := time.Duration(1+w.rand.IntN(4)) * 200 * time.Millisecond
	w.note("talk %v", long)
	for _, c := range w.calls {
		if c.ended || !c.answered {
			continue
		}
		s := stretch{length: long, mayBeHeard: c.isOn(), own: w.toneOf(c.anchor), peer: w.toneOf(c.peer), what: strings.Join(w.script, "\n\t")}
		s.mustBeHeard = s.mayBeHeard && (c != w.main || len(w.ringing) == 0)
		c.stretches = append(c.stretches, s)
		w.stateIs(c, s)
	}
	w.sw.Talk(long)
}

// stateIs checks that tapedeck_state is what is being written.
func (w *walk) stateIs(c *modelCall, s stretch) {
	w.Helper()
	got := c.anchor.Get("tapedeck_state")
	if got == "" {
		got = "off"
	}
	if s.mustBeHeard && got != "on" || !s.mayBeHeard && got != "off" {
		w.fail("tapedeck_state is %q, on is %t, must is %t", got, s.mayBeHeard, s.mustBeHeard)
	}
}

func (w *walk) toneOf(leg *esltest.Channel) int {
	if leg == nil {
		return 0
	}
	for ext, tone := range walkTones {
		if strings.HasPrefix(leg.Get("presence_id"), ext+"@") || leg.Get("user_name") == ext {
			return tone
		}
	}
	return outside
}
