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
	"tapedeck/internal/testkit"
)

// TestRandomRooms lets outside parties and users come into two conference rooms, press
// and leave at random. What each leg is told is true (esltest.CheckTold). A failing walk
// names its seed; TAPEDECK_WALK_SEED plays that seed again, TAPEDECK_WALKS says how many
// to play.
func TestRandomRooms(t *testing.T) {
	walks, first := 40, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("TAPEDECK_WALKS")); err == nil {
		walks, first = n, uint64(time.Now().UnixNano())
	}
	if seed, err := strconv.ParseUint(os.Getenv("TAPEDECK_WALK_SEED"), 10, 64); err == nil {
		walks, first = 1, seed
	}
	if testing.Short() {
		walks = min(walks, 15)
	}
	for i := range walks {
		seed := first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := &roomWalk{conferenceRoom: newRoom(t), rand: rand.New(rand.NewPCG(seed, 7)), seed: seed}
			w.story = func() string { return fmt.Sprintf("seed %d\n\t%s", seed, strings.Join(w.script, "\n\t")) }
			for range 10 + w.rand.IntN(20) {
				w.step()
				w.settle() // which checks what the legs are told
				w.noFalseOn()
			}
			for _, leg := range w.legs() {
				leg.Hangup("")
			}
			w.settle()
			w.nothingLeft()
		})
	}
}

// roomWalk is one run.
type roomWalk struct {
	*conferenceRoom
	rand    *rand.Rand
	seed    uint64
	script  []string
	outside []*esltest.Channel
	users   []*esltest.Channel
}

func (w *roomWalk) legs() []*esltest.Channel { return append(slices.Clone(w.outside), w.users...) }

func (w *roomWalk) note(format string, args ...any) {
	w.script = append(w.script, fmt.Sprintf(format, args...))
}

func (w *roomWalk) fail(format string, args ...any) {
	w.Helper()
	w.Fatalf("%s\n%s", fmt.Sprintf(format, args...), w.story())
}

func (w *roomWalk) room() string { return []string{"3000", "3000", "3000", "3001"}[w.rand.IntN(4)] }

func (w *roomWalk) step() {
	w.Helper()
	switch n := w.rand.IntN(20); {
	case n < 3:
		number := fmt.Sprintf("+44207946000%d", 1+w.rand.IntN(5))
		a, room := w.inbound(number), w.room()
		w.note("outside party %d calls %s into %s", len(w.outside), number, room)
		a.Conference(room)
		w.outside = append(w.outside, a)
	case n < 7:
		extension, room := fmt.Sprint(1001+w.rand.IntN(6)), w.room()
		w.note("user %d, %s, comes into %s", len(w.users), extension, room)
		a := w.from(extension, room)
		a.Conference(room)
		w.users = append(w.users, a)
	case n < 8:
		room := w.room()
		w.note("user %d, 1004, is dialled into %s", len(w.users), room)
		a := w.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1004", ToneHz: dave,
			Variables: map[string]string{"user_name": "1004", "domain_name": "acme.example.net"}})
		a.Conference(room)
		w.users = append(w.users, a)
	case n < 12 && len(w.users) > 0:
		i := w.rand.IntN(len(w.users))
		w.note("user %d presses the code", i)
		w.users[i].PressDigits("*1")
	case n < 14 && len(w.users) > 0:
		i, on := w.rand.IntN(len(w.users)), w.rand.IntN(2) == 0
		w.note("user %d presses the Record key, %t", i, on)
		w.users[i].RecordKey(on)
	case n < 15 && len(w.legs()) > 0:
		i, room := w.rand.IntN(len(w.legs())), w.room()
		w.note("leg %d goes to %s", i, room)
		w.legs()[i].LeaveConference()
		w.legs()[i].Conference(room)
	case n < 17 && len(w.legs()) > 1:
		i := w.rand.IntN(len(w.legs()))
		w.note("leg %d hangs up", i)
		leg := w.legs()[i]
		leg.Hangup("")
		gone := func(c *esltest.Channel) bool { return c == leg }
		w.outside, w.users = slices.DeleteFunc(w.outside, gone), slices.DeleteFunc(w.users, gone)
	case n < 18 && w.rand.IntN(3) == 0:
		w.note("the link is cut")
		w.sw.DropLinks()
		w.until("the link is back", func() bool { return w.sw.Links() > 0 })
	default:
		w.note("talk")
		w.talk(time.Second)
	}
}

// noFalseOn checks that no leg is told that its voice is written when it is not.
func (w *roomWalk) noFalseOn() {
	w.Helper()
	for i, leg := range w.legs() {
		silent := len(recordedInto(leg)) == 0
		if silent && !testkit.Happens(time.Second, func() bool { return leg.Get("tapedeck_state") != "on" }) {
			w.fail("tapedeck_state of leg %d is \"on\", and its voice is written nowhere", i)
		}
	}
}

// nothingLeft checks that the Controller has forgotten everything.
func (w *roomWalk) nothingLeft() {
	w.Helper()
	left := -1
	w.ctl.ask(w.Context(), func(time.Time) { left = len(w.ctl.legs.rooms) + len(w.ctl.calls) })
	if left != 0 {
		w.fail("%d rooms or calls are still known", left)
	}
	if n := len(w.log.Lines("level=ERROR")); n > 0 {
		w.fail("%d errors", n)
	}
}
