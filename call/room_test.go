package call

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/call/handover"
	"tapedeck/call/survey"
	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

// conferenceRoom is a simulated conference with outside parties and users in it.
type conferenceRoom struct {
	*fixture
}

func newRoom(t *testing.T) *conferenceRoom {
	return &conferenceRoom{fixture: newFixtureWith(t, pressPolicy(t))}
}

// outside lets an outside party call a number that leads into the room.
func (r *conferenceRoom) outside(number string) *esltest.Channel {
	r.Helper()
	a := r.inbound(number)
	r.joins(a)
	return a
}

// user lets a user dial the room.
func (r *conferenceRoom) user(extension string) *esltest.Channel {
	r.Helper()
	a := r.from(extension, "3000")
	r.joins(a)
	return a
}

func (r *conferenceRoom) joins(leg *esltest.Channel) {
	r.Helper()
	leg.Conference("3000")
	r.settle()
}

// states checks tapedeck_state of several legs.
func (r *conferenceRoom) states(want string, legs ...*esltest.Channel) {
	r.Helper()
	for i, leg := range legs {
		if got := leg.Get("tapedeck_state"); got != want {
			r.Errorf("tapedeck_state of leg %d is %q, want %q", i, got, want)
		}
	}
}

// heard checks the last prompt that a leg hears now; "" is none.
func (r *conferenceRoom) heard(leg *esltest.Channel, want string) {
	r.Helper()
	got := ""
	for _, path := range leg.Hears() {
		got = strings.TrimSuffix(filepath.Base(path), ".wav")
	}
	if got != want {
		r.Errorf("the leg hears %q, want %q", got, want)
	}
}

// written checks what a file holds, a second at a time: "440|880+1320" are the
// recorded leg's own voice and those that it hears.
func (r *conferenceRoom) written(file string, want ...string) {
	r.Helper()
	spans, err := esltest.Listen(file, 100*time.Millisecond, tones...)
	r.must(err)
	var got []string
	for _, h := range spans {
		if _, what, _ := strings.Cut(h.String(), " "); h.To-h.From >= 400*time.Millisecond {
			got = append(got, what)
		}
	}
	if !slices.Equal(got, want) {
		r.Errorf("%s: heard\n\t%s\nwant\n\t%s", filepath.Base(file), strings.Join(got, "; "), strings.Join(want, "; "))
	}
}

// TestRoomLatePress: the result of a press is lost with the link, and FreeSWITCH still has its
// code. The user is told how the recordings of the room are, not that his own call has none.
func TestRoomLatePress(t *testing.T) {
	r := newRoom(t)
	one, dave := r.outside("+442079460001"), r.user("1004")
	r.states("on", one, dave)
	late := func(want string) {
		r.ctl.ask(t.Context(), func(now time.Time) {
			c := r.ctl.callOf(dave.UUID())
			c.presses.clearing = dave.UUID()
			c.absence.reportLatePress(dave.UUID(), now)
		})
		r.settle()
		r.heard(dave, want)
	}
	late("is-being-recorded")
	r.pressCode(dave)
	r.states("paused", one, dave)
	late("recorded")
	one.Hangup("")
	dave.Hangup("")
}

// TestRoomPress: a user's press acts on the recording of each outside party in the
// room, and he is told "Recorded" when all of them are silent.
func TestRoomPress(t *testing.T) {
	r := newRoom(t)
	one, dave, two, frank := r.outside("+442079460001"), r.user("1004"), r.outside("+442079460001"), r.user("1005")
	r.states("on", one, two, dave, frank)
	r.talk(second)
	r.pressCode(dave)
	r.states("paused", one, two, dave, frank)
	r.heard(dave, "recorded")
	r.heard(one, "")
	r.heard(frank, "")
	r.talk(second)
	r.pressCode(frank)
	r.states("on", one, two, dave, frank)
	r.heard(frank, "is-being-recorded")
	r.talk(second)
	for _, leg := range []*esltest.Channel{one, two, dave, frank} {
		leg.Hangup("")
	}
	r.settle()
	if n := r.meter.get("toggle dtmf ok"); n != 2 {
		t.Errorf("%d presses were counted, want 2", n)
	}
	r.written(one.Get("tapedeck_file"), "440|440+2200+2600", "-|-", "440|440+2200+2600")
	if files := r.files(); len(files) != 2 {
		t.Errorf("files: %q, want one of each outside party", files)
	}
}

// TestRoomPressRefused: if the press is not permitted on one recording, nothing
// changes on any.
func TestRoomPressRefused(t *testing.T) {
	r := newRoom(t)
	one, locked, dave, frank, grace := r.outside("+442079460001"), r.outside("+442079460005"), r.user("1004"), r.user("1005"), r.user("1006")
	r.talk(second)
	for _, phone := range []*esltest.Channel{dave, grace} {
		r.pressCode(phone)
		r.states("on", one, locked, dave, frank, grace)
		r.heard(phone, "not-permitted")
	}
	r.pressCode(one)
	r.states("on", one, locked)
	r.pressCode(frank) // may override
	r.states("paused", one, locked, dave, frank, grace)
	r.heard(frank, "recorded")
	for result, want := range map[string]int{"locked": 1, "user_disabled": 1, "ok": 1} {
		if n := r.meter.get("toggle dtmf " + result); n != want {
			t.Errorf("%d presses with the result %s were counted, want %d", n, result, want)
		}
	}
}

// TestRoomPressStarts: where nothing is recorded, the press starts every recording.
func TestRoomPressStarts(t *testing.T) {
	r := newRoom(t)
	one, two, dave := r.outside("+442079460003"), r.outside("+442079460004"), r.user("1004")
	r.states("off", one, two, dave)
	r.pressCode(dave)
	r.states("on", one, two, dave)
	r.heard(dave, "is-being-recorded")
	r.talk(second)
	r.pressCode(dave)
	r.states("paused", one, two, dave)
}

// TestRoomStopsWhatItCannotSilence: a recording that FreeSWITCH cannot silence is
// stopped, and only then is the user told "Recorded".
func TestRoomStopsWhatItCannotSilence(t *testing.T) {
	r := newRoom(t)
	one, two, dave := r.outside("+442079460001"), r.outside("+442079460001"), r.user("1004")
	r.sw.Fail(func(command, args string) (string, bool) {
		return "-ERR Cannot mask recording session!\n", command == "uuid_record" && strings.HasPrefix(args, two.UUID()+" mask")
	})
	r.pressCode(dave)
	r.states("paused", one, two, dave)
	r.heard(dave, "recorded")
	r.talk(second)
	r.written(two.Get("tapedeck_file"))
}

// TestRoomResumesOnlyOne: FreeSWITCH resumes one recording and cannot start the other. The
// user, who was told "Recorded", is told what is true now.
func TestRoomResumesOnlyOne(t *testing.T) {
	r := newRoom(t)
	one, dave, two := r.outside("+442079460001"), r.user("1004"), r.outside("+442079460003")
	r.pressCode(dave)
	r.states("paused", one, dave, two)
	r.heard(dave, "recorded")
	r.sw.Fail(func(command, args string) (string, bool) {
		return "-ERR Cannot record session!\n", command == "uuid_record" && strings.HasPrefix(args, two.UUID()+" start")
	})
	r.pressCode(dave)
	r.states("on", one, dave, two)
	r.heard(dave, "is-being-recorded")
	r.toldTrue()
}

// TestRoomPressByKeyAndAPI: the Record key and the API act as the code does.
func TestRoomPressByKeyAndAPI(t *testing.T) {
	r := newRoom(t)
	one, two, dave := r.outside("+442079460001"), r.outside("+442079460001"), r.user("1004")
	r.pressKey(dave, false)
	r.states("paused", one, two, dave)
	r.heard(dave, "recorded")
	r.pressKey(dave, true)
	r.states("on", one, two, dave)
	status, err := r.ctl.Toggle(context.Background(), one.UUID(), "dave", "root", toggle.TurnOff)
	r.must(err)
	if status != toggle.Paused {
		t.Errorf("the API answers %q, want paused", status)
	}
	r.settle()
	r.states("paused", one, two, dave)
	if _, err := r.ctl.Toggle(context.Background(), two.UUID(), "", "root", toggle.TurnOn); err != nil {
		t.Error(err)
	}
	r.settle()
	r.states("on", one, two, dave)
}

// TestRoomPhoneWithoutCall: a user who was dialled into the room, and has no call of
// his own, is told the state and may press.
func TestRoomPhoneWithoutCall(t *testing.T) {
	r := newRoom(t)
	one := r.outside("+442079460001")
	dave := r.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1004", ToneHz: dave,
		Variables: map[string]string{"user_name": "1004", "domain_name": "acme.example.net"}})
	r.joins(dave)
	r.states("on", one, dave)
	r.pressKey(dave, false)
	r.states("paused", one, dave)
	r.heard(dave, "recorded")
	r.pressCode(dave)
	r.states("on", one, dave)
	one.LeaveConference()
	r.waitState(dave, "off")
}

// TestRoomLegWithoutTapedeck: an outside party came into the room while no Tapedeck
// answered. It is told the state: the file of the other outside party has its voice.
func TestRoomLegWithoutTapedeck(t *testing.T) {
	r := newRoom(t)
	one, alice := r.outside("+442079460001"), r.user("1001")
	two := r.sw.Incoming(esltest.Leg{Number: "+447700900124", Destination: "+442079460001", ToneHz: outside})
	r.joins(two)
	r.states("on", one, two, alice)
	r.pressCode(two)
	r.states("on", one, two, alice)
	r.pressCode(alice)
	r.states("paused", one, two, alice)
	r.restart(pressPolicy(t), func() {})
	r.pressCode(alice)
	r.states("on", one, two, alice)
	two.LeaveConference()
	r.waitState(two, "off")
	r.states("on", one, alice)
	r.joins(two)
	r.states("on", one, two, alice)
	one.Hangup("")
	alice.Hangup("")
	r.waitState(two, "off")
}

// TestRoomOneFile: an internal conference has one file. When the user whose call has
// it leaves, the next one's has it.
func TestRoomOneFile(t *testing.T) {
	r := newRoom(t)
	alice, carol, dave := r.user("1001"), r.user("1003"), r.user("1004")
	r.states("on", alice, carol, dave)
	r.talk(second)
	r.pressCode(dave)
	r.states("paused", alice, carol, dave)
	r.heard(dave, "recorded")
	r.talk(second)
	alice.Hangup("")
	r.settle()
	r.states("off", carol, dave)
	r.talk(second)
	r.pressCode(dave)
	r.states("on", carol, dave)
	r.talk(second)
	carol.Hangup("")
	dave.Hangup("")
	r.settle()
	r.written(alice.Get("tapedeck_file"), "880|1760+2200", "-|-")
	r.written(strings.TrimSuffix(carol.Get("tapedeck_file"), ".wav")+".part2.wav", "1760|2200")
	if files := r.files(); len(files) != 2 { // the first of carol's was empty
		t.Errorf("files: %q, want alice's and carol's", files)
	}
}

// noSoundIn checks that a file, if there is one, has no sound for longer than a
// packet or two.
func (r *conferenceRoom) noSoundIn(file string) {
	r.Helper()
	if _, err := os.Stat(file); err != nil {
		return
	}
	spans, err := esltest.Listen(file, 20*time.Millisecond, tones...)
	r.must(err)
	for _, h := range spans {
		if len(h.Tones()) > 0 && h.To-h.From > 40*time.Millisecond {
			r.Errorf("%s: there is sound: %s", filepath.Base(file), h)
		}
	}
}

// TestRoomOutsidePartyComes: when an outside party comes, its file has the talk. The
// users' own calls have it again when it has left.
func TestRoomOutsidePartyComes(t *testing.T) {
	r := newRoom(t)
	alice, dave := r.user("1001"), r.user("1004")
	r.states("on", alice, dave)
	r.talk(second)
	one := r.outside("+442079460001")
	r.states("on", alice, dave, one)
	r.talk(second)
	r.pressCode(alice)
	r.states("paused", alice, dave, one)
	r.talk(second)
	r.pressCode(alice)
	r.talk(second)
	one.Hangup("")
	r.settle()
	r.states("on", alice, dave)
	r.talk(second)
	alice.Hangup("")
	dave.Hangup("")
	r.settle()
	r.written(alice.Get("tapedeck_file"), "880|2200")
	r.written(strings.TrimSuffix(alice.Get("tapedeck_file"), ".wav")+".part2.wav", "880|2200")
	r.written(one.Get("tapedeck_file"), "440|880+2200", "-|-", "440|880+2200")
}

// TestRoomPauseHolds: a pause holds for the recording of an outside party who comes
// later. If that one is locked, the users are told that they are being recorded.
func TestRoomPauseHolds(t *testing.T) {
	r := newRoom(t)
	one, dave := r.outside("+442079460001"), r.user("1004")
	r.pressCode(dave)
	two := r.outside("+442079460001")
	r.states("paused", one, two, dave)
	r.ctl.ask(t.Context(), func(time.Time) {
		if !slices.ContainsFunc(r.ctl.calls[two.UUID()].trace, func(n recording.Note) bool {
			return n.What == recording.NotePressed && n.User == "dave" && n.Call == one.UUID()
		}) {
			t.Error("the trace does not say in which call it was pressed")
		}
	})
	r.talk(second)
	carol := r.user("1003") // her own `yes` does not end it
	r.states("paused", one, two, dave, carol)
	locked := r.outside("+442079460005")
	r.states("on", one, two, dave, carol, locked)
	r.heard(dave, "is-being-recorded")
	r.heard(carol, "") // she was not told "Recorded"
	r.heard(one, "")
	locked.Hangup("")
	r.settle()
	r.states("paused", one, two, dave, carol)
	r.talk(second)
	for _, leg := range []*esltest.Channel{one, two, dave, carol} {
		leg.Hangup("")
	}
	r.settle()
	r.noSoundIn(two.Get("tapedeck_file"))
}

// TestRoomGuestHasNoProblem: a user's call that gives its file up when an outside party
// comes has no problem of it, in whatever state the file was.
func TestRoomGuestHasNoProblem(t *testing.T) {
	for _, presses := range []int{0, 1, 2} { // recorded, paused, resumed
		t.Run(strconv.Itoa(presses), func(t *testing.T) {
			fx, sidecars := newTalk(t)
			r := &conferenceRoom{fixture: fx}
			alice, dave := r.user("1001"), r.user("1004")
			r.talk(second)
			for range presses {
				r.pressCode(dave)
			}
			one := r.outside("+442079460001")
			r.talk(second)
			if presses == 1 {
				r.pressCode(dave)
			}
			r.states("on", one, alice, dave)
			r.talk(second)
			for _, leg := range []*esltest.Channel{alice, one, dave} {
				leg.Hangup("")
			}
			r.settle()
			for _, leg := range []*esltest.Channel{alice, one} {
				if s, written := sidecars.of(leg.UUID()); !written || len(s.Problems) > 0 {
					t.Errorf("sidecar of %s: written %t, problems %q", leg.Get("tapedeck_call"), written, s.Problems)
				}
			}
			fx.meter.mu.Lock()
			defer fx.meter.mu.Unlock()
			for name, n := range fx.meter.of {
				if strings.HasPrefix(name, "problem") {
					t.Errorf("%d times %s", n, name)
				}
			}
		})
	}
}

// TestRoomPauseGoesOn: when the outside party whose recording is paused leaves, the
// users' own recording does not begin by itself.
func TestRoomPauseGoesOn(t *testing.T) {
	r := newRoom(t)
	one, alice, dave := r.outside("+442079460001"), r.user("1001"), r.user("1004")
	r.pressCode(dave)
	r.states("paused", one, alice, dave)
	one.Hangup("")
	r.settle()
	r.states("off", alice, dave)
	r.pressCode(alice)
	r.states("on", alice, dave)
}

// TestRoomPressJustAfterTakeover: the owner of the calls in a room has not heard that a
// user has come whose setting locks. Another instance takes them over, and a press right
// afterwards is refused: the lock counts already.
func TestRoomPressJustAfterTakeover(t *testing.T) {
	p := pressPolicy(t)
	p.Organisations["acme"].Users["dave"].Record[flow.Inbound] = flow.Force
	fx, owner, next, inNext := twoInstancesWith(t, p)
	r := &conferenceRoom{fixture: fx}
	one, alice := r.outside("+442079460001"), r.user("1001")
	waits := make(chan struct{})
	hears := sync.OnceFunc(func() { close(waits) })
	defer hears()
	owner.post(func(time.Time) { <-waits })
	inNext()
	r.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1004", ToneHz: dave,
		Variables: map[string]string{"user_name": "1004", "domain_name": "acme.example.net"}}).Conference("3000")
	for _, leg := range []*esltest.Channel{one, alice} {
		k, err := handover.Read(leg.Get(handover.Variable))
		r.must(err)
		live := k.LiveCall(k.Encode())
		live.Token++
		next.Orphans([]calls.Call{live}, nil)
		r.until("the call is taken over", func() bool { return next.followsNow(leg.UUID()) })
	}
	alice.PressDigits("*1")
	r.until("the press is taken", func() bool { return r.meter.get("toggle dtmf ok")+r.meter.get("toggle dtmf locked") == 1 })
	if n := r.meter.get("toggle dtmf ok"); n != 0 {
		t.Error("the press was obeyed")
	}
	hears()
}

// TestRoomPressLeftToADeadInstance: nothing is recorded here, and the recording in the
// room belongs to another instance, which has died. That takes no press. So the user is told
// that his is not obeyed.
func TestRoomPressLeftToADeadInstance(t *testing.T) {
	r := newRoom(t)
	r.stop()
	r.serve(Config{Policy: testPolicyOf(pressPolicy(t)), Calls: sharedStore{}})
	theirs := r.sw.Incoming(esltest.Leg{Number: "+447700900555", ToneHz: outside})
	theirs.Set(handover.Variable, handover.Snapshot{Version: handover.Version, Owner: "other", Token: 1, Call: theirs.UUID(), Organisation: "acme",
		First: theirs.UUID(), Anchor: theirs.UUID(), Part: 1, File: toggle.Open}.Encode())
	theirs.Set("tapedeck_call", theirs.UUID())
	r.joins(theirs)
	dave := r.user("1004")
	r.pressCode(dave)
	r.missed(dave)
}

// TestRoomSettings: the setting of each user in the room counts for each outside
// party's call, as long as the user is there.
func TestRoomSettings(t *testing.T) {
	r := newRoom(t)
	one, dave := r.outside("+442079460001"), r.user("1004")
	r.states("on", one, dave)
	r.talk(second)
	bob := r.user("1002") // record: no
	r.states("off", bob)
	if got := one.Get("tapedeck_state"); got == "on" {
		t.Errorf("tapedeck_state is %q with a user in the room who says no", got)
	}
	r.talk(second)
	bob.Hangup("")
	r.settle()
	r.states("on", one, dave)
	r.talk(second)
	carol := r.user("1003")
	r.states("on", one, dave, carol)
	one.Hangup("")
	r.settle()
	r.written(one.Get("tapedeck_file"), "440|2200", "-|-", "440|2200")
	if lines := r.log.Lines(`level=WARN`); len(lines) > 0 {
		t.Errorf("warnings: %s", strings.Join(lines, "\n"))
	}
}

// TestRoomAfterCutLink: who came and went while the watch link was down is known
// again when it is back.
func TestRoomAfterCutLink(t *testing.T) {
	r := newRoom(t)
	one, dave, frank := r.outside("+442079460001"), r.user("1004"), r.user("1005")
	two := r.inbound("+442079460001")
	r.settle()
	r.sw.DropLinks()
	two.Conference("3000")
	frank.LeaveConference()
	r.until("the link is back", func() bool { return r.sw.Links() > 0 })
	r.until("the room is known", func() bool {
		var n int
		r.ctl.ask(context.Background(), func(time.Time) {
			for room := range r.ctl.legs.rooms {
				n = len(rooms{r.ctl}.recordings(room, "acme"))
			}
		})
		return n == 2
	})
	r.settle()
	r.states("on", one, two, dave)
	r.states("off", frank)
	r.pressCode(dave)
	r.states("paused", one, two, dave)
	r.heard(dave, "recorded")
}

// TestRoomAfterRestart: another Tapedeck takes the calls of a room over, and knows
// who is a guest there.
func TestRoomAfterRestart(t *testing.T) {
	r := newRoom(t)
	one, alice, two, dave := r.outside("+442079460001"), r.user("1001"), r.outside("+442079460001"), r.user("1004")
	r.talk(second)
	r.restart(pressPolicy(t), func() {})
	r.states("on", one, two, alice)
	r.talk(second)
	r.pressCode(alice)
	r.states("paused", one, two, alice)
	r.heard(alice, "recorded")
	r.talk(second)
	r.restart(pressPolicy(t), func() {})
	r.states("paused", one, two, alice, dave)
	r.talk(second)
	r.pressCode(dave)
	r.states("on", one, two, alice, dave)
	r.heard(alice, "is-being-recorded") // by this Tapedeck, who does not know what she was told
	for _, leg := range []*esltest.Channel{one, two, alice, dave} {
		leg.Hangup("")
	}
	r.settle()
	r.written(one.Get("tapedeck_file"), "440|440+880+2200", "-|-")
	if files := r.files(); len(files) > 3 {
		t.Errorf("files: %q", files)
	}
}

// TestRoomResumedBeforeRestart: a user has resumed just before Tapedeck was killed. Nobody
// knows whether she was told so: she is told again.
func TestRoomResumedBeforeRestart(t *testing.T) {
	r := newRoom(t)
	one, alice := r.outside("+442079460001"), r.user("1001")
	for _, state := range []string{"paused", "on"} {
		r.pressCode(alice)
		r.states(state, one, alice)
		r.talk(4 * second) // the prompt is over
	}
	r.heard(alice, "")
	r.restart(pressPolicy(t), func() {})
	r.until("alice hears something", func() bool { return len(alice.Hears()) == 1 })
	r.heard(alice, "is-being-recorded")
}

// TestRoomResumedByAnotherIsTold: alice has paused, and dave resumes. Her own call, which
// has no file, says "on" on her leg while FreeSWITCH has not confirmed that yet. When it
// has, she hears it.
func TestRoomResumedByAnotherIsTold(t *testing.T) {
	r := newRoom(t)
	one, alice, dave := r.outside("+442079460001"), r.user("1001"), r.user("1004")
	r.pressCode(alice)
	r.heard(alice, "recorded")
	r.sw.Fail(func(command, args string) (string, bool) {
		if command == "uuid_record" && strings.Contains(args, " unmask ") {
			r.ctl.post(func(now time.Time) { r.ctl.calls[alice.UUID()].announced.send(now) })
		}
		return "", false
	})
	r.pressCode(dave)
	r.states("on", one, alice, dave)
	r.heard(alice, "is-being-recorded")
}

// TestRoomOfTwoOrganisations: a press acts on the user's own organisation. The legs
// are told that the other one records.
func TestRoomOfTwoOrganisations(t *testing.T) {
	r := newRoom(t)
	one, theirs, dave := r.outside("+442079460001"), r.outside("+442079460101"), r.user("1004")
	r.pressCode(dave)
	r.heard(dave, "recorded")
	r.states("on", one, theirs, dave)
	r.talk(second)
	theirs.Hangup("")
	r.settle()
	r.states("paused", one, dave)
	one.Hangup("")
	r.settle()
	r.written(theirs.Get("tapedeck_file"), "440|440+2200")
	r.written(one.Get("tapedeck_file"), "-|-")
}

// TestInternalCallToldOtherwise: who was told "Recorded" in a call of two is told when
// the other one resumes.
func TestInternalCallToldOtherwise(t *testing.T) {
	r := newRoom(t)
	alice := r.from("1001", "1004")
	dave := r.ring(alice, "1004")
	r.answer(dave)
	r.pressCode(alice)
	r.states("paused", alice, dave)
	r.heard(alice, "recorded")
	r.pressCode(dave)
	r.states("on", alice, dave)
	r.heard(alice, "is-being-recorded")
	r.heard(dave, "is-being-recorded")
}

// TestRoomWithAnotherInstance: a press cannot act on a recording that another instance
// follows. So it is refused, and nothing changes.
func TestRoomWithAnotherInstance(t *testing.T) {
	r := newRoom(t)
	r.stop()
	p := pressPolicy(t)
	r.serve(Config{Policy: testPolicyOf(p), Calls: sharedStore{}})
	one, dave := r.outside("+442079460001"), r.user("1004")
	theirs := r.sw.Incoming(esltest.Leg{Number: "+447700900555", ToneHz: outside})
	snapshot := handover.Snapshot{Version: handover.Version, Owner: "other", Token: 1, Call: theirs.UUID(), Organisation: "acme", First: theirs.UUID(),
		Anchor: theirs.UUID(), Part: 1}
	theirs.Set(handover.Variable, snapshot.Encode())
	theirs.Set("tapedeck_state", "on") // its instance says so: it hears the voice of `one`
	r.joins(theirs)
	r.pressCode(dave) // that one has no file
	r.states("paused", one, dave)
	r.pressCode(dave)
	r.states("on", one, dave)
	snapshot.File = toggle.Open
	theirs.Set(handover.Variable, snapshot.Encode())
	r.pressCode(dave)
	r.states("on", one, dave)
	r.heard(dave, "not-permitted")
	if _, err := r.ctl.Toggle(context.Background(), one.UUID(), "dave", "root", toggle.TurnOff); !errors.Is(err, toggle.Elsewhere) {
		t.Errorf("the API answers %v", err)
	}
	if n := r.meter.get("toggle dtmf elsewhere"); n != 1 {
		t.Errorf("%d presses were counted, want 1", n)
	}
	theirs.LeaveConference()
	r.settle()
	r.pressCode(dave)
	r.states("paused", one, dave)
	r.heard(dave, "recorded")
}

// TestRoomLeftUnseen: a user's leg is in the dialplan again before the event has come
// that it has left its room. Its call is recorded again.
func TestRoomLeftUnseen(t *testing.T) {
	w := newProxiedWith(t, pressPolicy(t), Prompts{})
	one := w.inbound("+442079460001")
	one.Conference("3000")
	alice := w.from("1001", "3000")
	alice.Conference("3000")
	w.settle()
	w.proxy.judgeBy(func(kind, _ string) verdict {
		if kind == "event" {
			return stall
		}
		return pass
	})
	alice.LeaveConference()
	w.element(alice, "application/survey")
	w.proxy.release()
	w.settle()
	w.wantState(alice, "on")
	w.wantState(one, "on")
	w.endAll()
}

// memberData is the channel data of a leg that is the n-th member of any room; 0 of none.
type memberData int

func (memberData) Get(string) string { return "" }

func (n memberData) Variable(name string) string {
	if name == "conference_member_id" && n > 0 {
		return strconv.Itoa(int(n))
	}
	return ""
}

// TestByArrival: after a restart, who came first into a room is who came first.
func TestByArrival(t *testing.T) {
	got := byArrival(map[string]survey.Data{"a": memberData(10), "b": memberData(9), "c": memberData(0), "d": memberData(100)})
	if want := []string{"c", "b", "a", "d"}; !slices.Equal(got, want) {
		t.Errorf("the order is %q, want %q", got, want)
	}
}
