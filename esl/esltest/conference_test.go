package esltest_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// TestConference: everybody in a room hears all the others, and its events say who
// comes and goes.
func TestConference(t *testing.T) {
	sw, l := newSwitch(t)
	var legs []*esltest.Channel
	for i, hz := range []int{440, 880, 1320} {
		legs = append(legs, sw.Incoming(esltest.Leg{Number: fmt.Sprint(100 + i), Destination: "3000", ToneHz: hz}))
	}
	file := filepath.Join(t.TempDir(), "one.wav")
	legs[0].Conference("3000")
	l.ask("api uuid_record " + legs[0].UUID() + " start " + file + " 0 {RECORD_STEREO=true}")
	talk(sw, 500)
	legs[1].Conference("3000")
	legs[2].Conference("3000")
	talk(sw, 500)
	if legs[1].Get("conference_call_key") == "" || legs[1].Get("conference_uuid") != legs[0].Get("conference_uuid") {
		t.Error("the legs in the room do not say so")
	}
	legs[1].LeaveConference()
	if legs[1].Get("conference_call_key") != "" || legs[1].Get("conference_uuid") == "" {
		t.Error("the leg that has left still says that it is in the room, or not in which it was")
	}
	talk(sw, 500)
	legs[2].Hangup("")
	legs[0].Hangup("")
	heard, err := esltest.Listen(file, 100*time.Millisecond, 440, 880, 1320)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range heard {
		got = append(got, h.String())
	}
	if want := "0s-500ms 440|-; 500ms-1s 440|880+1320; 1s-1.5s 440|1320"; strings.Join(got, "; ") != want {
		t.Errorf("heard\n%s\nwant\n%s", strings.Join(got, "; "), want)
	}
	got = nil
	for _, e := range l.drain() {
		if e.get("Event-Subclass") != "conference::maintenance" {
			continue
		}
		who := slices.IndexFunc(legs, func(c *esltest.Channel) bool { return c.UUID() == e.get("Unique-ID") })
		got = append(got, fmt.Sprintf("%s %d", e.get("Action"), who))
		if e.get("Conference-Unique-ID") != legs[0].Get("conference_uuid") || e.get("variable_uuid") != "" {
			t.Errorf("the event names another room, or has variables: %v", e)
		}
	}
	want := []string{"conference-create -1", "add-member 0", "add-member 1", "add-member 2", "del-member 1", "del-member 2", "del-member 0", "conference-destroy -1"}
	if !slices.Equal(got, want) {
		t.Errorf("events\n%v\nwant\n%v", got, want)
	}
}
