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

// TestRandomWalks plays calls at random under policies at random, and compares
// what their files hold with a model that knows the five first rules of
// docs/design.md, section 2, and nothing of FreeSWITCH. A failing walk names its seed;
// TAPEDECK_WALK_SEED plays that one again, TAPEDECK_WALKS says how many to play.
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

// walkTones: who is heard. 1005 is a phone that the policy does not know.
var walkTones = map[string]int{"1001": alice, "1002": bob, "1003": carol, "1004": dave, "1005": 2640}

var walkUsers = map[string]string{"1001": "alice", "1002": "bob", "1003": "carol", "1004": "dave"}

// walkPolicy has a setting at random for every element and direction.
func walkPolicy(r *rand.Rand) string {
	settings := []string{"dont-care", "dont-care", "yes", "yes", "yes", "no", "no", "force", "never"}
	if r.IntN(2) == 0 { // without locks there is more to see
		settings = settings[:7]
	}
	record := func() string {
		s := func() string { return settings[r.IntN(len(settings))] }
		return fmt.Sprintf("{ record: { inbound: %s, outbound: %s, internal: %s } }", s(), s(), s())
	}
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nregion: GB\nprecedence: %s\norganisations:\n  acme:\n    recording: %t\n    domains: [acme.example.net]\n",
		[]string{"last", "last", "first"}[r.IntN(3)], r.IntN(12) != 0)
	section := func(name string, ids ...string) {
		fmt.Fprintf(&b, "    %s:\n", name)
		for _, id := range ids {
			fmt.Fprintf(&b, "      %s: %s\n", id, record())
		}
	}
	section("numbers", `"+442079460001"`, `"+442079460002"`)
	section("ring_groups", "sales", "support")
	section("applications", "queue", "survey")
	b.WriteString("    users:\n")
	for _, ext := range []string{"1001", "1002", "1003", "1004"} {
		fmt.Fprintf(&b, "      %s: { extension: %q, %s\n", walkUsers[ext], ext, strings.TrimPrefix(record(), "{ "))
	}
	return b.String()
}

// ruled is a call as the rules see it.
type ruled struct {
	policy    *flow.Policy
	direction flow.Direction
	passed    []ruledElement
	file      string
	anchor    *esltest.Channel // nil until an outgoing call is answered
	first     *esltest.Channel
	answered  bool
	peer      *esltest.Channel
	peerExt   string // the phone that the anchor talks to; "" if none
	ended     bool
	stretches []stretch
}

// ruledElement is an element passed; a user's goes with the phone.
type ruledElement struct {
	kind flow.Kind
	id   string
	leg  *esltest.Channel
}

// stretch is some time since the answer, with what may and what must be heard.
type stretch struct {
	long      time.Duration
	own, peer int
	on, must  bool
	what      string
}

// on walks the chain: docs/design.md, section 2, rules 1, 2, 3 and 5.
func (c *ruled) on() bool {
	org := c.policy.Organisations["acme"]
	if !org.Recording {
		return false
	}
	on, locked, said := false, false, false
	for _, e := range c.passed {
		switch s := c.setting(org, e); {
		case s == flow.Force, s == flow.Never:
			on, locked, said = s == flow.Force, true, true
		case locked, s == flow.DontCare, said && c.policy.Precedence == flow.First:
		default:
			on, said = s == flow.Yes, true
		}
	}
	return on
}

func (c *ruled) setting(org *flow.Organisation, e ruledElement) flow.Setting {
	switch e.kind {
	case flow.Number:
		return org.Numbers[e.id].Record[c.direction]
	case flow.RingGroup:
		return org.RingGroups[e.id].Record[c.direction]
	case flow.Application:
		return org.Applications[e.id].Record[c.direction]
	}
	return org.Users[e.id].Record[c.direction]
}

// enters is rule 3, and of an outgoing call that it shows one number.
func (c *ruled) enters(kind flow.Kind, id string) {
	if kind == flow.Number && c.direction == flow.Outbound {
		c.passed = slices.DeleteFunc(c.passed, func(e ruledElement) bool { return e.kind == flow.Number })
	}
	c.passed = append(c.passed, ruledElement{kind: kind, id: id})
}

// talksTo is rule 4: the phone's user comes.
func (c *ruled) talksTo(leg *esltest.Channel, ext string) {
	c.peer, c.peerExt, c.answered = leg, ext, true
	if user, known := walkUsers[ext]; known && !slices.ContainsFunc(c.passed, func(e ruledElement) bool { return e.leg == leg }) {
		c.passed = append(c.passed, ruledElement{flow.User, user, leg})
	}
}

// loses is rule 4: the user goes.
func (c *ruled) loses(leg *esltest.Channel) {
	c.passed = slices.DeleteFunc(c.passed, func(e ruledElement) bool { return e.leg != nil && e.leg == leg })
	if c.peer == leg {
		c.peer, c.peerExt = nil, ""
	}
}

// walk is one run: a switch, and the calls on it.
type walk struct {
	*lab
	rand    *rand.Rand
	seed    uint64
	policy  *flow.Policy
	text    string
	script  []string
	main    *ruled
	calls   []*ruled
	ringing map[*esltest.Channel]string // phones that ring for main
}

func newWalk(t *testing.T, seed uint64) *walk {
	t.Helper()
	w := &walk{rand: rand.New(rand.NewPCG(seed, 1)), seed: seed, ringing: map[*esltest.Channel]string{}}
	w.text = walkPolicy(w.rand)
	w.policy = flowtest.Policy(t, w.text)
	w.lab = newLabWith(t, w.policy)
	w.begin()
	return w
}

func (w *walk) did(format string, args ...any) {
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
		w.did("inbound %s", number)
		w.main = w.follow(&ruled{direction: flow.Inbound, anchor: a, first: a})
		w.main.enters(flow.Number, number)
	case 1:
		ext := w.pick("1001", "1002", "1003", "1004")
		shown := w.pick("", "+442079460001", "+442079460002")
		w.begins(ext, shown)
	default:
		ext := w.pick("1001", "1002", "1003", "1004")
		w.did("internal from %s", ext)
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
	w.did("outgoing from %s showing %q", ext, shown)
	w.main = w.follow(&ruled{direction: flow.Outbound, first: a})
	w.main.passed = append(w.main.passed, ruledElement{flow.User, walkUsers[ext], a})
	if shown != "" {
		w.main.enters(flow.Number, shown)
	}
}

func (w *walk) internal(ext, to string) *ruled {
	w.Helper()
	a, err := w.office().From(w.Context(), ext, to, nil)
	w.must(err)
	c := w.follow(&ruled{direction: flow.Internal, anchor: a, first: a})
	c.passed = append(c.passed, ruledElement{flow.User, walkUsers[ext], a})
	return c
}

func (w *walk) follow(c *ruled) *ruled {
	c.policy, c.file = w.policy, c.first.Get("tapedeck_file")
	w.calls = append(w.calls, c)
	return c
}

func (w *walk) office() walkOffice {
	o := w.lab.office()
	o.Phones = walkTones
	return walkOffice{o}
}

type walkOffice struct{ *esltest.Office }

// Incoming is a call that has not reached the socket yet.
func (o walkOffice) Incoming(number string) *esltest.Channel {
	return o.Switch.Incoming(esltest.Leg{Number: o.Outside, Destination: number, ToneHz: o.ToneHz})
}

// way is the leg that is in the dialplan when nobody talks to the main call.
func (w *walk) way() *esltest.Channel {
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
	switch n := w.rand.IntN(12); {
	case n < 3:
		w.enterSome()
	case n < 9:
		w.dial(1 + w.rand.IntN(2))
	case n < 10 && w.main.anchor != nil && !w.main.answered:
		w.did("an application answers")
		w.main.anchor.Answer()
		w.main.answered = true
	case n < 11:
		w.talks()
	default:
		w.hangsUp(w.way(), "in the dialplan")
	}
}

// enterSome enters an element; of an outgoing call its number, too.
func (w *walk) enterSome() {
	w.Helper()
	el := w.pick("ring_group/sales", "ring_group/support", "application/queue", "application/survey")
	if w.main.direction == flow.Outbound && w.rand.IntN(2) == 0 {
		el = w.pick("number/+442079460001", "number/02079460002")
	}
	w.did("element %s", el)
	w.element(w.way(), el)
	kind, id, _ := strings.Cut(el, "/")
	if kind == "number" {
		id = "+44" + id[len(id)-10:]
	}
	w.main.enters(flow.Kind(kind), id)
}

// dial lets phones ring, or, of an outgoing call that is not answered, the
// outside party's.
func (w *walk) dial(n int) {
	if w.main.anchor == nil {
		w.did("dial out")
		w.ringing[w.office().Out(w.way())] = ""
		return
	}
	for _, ext := range w.rand.Perm(5)[:n] {
		number := strconv.Itoa(1001 + ext)
		w.did("%s rings", number)
		w.ringing[w.office().Ring(w.way(), number)] = number
	}
}

func (w *walk) stepRinging() {
	w.Helper()
	legs := w.sorted()
	leg := legs[w.rand.IntN(len(legs))]
	switch n := w.rand.IntN(10); {
	case n < 2:
		w.talks()
	case n < 4:
		w.did("%s is busy", w.ringing[leg])
		leg.Hangup("USER_BUSY")
		delete(w.ringing, leg)
	case n < 5:
		w.hangsUp(w.way(), "while it rings")
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
	w.did("%q answers", w.ringing[leg])
	ext := w.ringing[leg]
	if w.rand.IntN(2) == 0 {
		w.way().Set("hangup_after_bridge", "false")
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
	switch n := w.rand.IntN(10); {
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
	w.did("%s transfers blindly", w.main.peerExt)
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

// attended lets the phone ring up another one and join the two.
func (w *walk) attended() {
	w.Helper()
	phone, ext := w.main.peer, w.main.peerExt
	to := w.pick("1001", "1002", "1003", "1004", "1005")
	w.did("%s consults %s", ext, to)
	consult := w.internal(ext, to)
	leg := w.office().Ring(consult.first, to)
	leg.Answer()
	consult.talksTo(leg, to)
	w.settle()
	if w.rand.IntN(2) == 0 {
		w.talks()
	}
	w.did("%s transfers to %s", ext, to)
	phone.AttendedTransfer(consult.first)
	consult.ended = true
	w.main.loses(phone)
	w.main.talksTo(leg, to)
}

// hangsUp ends a leg, and with it, unless the dialplan has more to do, the leg
// that it talks to.
func (w *walk) hangsUp(leg *esltest.Channel, when string) {
	w.Helper()
	w.did("hangup %s", when)
	leg.Hangup("")
	clear(w.ringing)
	w.main.loses(leg)
	select {
	case <-w.way().Done():
		w.main.ended = true
	default:
		w.did("the recorded party stays in the dialplan")
		return
	}
	if w.main.direction != flow.Outbound {
		return
	}
	select {
	case <-w.main.first.Done():
	default:
		w.again()
	}
}

// again: the caller of an outgoing call is in the dialplan again when the other
// side has hung up, and the dialplan hands the leg to the socket once more.
func (w *walk) again() {
	w.Helper()
	w.did("the caller calls again")
	a, before := w.main.first, w.main
	if w.rand.IntN(2) == 0 {
		w.settle()
	}
	w.must(w.office().Enter(w.Context(), a, ""))
	w.main = w.follow(&ruled{direction: flow.Outbound, first: a})
	for ext, user := range walkUsers {
		if ext == a.Get("user_name") {
			w.main.passed = []ruledElement{{flow.User, user, a}}
		}
	}
	if shown := a.Get("effective_caller_id_number"); shown != "" {
		w.main.enters(flow.Number, shown)
	}
	if w.policy.Organisations["acme"].Recording && w.main.file == before.file {
		w.fail("the second call has the first one's file")
	}
}

// talks lets some time pass, and notes for every call what that may write.
func (w *walk) talks() {
	w.Helper()
	w.settle()
	long := time.Duration(1+w.rand.IntN(4)) * 200 * time.Millisecond
	w.did("talk %v", long)
	for _, c := range w.calls {
		if c.ended || !c.answered {
			continue
		}
		s := stretch{long: long, on: c.on(), own: w.toneOf(c.anchor), peer: w.toneOf(c.peer), what: strings.Join(w.script, "\n\t")}
		s.must = s.on && (c != w.main || len(w.ringing) == 0)
		c.stretches = append(c.stretches, s)
		w.stateIs(c, s)
	}
	w.sw.Talk(long)
}

// stateIs: what the channel says is what is being written.
func (w *walk) stateIs(c *ruled, s stretch) {
	w.Helper()
	got := c.anchor.Get("tapedeck_state")
	if got == "" {
		got = "off"
	}
	if s.must && got != "on" || !s.on && got != "off" {
		w.fail("tapedeck_state is %q, on is %t, must is %t", got, s.on, s.must)
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

func (w *walk) fail(format string, args ...any) {
	w.Helper()
	w.Fatalf("seed %d: %s\n\t%s\n%s", w.seed, fmt.Sprintf(format, args...), strings.Join(w.script, "\n\t"), w.text)
}

// finish ends the walk and listens to the files.
func (w *walk) finish() {
	w.Helper()
	for _, leg := range w.sw.Channels() {
		leg.Hangup("")
	}
	w.settle()
	for i, c := range w.calls {
		w.compare(i, c)
	}
	if live := w.meter.get("live"); live != 0 {
		w.fail("%d calls are still live", live)
	}
	w.noLegsLeft()
	// A start that crosses the hangup is told as a recording that is missing:
	// the user who said no has left, and the caller is about to.
	crossed := len(w.log.Lines(`problem="[not started]" fact="hung up"`))
	if n := len(w.log.Lines("level=WARN")) + len(w.log.Lines("level=ERROR")); n != crossed {
		w.fail("%d warnings", n)
	}
	w.noStrangeFiles()
}

// noLegsLeft: the Controller forgets what is gone.
func (w *walk) noLegsLeft() {
	w.Helper()
	w.settle()
	left := -1
	w.ctl.ask(w.Context(), func(now time.Time) { left = len(w.ctl.legs.all) })
	if left > 1 { // the mark of settle
		w.fail("%d legs are still known", left)
	}
}

func (w *walk) noStrangeFiles() {
	w.Helper()
	for _, file := range w.files() {
		if !slices.ContainsFunc(w.calls, func(c *ruled) bool { return c.file == file }) {
			w.fail("%s is no call's file", file)
		}
	}
}

// compare listens to a call's file. It ends when its call does, so its
// stretches are counted from the end; what is not in it was not recorded.
func (w *walk) compare(i int, c *ruled) {
	w.Helper()
	var total time.Duration
	for _, s := range c.stretches {
		total += s.long
	}
	if _, err := os.Stat(c.file); err != nil {
		for _, s := range c.stretches {
			if s.must {
				w.fail("call %d: no file, and %v were to be heard after\n\t%s", i, s.long, s.what)
			}
		}
		return
	}
	length, err := esltest.Length(c.file)
	w.must(err)
	if length > total {
		w.fail("call %d: the file has %v, the call had %v", i, length, total)
	}
	heard, err := esltest.Listen(c.file, 200*time.Millisecond, append([]float64{2640}, tones...)...)
	w.must(err)
	at := length - total
	for n, s := range c.stretches {
		w.compareStretch(fmt.Sprintf("call %d stretch %d", i, n), heard, at, s)
		at += s.long
	}
}

func (w *walk) compareStretch(which string, heard []esltest.Heard, at time.Duration, s stretch) {
	w.Helper()
	if at < 0 {
		if s.must {
			w.fail("%s: is before the file; %d and %d were to be heard after\n\t%s", which, s.own, s.peer, s.what)
		}
		return
	}
	for from := at; from < at+s.long; from += 200 * time.Millisecond {
		own, peer := toneAt(heard, from)
		switch spoken := own != 0 || peer != 0; {
		case spoken && !s.on:
			w.fail("%s: at %v %d and %d are heard, and the call is off after\n\t%s", which, from, own, peer, s.what)
		case spoken && (own != s.own || peer != s.peer), s.must && !spoken && s.own+s.peer != 0:
			w.fail("%s: at %v %d and %d are heard, not %d and %d, after\n\t%s", which, from, own, peer, s.own, s.peer, s.what)
		}
	}
}

// toneAt is what is heard in the two channels; more than one tone is -1.
func toneAt(heard []esltest.Heard, at time.Duration) (own, peer int) {
	for _, h := range heard {
		if at < h.From || at >= h.To {
			continue
		}
		var two [2]int
		for i, tones := range h.Channels {
			switch len(tones) {
			case 0:
			case 1:
				two[i] = int(tones[0])
			default:
				two[i] = -1
			}
		}
		return two[0], two[1]
	}
	return 0, 0
}
