package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
	"tapedeck/internal/testkit"
)

// cutOff are calls during which FreeSWITCH or Redis is away.
func cutOff() []fault {
	return []fault{
		{"the watch link is cut during *1", faultSettings, needs{proxy: true}, linkCut},
		{"the watch link falls silent during *1", faultSettings, needs{proxy: true}, linkSilent},
		{"redis is killed during calls", faultSettings, needs{redis: true}, redisAway},
		{"freeswitch is killed during a call", faultSettings, needs{}, switchKilled},
	}
}

const (
	cutFor    = 5 * time.Second
	silentFor = 10 * time.Second
	backSoon  = 8 * time.Second // from the mending until Tapedeck has caught up
)

// awaitAnswer waits until a press that was made while the link was away is obeyed or
// refused aloud, and asserts that it is not both. It returns the state that is
// announced, and when.
func (c *faultTalk) awaitAnswer(since int, anchor, leg string) (state string, at time.Time) {
	c.Helper()
	var refused, told []*esl.Event
	testkit.Within(c, backSoon, "press obeyed, or refused aloud", func() bool {
		refused = c.suite.lab.Switch.EventsSince(since, func(e *esl.Event) bool {
			return lab.Is("MEDIA_BUG_STOP", leg)(e) && strings.HasSuffix(e.Get("Media-Bug-Target"), "/not-permitted.wav")
		})
		told = c.suite.lab.Switch.EventsSince(since, func(e *esl.Event) bool {
			return lab.IsCustom("tapedeck::state", "Tapedeck-Anchor", anchor)(e) && e.Get("Tapedeck-State") == "paused"
		})
		return len(refused)+len(told) > 0
	})
	if len(refused) > 0 && len(told) > 0 {
		c.Errorf("the press was refused aloud, and obeyed")
	}
	state, err := c.suite.lab.Switch.API(c.ctx, "uuid_getvar", anchor+" tapedeck_state")
	c.do(err)
	if want := map[bool]string{true: "on", false: "paused"}[len(refused) > 0]; state != want {
		c.Errorf("tapedeck_state is %q, want %q", state, want)
	}
	c.Logf("the press was refused: %v", len(refused) > 0)
	return state, c.moment(slices.Concat(refused, told)[0], "Event-Date-Timestamp")
}

// linkCut lets alice press while the link is away, and again at the moment when it
// is cut.
func linkCut(c *faultTalk) {
	outside, alice := fromOutside(c.talk)
	anchor, leg := c.leg(outside), c.leg(alice)
	atAlice, atOutside := c.listensAt(alice), c.listensAt(outside)
	c.speak(speech)
	since := c.suite.lab.Switch.Seen()
	c.proxy.Cut()
	c.press(alice)
	c.speak(cutFor)
	c.proxy.Mend()
	state, first := c.awaitAnswer(since, anchor, leg)
	if state != "on" {
		c.Fatalf("a press of seconds ago was obeyed")
	}
	pause := c.pauseAndResume(alice, anchor)

	since = c.suite.lab.Switch.Seen()
	c.press(alice)
	c.proxy.Cut()
	c.expects = []string{"unconfirmed"} // if the press was taken, and the reply was lost
	c.speak(cutFor / 2)
	c.proxy.Mend()
	state, second := c.awaitAnswer(since, anchor, leg)
	testkit.Within(c, backSoon, "the watch link is back", func() bool { // a press that was obeyed before the cut is answered at once
		up, err := c.suite.tapedeck.Metric(c.ctx, `tapedeck_watch_up{switch="fs1"}`)
		return err == nil && up == 1
	})
	c.speak(speech)
	c.hangUp(outside, alice)
	r := c.recording()
	r.noPrompts()
	r.traced("pressed", "missed")
	if last := r.about.Spans[len(r.about.Spans)-1].State; last == "paused" != (state == "paused") {
		c.Errorf("the file ends with a span %q, and %q was told", last, state)
	}
	if found := r.Silences(near); len(found) == 0 || (found[0][0]-pause.from.Sub(r.began)).Abs() > near {
		c.Errorf("the file is silent in %v, want from %v on", found, pause.from.Sub(r.began))
	}
	long := c.readPrompt("en", "not-permitted").Length
	atAlice.anyPrompt("en", "not-permitted", []period{{to: first}, {to: second}}, func(s period) time.Time { return s.to.Add(-long) })
	atOutside.noPrompt()
}

// linkSilent lets alice press while nothing comes through, though no connection is
// closed.
func linkSilent(c *faultTalk) {
	outside, alice := fromOutside(c.talk)
	anchor, leg := c.leg(outside), c.leg(alice)
	atAlice, atOutside := c.listensAt(alice), c.listensAt(outside)
	c.speak(speech)
	since, began := c.suite.lab.Switch.Seen(), time.Now()
	c.proxy.Silence()
	c.press(alice)
	c.speak(silentFor - time.Since(began))
	c.proxy.Mend()
	state, at := c.awaitAnswer(since, anchor, leg)
	if state != "on" {
		c.Fatalf("a press of seconds ago was obeyed")
	}
	c.speak(speech)
	pause := c.pauseAndResume(alice, anchor)
	c.hangUp(outside, alice)
	r := c.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause)
	r.noPrompts()
	r.traced("pressed", "missed")
	atAlice.prompt("en", "not-permitted", at.Add(-c.readPrompt("en", "not-permitted").Length))
	atOutside.noPrompt()
}

// redisGoneFor is how long Redis is away: a minute in the long form.
func redisGoneFor() time.Duration {
	if os.Getenv("TAPEDECK_E2E_LONG") != "" {
		return time.Minute
	}
	return 10 * time.Second
}

// heldAtEntry is how long a call may take from its entry until the phone is dialled.
const heldAtEntry = 300 * time.Millisecond

func redisAway(c *faultTalk) {
	outside, alice := fromOutside(c.talk)
	first := c.leg(outside)
	c.speak(speech)
	gone := time.Now()
	c.redis.Kill()
	pauses := []period{c.pauseAndResume(alice, first)}
	outside2, alice2 := fromOutside(c.talk)
	second := c.leg(outside2)
	c.notHeld(second, c.leg(alice2))
	c.speak(speech)
	pause2 := c.pauseAndResume(alice2, second)
	c.hangUp(outside2, alice2)
	c.speak(max(speech, redisGoneFor()-time.Since(gone)))
	c.do(c.redis.Restart(c.ctx))
	pauses = append(pauses, c.pauseAndResume(alice, first))
	c.hangUp(outside, alice)
	for _, r := range c.recordings() {
		r.heardFromStart(only(lab.Outside), only(lab.Alice))
		if r.anchor == second {
			r.silentExactly(pause2)
		} else {
			r.silentExactly(pauses...)
		}
	}
	testkit.Within(c, backSoon, "both recordings in the index", func() bool { return c.indexed(first, second) })
}

// notHeld asserts that the call did not wait at its entry.
func (c *faultTalk) notHeld(anchor, dialled string) {
	c.Helper()
	var at [2]time.Time
	for i, leg := range []string{anchor, dialled} {
		e, err := c.suite.lab.Switch.Wait(c.ctx, "leg", lab.Is("CHANNEL_CREATE", leg))
		c.do(err)
		at[i] = c.moment(e, "Event-Date-Timestamp")
	}
	held := at[1].Sub(at[0])
	c.Logf("%v from the entry until the phone was dialled", held)
	if held > heldAtEntry {
		c.Errorf("the call was held for %v at its entry, want %v", held, heldAtEntry)
	}
}

// indexed reports whether `recordings ls` has exactly these recordings.
func (c *faultTalk) indexed(ids ...string) bool {
	said, err := c.instances[0].Run(c.ctx, "recordings", "ls", "--json")
	if err != nil {
		return false
	}
	var have []string
	for line := range strings.Lines(said) {
		var r struct{ ID string }
		c.do(json.Unmarshal([]byte(line), &r))
		have = append(have, r.ID)
	}
	slices.Sort(have)
	slices.Sort(ids)
	return slices.Equal(have, ids)
}

// maxLost is how much of a stereo file FreeSWITCH has not written when it is killed:
// one block of 64 KB.
const maxLost = 2100 * time.Millisecond

func switchKilled(c *faultTalk) {
	c.expects = []string{"file repaired", "no stop event", "short"}
	outside, alice := fromOutside(c.talk)
	anchor := c.leg(outside)
	before := c.speak(3 * speech)
	pause := c.pauseAndResume(alice, anchor)
	after := c.speak(2 * speech)
	killed := time.Now()
	c.suite.lab.Switch.Kill()
	c.speak(speech / 2)
	c.do(c.suite.lab.RestartSwitch(c.ctx))
	for _, phone := range []*lab.Telephone{outside, alice} { // they do not know that the call has ended
		c.do(phone.HangUp(c.ctx))
		_, err := phone.Ended(c.ctx)
		c.do(err)
	}
	path := c.sound(anchor, 1)
	about := c.sidecarOf(path) // the file does not change after that
	sound, err := lab.Listen(path)
	c.do(err)
	r := take{talk: c.talk, Sound: sound, about: about, anchor: anchor, began: c.moment(c.recordEvent("RECORD_START", path), "Event-Date-Timestamp")}
	c.Logf("%s; killed after %v; problems %q", sound, killed.Sub(r.began), about.Problems)
	r.isFile(about)
	r.spansAgree(about)
	if lost := killed.Sub(r.began) - r.Length; lost > maxLost || lost < -spanSlip {
		c.Errorf("%v of the recording are lost, want %v at most", lost, maxLost)
	}
	if !r.problem("file repaired") || about.Complete || len(c.unexpected(about.Problems)) > 0 {
		c.Errorf("complete %v, problems %q; want file repaired, and not complete", about.Complete, about.Problems)
	}
	r.heard(before, only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause)
	r.heard(period{after.from, r.began.Add(r.Length)}, only(lab.Outside), only(lab.Alice))

	testkit.Within(c, backSoon, "watch link", func() bool {
		up, err := c.instances[0].Metric(c.ctx, `tapedeck_watch_up{switch="fs1"}`)
		return err == nil && up == 1
	})
	c.expects = nil
	outside, alice = fromOutside(c.talk)
	next := c.leg(outside)
	said := c.speak(speech)
	pause = c.pauseAndResume(alice, next)
	c.hangUp(outside, alice)
	r = c.listen(c.sound(next, 1))
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.heard(said, only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause)
}
