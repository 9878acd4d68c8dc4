package e2e

import (
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
	"tapedeck/internal/testkit"
)

// conferences are calls that meet in a conference room of FreeSWITCH.
func conferences() []scenario {
	yes := settings{numbers: map[int]string{lab.ToRoom: "yes"}, onDemand: keyAndDigits}
	locked := yes
	locked.numbers = map[int]string{lab.ToRoom: "force"}
	internal := settings{alice: "{ internal: yes }", bob: "{ internal: yes }", onDemand: digits}
	number := settings{numbers: map[int]string{lab.ToRoom: "yes"}, onDemand: digits}
	comes, objects := number, number
	comes.alice, objects.bob = "{ internal: yes }", "no"
	return []scenario{
		{"conference of two outside parties, *1 pauses both", yes, pausedInRoom},
		{"conference, the Record key pauses both outside parties", yes, keyInRoom},
		{"conference, *1 against a lock", locked, lockedInRoom},
		{"conference of users alone has one file", internal, internalRoom},
		{"conference, an outside party comes to users", comes, outsideComes},
		{"conference, a user leaves it for another user", comes, leavesRoom},
		{"conference, a user who says no comes and goes", objects, objectorInRoom},
		{"conference, *1 of a user who was dialled into the room", number, dialledIntoRoom},
	}
}

// enterRoom waits until phones are in the conference room, and returns their legs.
func (t *talk) enterRoom(phones ...*lab.Telephone) (legs []string) {
	t.Helper()
	for _, p := range phones {
		leg := t.leg(p)
		_, err := t.suite.lab.Switch.Wait(t.ctx, "room of "+leg, func(e *esl.Event) bool {
			return lab.IsCustom("conference::maintenance", "Unique-ID", leg)(e) && e.Get("Action") == "add-member"
		})
		t.do(err)
		legs = append(legs, leg)
	}
	return legs
}

// awaitStates waits until the recorded legs have announced a state since a moment,
// and asserts that all the legs have it in tapedeck_state.
func (t *talk) awaitStates(since int, state string, anchors []string, others ...string) {
	t.Helper()
	for _, anchor := range anchors {
		_, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "tapedeck::state "+state, func(e *esl.Event) bool {
			return lab.IsCustom("tapedeck::state", "Tapedeck-Anchor", anchor)(e) && e.Get("Tapedeck-State") == state
		})
		t.do(err)
	}
	for _, leg := range append(others, anchors...) { // the variable has the state of all recordings in the room
		t.becomes(leg, "tapedeck_state", state)
	}
}

// becomes waits until a variable of a leg has a value.
func (t *talk) becomes(leg, variable, value string) {
	t.Helper()
	testkit.Within(t, near, variable+" "+value+" of "+leg, func() bool {
		got, err := t.suite.lab.Switch.API(t.ctx, "uuid_getvar", leg+" "+variable)
		return err == nil && got == value
	})
}

// meeting is a conference of two outside parties, alice and bob.
type meeting struct {
	one, two, alice, bob *lab.Telephone
	outside, users       []string // their legs
}

func meet(t *talk) (m meeting) {
	t.Helper()
	since := t.suite.lab.Switch.Seen()
	m.one, m.two = t.inbound(lab.ToRoom), t.inbound(lab.ToRoom)
	m.outside = t.enterRoom(m.one, m.two)
	m.alice, m.bob = t.dials(lab.UserAlice, t.org.Room()), t.dials(lab.UserBob, t.org.Room())
	m.users = t.enterRoom(m.alice, m.bob)
	t.awaitStates(since, "on", m.outside)
	return m
}

// end hangs up and returns the recordings of the outside parties.
func (m meeting) end(t *talk) []take {
	t.Helper()
	for _, phone := range []*lab.Telephone{m.alice, m.one, m.two, m.bob} {
		t.hangUp(phone)
	}
	takes := t.recordings()
	if len(takes) != 2 {
		t.Fatalf("there are %d recordings, want one of each outside party", len(takes))
	}
	return takes
}

// roomFile is the only file of a leg in a room. The files of guests end when they come
// into the room.
func (t *talk) roomFile(leg string) (found take) {
	t.Helper()
	files, err := t.suite.tapedeck.Files(t.org)
	t.do(err)
	for _, path := range files {
		if !strings.HasSuffix(path, ".wav") {
			continue
		}
		if r := t.listenPart(path); r.anchor == leg {
			if found.Sound != nil {
				t.Errorf("a second file of the leg: %s", r.Sound)
			}
			found = r
		}
	}
	if found.Sound == nil {
		t.Fatalf("no file of the leg in %q", files)
	}
	return found
}

func pausedInRoom(t *talk) {
	m := meet(t)
	atAlice, atBob, atOne := t.listensAt(m.alice), t.listensAt(m.bob), t.listensAt(m.one)
	said := []period{t.speak(speech)}
	since := t.suite.lab.Switch.Seen()
	from := t.press(m.alice)
	t.awaitStates(since, "paused", m.outside, m.users...)
	t.speak(speech)
	since = t.suite.lab.Switch.Seen()
	to := t.press(m.bob)
	t.awaitStates(since, "on", m.outside, m.users...)
	said = append(said, t.speak(speech))
	for _, r := range m.end(t) {
		for _, s := range said {
			r.heard(s, only(lab.Outside), only(lab.Outside, lab.Alice, lab.Bob))
		}
		r.silentExactly(period{from, to})
		r.noPrompts()
	}
	atAlice.prompt("en", "recorded", from)
	atBob.prompt("en", "is-being-recorded", to)
	atOne.noPrompt()
}

func keyInRoom(t *talk) {
	m := meet(t)
	t.speak(speech)
	since, from := t.suite.lab.Switch.Seen(), time.Now()
	t.do(m.alice.RecordKey(t.ctx, "off"))
	t.awaitStates(since, "paused", m.outside, m.users...)
	t.speak(speech)
	since, to := t.suite.lab.Switch.Seen(), time.Now()
	t.do(m.alice.RecordKey(t.ctx, "on"))
	t.awaitStates(since, "on", m.outside, m.users...)
	t.speak(speech)
	for _, r := range m.end(t) {
		r.silentExactly(period{from, to})
	}
	t.noMarkers(m.users...)
}

func lockedInRoom(t *talk) {
	m := meet(t)
	t.speak(speech)
	t.refused(m.alice, m.outside[0], "locked")
	for _, leg := range append(m.users, m.outside...) {
		t.hasState(leg, "on")
	}
	t.speak(speech)
	for _, r := range m.end(t) {
		r.silentExactly()
	}
}

// internalRoom: alice comes first, so her call has the file.
func internalRoom(t *talk) {
	since := t.suite.lab.Switch.Seen()
	alice := t.dials(lab.UserAlice, t.org.Room())
	legs := t.enterRoom(alice)
	bob := t.dials(lab.UserBob, t.org.Room())
	legs = append(legs, t.enterRoom(bob)...)
	t.awaitState(since, legs[0], "on")
	t.speak(speech)
	t.hasState(legs[1], "on")
	since = t.suite.lab.Switch.Seen()
	from := t.press(bob)
	t.awaitStates(since, "paused", legs[:1], legs[1])
	t.speak(speech)
	since = t.suite.lab.Switch.Seen()
	to := t.press(alice)
	t.awaitStates(since, "on", legs[:1], legs[1])
	said := t.speak(speech)
	t.hangUp(bob)
	t.hangUp(alice)
	r := t.roomFile(legs[0])
	r.heard(said, only(lab.Alice), only(lab.Bob))
	r.silentExactly(period{from, to})
}

// outsideComes: alice's own file ends, and goes on in the outside party's.
func outsideComes(t *talk) {
	alice := t.dials(lab.UserAlice, t.org.Room())
	legs := t.enterRoom(alice)
	t.awaitState(0, legs[0], "on")
	t.speak(speech)
	since := t.suite.lab.Switch.Seen()
	outside := t.inbound(lab.ToRoom)
	legs = append(legs, t.enterRoom(outside)...)
	t.awaitState(since, legs[1], "on")
	said := t.speak(speech)
	t.hasState(legs[0], "on")
	since = t.suite.lab.Switch.Seen()
	from := t.press(alice)
	t.awaitStates(since, "paused", legs[1:], legs[0])
	t.speak(speech)
	t.hangUp(outside)
	t.hangUp(alice)
	r := t.roomFile(legs[1])
	r.heard(said, only(lab.Outside), only(lab.Alice))
	r.silentExactly(period{from, r.ended})
}

// leavesRoom: alice is transferred from the room to bob. In the room her voice is in
// the outside party's file, then in her own.
func leavesRoom(t *talk) {
	since := t.suite.lab.Switch.Seen()
	outside := t.inbound(lab.ToRoom)
	legs := t.enterRoom(outside)
	alice := t.dials(lab.UserAlice, t.org.Room())
	legs = append(legs, t.enterRoom(alice)...)
	t.awaitState(since, legs[0], "on")
	inRoom := t.speak(speech)
	since = t.suite.lab.Switch.Seen()
	_, err := t.suite.lab.Switch.API(t.ctx, "uuid_transfer", legs[1]+" "+t.org.Extension(lab.UserBob))
	t.do(err)
	bob := t.rings(lab.UserBob)
	t.becomes(legs[1], "conference_call_key", "_undef_")
	t.do(bob.PickUp(t.ctx))
	t.awaitState(since, legs[1], "on")
	atBobs := t.speak(speech)
	t.hangUp(bob, alice)
	t.hangUp(outside)
	r := t.roomFile(legs[0])
	r.heard(inRoom, only(lab.Outside), only(lab.Alice))
	r.heard(atBobs, only(lab.Outside), nobody)
	r.never(lab.Bob)
	files, err := t.suite.tapedeck.Files(t.org)
	t.do(err)
	for _, path := range files {
		if strings.HasSuffix(path, ".part2.wav") {
			own := t.listenPart(path)
			own.heard(atBobs, only(lab.Alice), only(lab.Bob))
			own.never(lab.Outside)
			return
		}
	}
	t.Errorf("alice's talk with bob has no file: %q", files)
}

// dialledIntoRoom: alice's leg never reaches the socket.
func dialledIntoRoom(t *talk) {
	since := t.suite.lab.Switch.Seen()
	outside := t.inbound(lab.ToRoom)
	legs := t.enterRoom(outside)
	room := t.org.ID() + " bgdial user/" + t.org.Extension(lab.UserAlice) + "@" + t.org.Domain()
	_, err := t.suite.lab.Switch.API(t.ctx, "conference", room)
	t.do(err)
	alice := t.rings(lab.UserAlice)
	t.do(alice.PickUp(t.ctx))
	legs = append(legs, t.enterRoom(alice)...)
	t.awaitState(since, legs[0], "on")
	said := t.speak(speech)
	atAlice := t.listensAt(alice)
	since = t.suite.lab.Switch.Seen()
	from := t.press(alice)
	t.awaitStates(since, "paused", legs[:1], legs[1])
	t.speak(speech)
	t.hangUp(alice)
	t.hangUp(outside)
	r := t.recording()
	r.heard(said, only(lab.Outside), only(lab.Alice))
	r.silentExactly(period{from, r.ended})
	atAlice.prompt("en", "recorded", from)
}

func objectorInRoom(t *talk) {
	since := t.suite.lab.Switch.Seen()
	outside := t.inbound(lab.ToRoom)
	legs := t.enterRoom(outside)
	alice := t.dials(lab.UserAlice, t.org.Room())
	t.enterRoom(alice)
	t.awaitState(since, legs[0], "on")
	with := []period{t.speak(speech)}
	since = t.suite.lab.Switch.Seen()
	bob := t.dials(lab.UserBob, t.org.Room())
	t.enterRoom(bob)
	from := t.awaitState(since, legs[0], "off")
	t.speak(speech)
	since = t.suite.lab.Switch.Seen()
	t.hangUp(bob)
	to := t.awaitState(since, legs[0], "on")
	with = append(with, t.speak(speech))
	t.hangUp(alice)
	t.hangUp(outside)
	r := t.recording()
	for _, s := range with {
		r.heard(s, only(lab.Outside), only(lab.Alice))
	}
	r.silentExactly(period{from, to})
}
