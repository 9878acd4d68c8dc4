package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
	"tapedeck/internal/testkit"
)

// lane is a row of users of the sample configuration whose scenarios run one after the
// other. Lanes run at the same time.
type lane struct {
	first     int // extension of alice; bob's is the next one
	scenarios []vanillaScenario
}

// vanillaScenario is calls on FreeSWITCH's sample configuration.
type vanillaScenario struct {
	name string
	run  func(*vanillaTalk)
}

// vanillaTalk is one scenario while it runs.
type vanillaTalk struct {
	*talk
	dir        string // for phones of this scenario alone
	alice, bob *lab.Baresip
	outside    *lab.Telephone // of the scenario's last call from outside
	firstEvent int            // of the switch, in this scenario
	code       string         // what users press
}

// vanillaCode is what users press. It leaves the sample dialplan's own keys, such as
// *4, as they are (freeswitch-conf/README.md, "Digits").
const vanillaCode = "#1"

// TestVanilla makes calls on FreeSWITCH's own sample configuration, in which only
// Tapedeck's dialplan files were put as README.md says, with phones that nobody here
// wrote (baresip).
func TestVanilla(t *testing.T) {
	ctx, binary := begin(t)
	dir := workDir(t)
	program := build(t, ctx, dir)
	confDir, err := filepath.Abs("../freeswitch-conf")
	must(t, err)
	ports, err := lab.FreePorts(1)
	must(t, err)
	socket := fmt.Sprintf("127.0.0.1:%d", ports[0])
	own := filepath.Join(dir, "tapedeck.d")
	s := &suite{}
	s.lab, err = lab.StartVanilla(ctx, lab.Config{
		FreeSWITCH: binary, Dir: filepath.Join(dir, "lab"), ConfDir: confDir, Socket: socket, Recordings: lab.RecordingsIn(own),
		Log: slog.New(slog.DiscardHandler),
	})
	if errors.Is(err, lab.ErrNoVanilla) {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(s.lab.Stop)
	s.tapedeck, err = lab.StartTapedeck(ctx, lab.TapedeckConfig{
		Program: program, Dir: own, Prompts: filepath.Join(confDir, "sounds"), Socket: socket, Switch: s.lab.ESL, Policy: vanillaPolicy(vanillaCode),
	})
	must(t, err)
	t.Cleanup(func() {
		if err := s.tapedeck.Stop(stopsWithin); err != nil {
			t.Errorf("tapedeck serve, after SIGTERM: %v", err)
		}
	})
	t.Run("lane", func(t *testing.T) {
		for _, l := range lanes() {
			t.Run(fmt.Sprint(l.first), func(t *testing.T) {
				t.Parallel()
				s.playLane(t, ctx, l, filepath.Join(dir, "baresip"))
			})
		}
	})
	t.Run("lane/alone", func(t *testing.T) { s.playLane(t, ctx, alone(), filepath.Join(dir, "baresip-alone")) })
	must(t, s.tapedeck.SetPolicy(ctx, vanillaPolicy(code)))
	t.Run("lane/star", func(t *testing.T) { s.playLane(t, ctx, star(), filepath.Join(dir, "baresip-star")) })
	var said string
	verified := testkit.Happens(describedIn, func() bool { // a picture of the last waveform may be on its way
		var err error
		said, err = s.tapedeck.Run(ctx, "recordings", "verify")
		return err == nil
	})
	if !verified {
		t.Errorf("not all is as it was written:\n%s", said)
	}
	t.Logf("%d pauses: their edges and the presses that made them differ by %v at most", s.pauses, s.latest)
	t.Logf("%d pauses are heard: the sidecars' differ by %v at most", s.spans, s.furthest)
	for _, line := range s.tapedeck.Complaints("") {
		t.Errorf("tapedeck complained: %s", line)
	}
}

// playLane starts the phones of a lane and plays its scenarios.
func (s *suite) playLane(t *testing.T, ctx context.Context, l lane, dir string) {
	t.Helper()
	var users []*lab.Baresip
	for i, tone := range []lab.Tone{lab.Alice, lab.Bob} {
		extension := fmt.Sprint(l.first + i)
		phone, err := s.lab.BaresipUser(ctx, extension, tone, filepath.Join(dir, extension))
		if errors.Is(err, lab.ErrNoBaresip) {
			t.Skip(err)
		}
		must(t, err)
		t.Cleanup(phone.Close)
		users = append(users, phone)
	}
	for i, sc := range l.scenarios {
		t.Run(sc.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			c := &vanillaTalk{
				talk: &talk{T: t, ctx: ctx, suite: s, org: lab.Org(0)}, dir: filepath.Join(dir, fmt.Sprintf("%d-%d", l.first, i)),
				alice: users[0], bob: users[1], firstEvent: s.lab.Switch.Seen(), code: vanillaCode,
			}
			defer c.cleanUp()
			sc.run(c)
		})
	}
}

// cleanUp ends the calls of a scenario that has failed, so that the next one finds
// free phones.
func (c *vanillaTalk) cleanUp() {
	if !c.Failed() {
		return
	}
	if c.outside != nil {
		_ = c.outside.HangUp(c.ctx)
	}
	_ = c.alice.HangUpAll(c.ctx)
	_ = c.bob.HangUpAll(c.ctx)
}

// vanillaPolicy is the policy: every number says yes, but those of ring groups. Users up
// to 1009 say yes themselves, and some others what their scenarios need.
func vanillaPolicy(code string) string {
	var b strings.Builder
	b.WriteString(policyHead)
	fmt.Fprintf(&b, "  %s:\n    domains: [%s]\n    on_demand: { dtmf: %q }\n    numbers:\n", lab.Org(0).ID(), lab.VanillaDomain, code)
	number := func(extension, record string) {
		fmt.Fprintf(&b, "      %q: { record: %s }\n", lab.VanillaNumber(extension), record)
	}
	for extension := 1000; extension < 1020; extension++ {
		number(fmt.Sprint(extension), "yes")
	}
	for _, extension := range []string{"2001", "5900", "3001", lab.VanillaCallCenter, lab.VanillaContacts} {
		number(extension, "yes")
	}
	for _, group := range []string{"2000", "2002"} {
		number(group, "dont-care")
	}
	b.WriteString("    users:\n")
	own := map[int]string{1013: "no", 1017: "{ internal: yes }", 1018: "{ internal: yes }"}
	for extension := 1000; extension < 1020; extension++ {
		record := cmp.Or(own[extension], "dont-care")
		if extension < 1010 {
			record = "yes"
		}
		fmt.Fprintf(&b, "      u%d: { extension: \"%d\", record: %s, on_demand: enable }\n", extension, extension, record)
	}
	return b.String()
}

// callIn lets an outside party call the number of an extension.
func (c *vanillaTalk) callIn(extension string) *lab.Telephone {
	c.Helper()
	c.outside = c.inboundVia("public", lab.VanillaNumber(extension))
	return c.outside
}

// ringing waits until a user's phone rings.
func (c *vanillaTalk) ringing(who *lab.Baresip) *lab.BaresipCall {
	c.Helper()
	call, err := who.Ringing(c.ctx)
	c.do(err)
	return call
}

// dial lets a user call, and returns when somebody has answered.
func (c *vanillaTalk) dial(who *lab.Baresip, number string) *lab.BaresipCall {
	c.Helper()
	call, err := who.Dial(c.ctx, number)
	c.do(err)
	return call
}

// answeredBy is a call of an outside party to a user, who answers.
func (c *vanillaTalk) answeredBy(who *lab.Baresip) (outside *lab.Telephone, call *lab.BaresipCall) {
	c.Helper()
	outside = c.callIn(who.Extension)
	call = c.ringing(who)
	c.do(call.Answer(c.ctx))
	c.do(outside.Talking(c.ctx))
	return outside, call
}

// legOf is the leg of a call of a baresip on the switch under test.
func (c *vanillaTalk) legOf(call *lab.BaresipCall) string {
	c.Helper()
	leg, err := call.Leg(c.ctx)
	c.do(err)
	return leg
}

// bridged waits until two legs are bridged with each other.
func (c *vanillaTalk) bridged(one, other string) {
	c.Helper()
	_, err := c.suite.lab.Switch.Wait(c.ctx, "bridge of "+one+" and "+other, func(e *esl.Event) bool { return bridges(e, one) && bridges(e, other) })
	c.do(err)
}

// told waits until tapedeck_state says a state on every one of the legs.
func (c *vanillaTalk) told(state string, legs ...string) {
	c.Helper()
	var last string
	ok := testkit.Happens(time.Second, func() bool {
		last = ""
		for i, leg := range legs {
			if got, err := c.suite.lab.Switch.API(c.ctx, "uuid_getvar", leg+" tapedeck_state"); err != nil || got != state {
				last += fmt.Sprintf(" leg %d: %q %v;", i+1, got, err)
			}
		}
		return last == ""
	})
	if !ok {
		c.Errorf("tapedeck_state is%s want %s on every leg", last, state)
	}
}

// codeFor lets a user press the code, waits until that state of the recorded leg is
// announced and told on every leg, and returns when FreeSWITCH saw the press.
func (c *vanillaTalk) codeFor(call *lab.BaresipCall, state, anchor string, legs ...string) time.Time {
	c.Helper()
	leg, since := c.legOf(call), c.suite.lab.Switch.Seen()
	c.do(call.Press(c.ctx, c.code))
	e, err := c.suite.lab.Switch.WaitSince(c.ctx, since, "press of "+leg, lab.IsCustom("tapedeck::toggle", "Unique-ID", leg))
	c.do(err)
	c.awaitState(since, anchor, state)
	c.told(state, append(legs, anchor)...)
	return c.moment(e, "Event-Date-Timestamp")
}

// pause lets a user press the code, and again after a while.
func (c *vanillaTalk) pause(call *lab.BaresipCall, anchor string, legs ...string) (p period) {
	c.Helper()
	legs = append(legs, c.legOf(call))
	c.told("on", append(legs, anchor)...)
	p.from = c.codeFor(call, "paused", anchor, legs...)
	c.speak(speech)
	p.to = c.codeFor(call, "on", anchor, legs...)
	return p
}

// onlyFile waits until the legs of the scenario have ended, and returns the path of
// the only file that any of them has. It asserts that there is no other one.
func (c *vanillaTalk) onlyFile(anchor string, legs ...string) string {
	c.Helper()
	for _, leg := range append(legs, anchor) {
		c.hungUp(leg)
	}
	var paths []string
	for _, e := range c.suite.lab.Switch.EventsSince(c.firstEvent, func(e *esl.Event) bool { return e.Name() == "RECORD_START" }) {
		for i, leg := range append(legs, anchor) {
			if e.Get("Unique-ID") == leg {
				paths = append(paths, e.Get("Record-File-Path"))
				if leg != anchor {
					c.Errorf("leg %d has a recording of its own: %s", i+1, e.Get("Record-File-Path"))
				}
			}
		}
	}
	if len(paths) != 1 {
		c.Fatalf("there are files %q, want one, of the outside party", paths)
	}
	return paths[0]
}
