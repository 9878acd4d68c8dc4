package call

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"tapedeck/esl/esltest"
)

func (w *walk) fail(format string, args ...any) {
	w.Helper()
	w.Fatalf("%s\n%s", fmt.Sprintf(format, args...), w.story())
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
	// A start that crosses the hangup counts as a missing recording:
	// the user who said no has left, and the caller is about to.
	crossed := len(w.log.Lines(`problem="[not started]" fact="hung up"`))
	strangers := w.log.Lines("answered by nobody") // 1005 is not in the policy
	for _, line := range strangers {
		if !strings.Contains(line, "dialed_user=1005@") {
			w.fail("a user is not known: %s", line)
		}
	}
	if n := len(w.log.Lines("level=WARN")) + len(w.log.Lines("level=ERROR")); n != crossed+len(strangers) {
		w.fail("%d warnings", n)
	}
	w.noStrangeFiles()
}

// noLegsLeft checks that the Controller has forgotten the legs.
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
		if !slices.ContainsFunc(w.calls, func(c *modelCall) bool { return c.file == file }) {
			w.fail("%s is no call's file", file)
		}
	}
}

// compare listens to a call's file. The file ends with its call, so the stretches
// are counted from its end. A stretch before the file's beginning was not recorded.
func (w *walk) compare(i int, c *modelCall) {
	w.Helper()
	var total time.Duration
	for _, s := range c.stretches {
		total += s.length
	}
	if _, err := os.Stat(c.file); err != nil {
		for _, s := range c.stretches {
			if s.mustBeHeard {
				w.fail("call %d: no file, and %v were to be heard after\n\t%s", i, s.length, s.what)
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
		at += s.length
	}
}

func (w *walk) compareStretch(which string, heard []esltest.Heard, at time.Duration, s stretch) {
	w.Helper()
	if at < 0 {
		if s.mustBeHeard {
			w.fail("%s: is before the file; %d and %d were to be heard after\n\t%s", which, s.own, s.peer, s.what)
		}
		return
	}
	for from := at; from < at+s.length; from += 200 * time.Millisecond {
		own, peer := toneAt(heard, from)
		switch spoken := own != 0 || peer != 0; {
		case spoken && !s.mayBeHeard:
			w.fail("%s: at %v %d and %d are heard, and the call is off after\n\t%s", which, from, own, peer, s.what)
		case spoken && (own != s.own || peer != s.peer), s.mustBeHeard && !spoken && s.own+s.peer != 0:
			w.fail("%s: at %v %d and %d are heard, not %d and %d, after\n\t%s", which, from, own, peer, s.own, s.peer, s.what)
		}
	}
}

// toneAt is the tone in each of the two channels at a time; 0 is silence, -1 is more
// than one tone.
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
