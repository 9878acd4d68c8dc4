package e2e

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
	"tapedeck/internal/testkit"
)

// How exact the audio is asserted.
const (
	speech     = 1500 * time.Millisecond // how long people talk, unless the scenario needs another time
	packet     = 20 * time.Millisecond   // of sound
	margin     = 250 * time.Millisecond  // at both ends of a period: nothing is asserted there
	lengthSlip = 60 * time.Millisecond   // between a file's length and the time from answer to hangup
	bridgeSlip = 40 * time.Millisecond   // in addition for each bridge after the first: FreeSWITCH drops a packet
	digitSlip  = 20 * time.Millisecond   // in addition for each code pressed: while both sides send digits, FreeSWITCH writes a packet too many
	roomSlip   = 80 * time.Millisecond   // in addition for each code pressed in a conference: FreeSWITCH drops the packets that wait on a leg when an application on it ends (the lamps)
)

// talk is one scenario while it runs. If a step fails, its methods end the scenario.
type talk struct {
	*testing.T
	ctx   context.Context
	suite *suite
	org   lab.Org

	expects []string // codes of the problems that the scenario causes on purpose
}

// period is a period of time.
type period struct{ from, to time.Time }

// do ends the scenario if err is one.
func (t *talk) do(err error) {
	t.Helper()
	must(t.T, err)
}

// inbound lets an outside party call the organisation's k-th number.
func (t *talk) inbound(k int) *lab.Telephone {
	t.Helper()
	return t.inboundVia("public", t.org.Number(k))
}

// inboundVia lets an outside party call a number. context is the dialplan context
// in which the call arrives.
func (t *talk) inboundVia(context, number string) *lab.Telephone {
	t.Helper()
	call, err := t.suite.lab.Phones.CallFromOutside(t.ctx, context, "+44"+t.org.OutsideNumber(0)[1:], number)
	t.do(err)
	return call
}

// dials lets a user dial.
func (t *talk) dials(who lab.Person, number string) *lab.Telephone {
	t.Helper()
	call, err := t.suite.lab.Phones.CallFromUser(t.ctx, t.org, who, number)
	t.do(err)
	return call
}

// rings waits until a user's phone rings.
func (t *talk) rings(who lab.Person) *lab.Telephone {
	t.Helper()
	phone, err := t.suite.lab.Phones.Ringing(t.ctx, t.org.Extension(who), who.Tone())
	t.do(err)
	return phone
}

// outsideRings waits until an outside party's phone rings.
func (t *talk) outsideRings(number string) *lab.Telephone {
	t.Helper()
	phone, err := t.suite.lab.Phones.Ringing(t.ctx, number, lab.Outside)
	t.do(err)
	return phone
}

// pickUp lets a phone answer the call of caller. Before, the caller must have got a
// ringing (180), and no sound from the switch (183).
func (t *talk) pickUp(phone, caller *lab.Telephone) {
	t.Helper()
	t.do(phone.PickUp(t.ctx))
	t.do(caller.Talking(t.ctx))
	if ringing, sound := caller.Rang(); !ringing || sound {
		t.Errorf("before the answer the caller got: 180 ringing %v, 183 with sound %v; want a 180 and no 183", ringing, sound)
	}
}

// speak lets people talk for a while.
func (t *talk) speak(d time.Duration) period {
	t.Helper()
	s := period{from: time.Now()}
	select {
	case <-time.After(d):
	case <-t.ctx.Done():
		t.Fatal(t.ctx.Err())
	}
	s.to = time.Now()
	return s
}

// hangUp ends the call of a phone, and waits until the leg of each of the phones has
// ended on the switch under test.
func (t *talk) hangUp(phone *lab.Telephone, others ...*lab.Telephone) {
	t.Helper()
	all := append([]*lab.Telephone{phone}, others...)
	legs := make([]string, len(all))
	for i, p := range all {
		legs[i] = t.leg(p)
	}
	t.do(phone.HangUp(t.ctx))
	for _, leg := range legs {
		t.hungUp(leg)
	}
}

// leg is the leg of a phone on the switch under test.
func (t *talk) leg(phone *lab.Telephone) string {
	t.Helper()
	uuid, err := t.suite.lab.LegOf(t.ctx, phone)
	t.do(err)
	return uuid
}

// hungUp waits until a leg has ended on the switch under test.
func (t *talk) hungUp(leg string) *esl.Event {
	t.Helper()
	e, err := t.suite.lab.Switch.Wait(t.ctx, "hangup of "+leg, lab.Is("CHANNEL_HANGUP_COMPLETE", leg))
	t.do(err)
	return e
}

// goneAt waits until a leg has ended, and returns when its phone hung up.
// Caller-Channel-Hangup-Time is not that: FreeSWITCH sets it when the leg has left what
// it was in, up to 80 ms later if that was a conference.
func (t *talk) goneAt(leg string) time.Time {
	t.Helper()
	t.hungUp(leg)
	e, err := t.suite.lab.Switch.Wait(t.ctx, "BYE of "+leg, lab.Is("CHANNEL_HANGUP", leg))
	t.do(err)
	return t.moment(e, "Event-Date-Timestamp")
}

// take is one file of a recording, and what FreeSWITCH and the sidecar say about it.
type take struct {
	*talk
	*lab.Sound
	anchor          string    // UUID of the recorded leg
	began           time.Time // the recording
	answered, ended time.Time // the leg
	about           sidecar   // beside the file
}

// recordings waits until the recorded legs have ended and returns the files of the
// organisation's calls, oldest first. It asserts that each has two channels, and
// lasts from the start of the recording to the end of the call.
func (t *talk) recordings() (takes []take) {
	t.Helper()
	files, err := t.suite.tapedeck.Files(t.org)
	t.do(err)
	for _, path := range files {
		if strings.HasSuffix(path, ".wav") && t.stays(path) {
			takes = append(takes, t.listen(path))
		}
	}
	slices.SortFunc(takes, func(a, b take) int { return a.began.Compare(b.began) })
	return takes
}

// stays waits until a file is described or removed, and reports whether it is still
// there. Without Tapedeck it stays as it is.
func (t *talk) stays(path string) (there bool) {
	t.Helper()
	if !t.suite.tapedeck.Runs() {
		return true
	}
	testkit.Within(t, describedIn, "sidecar of "+path, func() bool {
		_, noFile := os.Stat(path)
		_, noSidecar := os.Stat(sidecarPath(path))
		there = noFile == nil
		return !there || noSidecar == nil
	})
	return there
}

func (t *talk) listen(path string) take {
	t.Helper()
	r := t.listenPart(path)
	r.lasts(r.ended.Sub(r.began))
	return r
}

// listenPart is listen for a file that does not last until the hangup.
func (t *talk) listenPart(path string) take {
	t.Helper()
	stop := t.recordEvent("RECORD_STOP", path)
	began := t.moment(t.recordEvent("RECORD_START", path), "Event-Date-Timestamp")
	sound, err := lab.Listen(path)
	t.do(err)
	anchor := stop.Get("Unique-ID")
	answered, ended := t.moment(t.hungUp(anchor), "Caller-Channel-Answered-Time"), t.goneAt(anchor)
	r := take{talk: t, Sound: sound, anchor: anchor, began: began, answered: answered, ended: ended}
	t.Logf("%s; from answer to hangup %.2f s, from the start %.2f s", sound, ended.Sub(answered).Seconds(), ended.Sub(began).Seconds())
	if sound.Channels != 2 {
		t.Errorf("the file has %d channels, want 2", sound.Channels)
	}
	if t.suite.tapedeck.Runs() {
		r.described()
	}
	return r
}

// lasts asserts the file's length and returns the difference.
func (r take) lasts(want time.Duration) time.Duration {
	r.Helper()
	joined := r.suite.lab.Switch.Events(func(e *esl.Event) bool { return bridges(e, r.anchor) })
	codes := r.suite.lab.Switch.Events(func(e *esl.Event) bool {
		return e.Subclass() == "tapedeck::toggle" && (e.Get("Unique-ID") == r.anchor || e.Get("Other-Leg-Unique-ID") == r.anchor)
	})
	d, slip := r.Length-want, lengthSlip+bridgeSlip*time.Duration(max(0, len(joined)-1))+digitSlip*time.Duration(len(codes))
	if len(r.suite.lab.Switch.Events(lab.IsCustom("conference::maintenance", "Unique-ID", r.anchor))) > 0 {
		slip += roomSlip * time.Duration(max(1, len(codes)))
	}
	slip += noise.Between(r.began, r.ended)
	if d.Abs() > slip {
		r.Errorf("the file is %v long, the call was %v: they differ by %v, more than %v", r.Length, want, d, slip)
	}
	return d
}

func (t *talk) recordEvent(name, path string) *esl.Event {
	t.Helper()
	e, err := t.suite.lab.Switch.Wait(t.ctx, name+" of "+path, lab.Records(name, path))
	t.do(err)
	return e
}

// moment reads a time of an event, in microseconds since 1970.
func (t *talk) moment(e *esl.Event, header string) time.Time {
	t.Helper()
	us, err := strconv.ParseInt(e.Get(header), 10, 64)
	if err != nil || us == 0 {
		t.Fatalf("%s of %s is %q", header, e.Name(), e.Get(header))
	}
	return time.UnixMicro(us)
}

// recording is the only recording. It asserts that there are no others.
func (t *talk) recording() take {
	t.Helper()
	takes := t.recordings()
	if len(takes) != 1 {
		t.Fatalf("there are %d recordings, want 1", len(takes))
	}
	return takes[0]
}

// recordingOf is the only recording of one leg. Calls between users are calls of
// their own and may have others.
func (t *talk) recordingOf(leg string) take {
	t.Helper()
	takes := slices.DeleteFunc(t.recordings(), func(r take) bool { return r.anchor != leg })
	if len(takes) != 1 {
		t.Fatalf("there are %d recordings of the leg, want 1", len(takes))
	}
	return takes[0]
}

// noFile asserts that nothing at all was written.
func (t *talk) noFile() {
	t.Helper()
	files, err := t.suite.tapedeck.Files(t.org)
	t.do(err)
	if len(files) > 0 {
		t.Errorf("there are files, want none: %q", files)
	}
}

// onlyLeft waits until so many files of the organisation's calls are left, at the end
// of all calls. A file that nobody wanted is removed, if there is no sound in it.
func (t *talk) onlyLeft(n int) {
	t.Helper()
	var files []string
	left := func() (ok bool) {
		var err error
		files, err = t.suite.tapedeck.Files(t.org)
		t.do(err)
		return len(files) == n
	}
	if !testkit.Happens(10*time.Second, left) {
		t.Errorf("there are files %q, want %d", files, n)
	}
}

// nobody is heard.
var nobody = lab.Heard(nil)

func only(who ...lab.Tone) lab.Heard { return who }

// heard asserts who is heard during a period: own in channel 1, which has the voice
// of the recorded leg, and hears in channel 2, which has what that leg hears. If that
// is nobody, the file may begin later or end earlier.
func (r take) heard(s period, own, hears lab.Heard) {
	r.Helper()
	from, to := max(0, s.from.Sub(r.began)+margin), s.to.Sub(r.began)-margin
	steps := 0
	r.Between(from, to, func(at time.Duration, channels []lab.Heard) {
		steps++
		if len(channels) != 2 || !slices.Equal(channels[0], own) || !slices.Equal(channels[1], hears) {
			r.Errorf("at %.1f s %v is heard, want %s and %s; whole file: %s", at.Seconds(), channels, own, hears, r.Sound)
		}
	})
	if want := int((to-from)/lab.Step) - 1; steps < want && len(own)+len(hears) > 0 {
		r.Errorf("%d steps of sound from %v to %v, want %d; whole file: %s", steps, from, to, want, r.Sound)
	}
}

// heardFromStart asserts that the file begins with the answer, and that both parties
// are heard from the second step on: nothing is missing.
func (r take) heardFromStart(own, hears lab.Heard) {
	r.Helper()
	silent := r.silentAtStart()
	r.Logf("silent for %v at the start", silent)
	r.suite.measured(r.lasts(r.ended.Sub(r.answered)), silent)
	r.heard(period{from: r.began.Add(lab.Step - margin), to: r.began.Add(4*lab.Step + margin)}, own, hears)
}

// heardFromFirstPacket is heardFromStart, and asserts that at most one packet is silent
// at the start: whoever may answer may be recorded.
func (r take) heardFromFirstPacket(own, hears lab.Heard) {
	r.Helper()
	r.heardFromStart(own, hears)
	if silent, limit := r.silentAtStart(), packet+noise.Between(r.began, r.began.Add(time.Second)); silent > limit {
		r.Errorf("the file is silent for %v at the start, want %v at most; whole file: %s", silent, limit, r.Sound)
	}
	if first := r.about.Spans[0]; first.State != "recording" {
		r.Errorf("the sidecar begins with %+v", first)
	}
}

// silentAtStart is how long the file is silent at its start.
func (r take) silentAtStart() time.Duration {
	if found := r.Silences(0); len(found) > 0 && found[0][0] == 0 {
		return found[0][1]
	}
	return 0
}

// never asserts that nobody of these is heard anywhere in the file.
func (r take) never(who ...lab.Tone) {
	r.Helper()
	for _, w := range who {
		if d := r.Speaks(w); d > 0 {
			r.Errorf("%s is heard for %v, want never; whole file: %s", w, d, r.Sound)
		}
	}
}
