package call

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

func testPolicyOf(p *flow.Policy) func() *flow.Policy { return func() *flow.Policy { return p } }

// trouble is a way in which uuid_record can fail.
type trouble struct {
	name    string
	reply   string  // the error reply of FreeSWITCH, which did nothing; or
	kind    string  // "command" or "reply": the message that the proxy
	verdict verdict // treats like this
	ends    string  // the actions for which this reply means that there is no recording; Tapedeck believes it
}

// troubles are the error replies in mod_commands.c (session_record_function), a
// FreeSWITCH that hangs, and a link that is cut before or after the command was
// carried out.
var troubles = []trouble{
	{name: "cannot record", reply: "-ERR Cannot record session!\n"},
	{name: "cannot mask", reply: "-ERR Cannot mask recording session!\n"},
	{name: "cannot unmask", reply: "-ERR Cannot unmask recording session!\n"},
	{name: "cannot stop", reply: "-ERR Cannot stop record session!\n", ends: "stop"},
	{name: "no session", reply: "-ERR Cannot locate session!\n", ends: "start unmask mask stop"},
	{name: "usage", reply: "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"},
	{name: "no reply", reply: "-ERR no reply\n"},
	{name: "not found", reply: "-ERR uuid_record Command not found!\n"},
	{name: "stuck before it", kind: "command", verdict: stall},
	{name: "stuck after it", kind: "reply", verdict: stall},
	{name: "cut before it", kind: "command", verdict: cut},
	{name: "cut after it", kind: "reply", verdict: cut},
}

// actionSetups bring a call to the point where one action of uuid_record is due:
// dave's phone is talking, or bob's, who says no.
var actionSetups = []struct {
	action string
	play   func(*proxied) (anchor *esltest.Channel)
}{
	{"start", func(w *proxied) *esltest.Channel {
		a := w.inbound("+442079460004")
		w.ring(a, "1003").Answer()
		return a
	}},
	{"unmask", func(w *proxied) *esltest.Channel {
		a := w.inbound("+442079460001")
		w.ring(a, "1004").Answer()
		return a
	}},
	{"mask", func(w *proxied) *esltest.Channel {
		a := w.inbound("+442079460001")
		d := w.ring(a, "1004")
		w.answer(d)
		w.talk(second)
		a = d.BlindTransfer("1002")
		w.enter(a)
		w.ring(a, "1002").Answer()
		return a
	}},
	{"stop", func(w *proxied) *esltest.Channel {
		a := w.inbound("+442079460001")
		d := w.ring(a, "1004")
		w.answer(d)
		w.talk(second)
		w.sw.FailNext("uuid_record", "-ERR Cannot do that!\n") // the mask
		a = d.BlindTransfer("1002")
		w.enter(a)
		w.ring(a, "1002").Answer()
		return a
	}},
}

// TestRecordTroubles: whatever happens to a command, the call goes on, each failure
// is one line in the log, and tapedeck_state is true.
func TestRecordTroubles(t *testing.T) {
	for _, scene := range actionSetups {
		for _, tr := range troubles {
			t.Run(scene.action+"/"+tr.name, func(t *testing.T) {
				t.Parallel()
				w := newProxied(t)
				w.hurry()
				failed := tr.at(w, scene.action)
				a := scene.play(w)
				w.afterTrouble(a, tr, scene.action, failed)
			})
		}
	}
}

// at makes the first uuid_record with this action fail. The counter counts the
// attempts.
func (tr trouble) at(w *proxied, action string) *atomic.Int32 {
	var count atomic.Int32
	hit := func(text string) bool {
		return strings.Contains(text, " "+action+" ") && count.Add(1) == 1
	}
	if tr.reply != "" {
		w.sw.Fail(func(command, args string) (string, bool) {
			return tr.reply, command == "uuid_record" && hit(" "+args)
		})
		return &count
	}
	w.proxy.judgeBy(func(kind, about string) verdict {
		if kind == tr.kind && strings.HasPrefix(about, "api uuid_record ") && hit(about) {
			return tr.verdict
		}
		return pass
	})
	return &count
}

func (w *proxied) afterTrouble(a *esltest.Channel, tr trouble, action string, failed *atomic.Int32) {
	w.Helper()
	w.waitFor("the failure", func(*Controller) bool { return failed.Load() > 0 && len(w.log.Lines("recording command failed")) > 0 })
	switch tr.verdict {
	case stall:
		w.proxy.release()
	case cut:
		w.reconnected()
	}
	w.settle()
	state, before := a.Get("tapedeck_state"), w.fileSeconds()
	w.talk(2 * second)
	if len(w.sw.Channels()) < 2 {
		w.Error("the call did not go on")
	}
	believed := strings.Contains(tr.ends, action)
	if !believed {
		w.checkStateIsWritten(a, state, before)
	}
	if n := len(w.log.Lines("recording command failed")); n != w.failures() {
		w.Errorf("%d lines for %d failures", n, w.failures())
	}
	file := len(w.files()) > 0
	w.endAll()
	if !believed {
		w.checkCounted(file)
	}
}

// failures is the number of recording commands that failed.
func (w *proxied) failures() int {
	n := 0
	for _, command := range []toggle.Command{toggle.Arm, toggle.ArmMasked, toggle.Disarm, toggle.Start, toggle.Mask, toggle.Unmask, toggle.Stop} {
		for _, result := range []string{"refused", "missing", "unanswered", "unsent"} {
			n += w.meter.get(command.String() + " " + result)
		}
	}
	return n
}

// fileSeconds is the length of the call's only file in seconds; 0 without a file.
func (w *proxied) fileSeconds() int {
	w.Helper()
	files := w.files()
	if len(files) == 0 {
		return 0
	}
	long, err := esltest.Length(files[0])
	w.must(err)
	return int(long / second)
}

// checkStateIsWritten compares tapedeck_state with what was written in the last two
// seconds.
func (w *proxied) checkStateIsWritten(a *esltest.Channel, state string, before int) {
	w.Helper()
	speech := false
	if files := w.files(); len(files) > 0 {
		heard, err := esltest.Listen(files[0], second, tones...)
		w.must(err)
		for _, h := range heard {
			speech = speech || int(h.To/second) > before && len(h.Tones()) > 0
		}
	}
	if speech != (state == "on") {
		w.Errorf("tapedeck_state is %q; speech is written: %t (%s)", state, speech, w.writtenTones())
	}
	status := ""
	w.ctl.ask(w.Context(), func(now time.Time) {
		for _, c := range w.ctl.calls {
			if c.route.anchor == a.UUID() {
				status = string(c.rec.Status())
			}
		}
	})
	if status != "" && status != state {
		w.Errorf("the controller says %q, the channel %q", status, state)
	}
}

// checkCounted checks that the end of the call is counted once, and as complete only
// for a further file.
func (w *proxied) checkCounted(file bool) {
	w.Helper()
	missing, complete, problem := w.meter.get("missing"), w.meter.get("recording complete"), w.meter.get("recording problem")
	if complete > len(w.log.Lines("begins again in a further file")) || missing+problem != 1 || file && missing != 0 {
		w.Errorf("file %t: counted %d missing, %d complete, %d with a problem", file, missing, complete, problem)
	}
}

// TestArmedTroubles: what the answer runs fails silently, or its event is lost.
func TestArmedTroubles(t *testing.T) {
	fails := func(apps ...string) func(*proxied) {
		return func(w *proxied) {
			w.sw.Fail(func(command, args string) (string, bool) {
				for _, app := range apps {
					if command == app || strings.HasPrefix(command+" "+args, app) {
						return "-ERR Cannot record session!\n", true
					}
				}
				return "", false
			})
		}
	}
	loseEvents := func(names ...string) func(*proxied) {
		return func(w *proxied) {
			w.proxy.judgeBy(func(kind, about string) verdict {
				for _, name := range names {
					if kind == "event" && strings.Contains(about, name) {
						return lose
					}
				}
				return pass
			})
		}
	}
	const forced, wanted = "+442079460005", "+442079460001"
	for _, tc := range []struct {
		name, number, phone string
		trouble             func(*proxied)
		state               string
		warnings            int
		counted             string
	}{
		{"armed, the start fails", forced, "1002", fails("app/record_session"), "on", 1, "recording problem"},
		{"armed, every start fails", forced, "1002", fails("app/record_session", "uuid_record"), "off", 2, "missing"},
		{"armed, every start of one who wants none fails", wanted, "1002", fails("app/record_session", "uuid_record"), "off", 0, ""},
		{"armed masked, the start fails", wanted, "1004", fails("app/record_session"), "on", 1, "recording problem"},
		{"armed masked, the mask fails", wanted, "1004", fails("app/record_session_mask"), "on", 0, "recording complete"},
		{"armed masked, the mask fails, the user says no", wanted, "1002", fails("app/record_session_mask"), "off", 0, "recording complete"},
		{"armed masked, the last event is lost", wanted, "1004", loseEvents("tapedeck::armed"), "on", 0, "recording complete"},
		{"armed masked, the last event is lost, the user says no", wanted, "1002", loseEvents("tapedeck::armed"), "off", 0, "recording complete"},
		{"armed, RECORD_START is lost", forced, "1002", loseEvents("RECORD_START"), "on", 1, "recording problem"},
		{"armed masked, RECORD_START is lost", wanted, "1004", loseEvents("RECORD_START"), "on", 1, "recording problem"},
		{"armed, RECORD_STOP is lost", forced, "1002", loseEvents("RECORD_STOP"), "on", 1, "recording problem"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newProxied(t)
			tc.trouble(w)
			a := w.inbound(tc.number)
			w.ring(a, tc.phone).Answer()
			w.waitFor("an end of the start", func(ctl *Controller) bool {
				c := ctl.calls[a.UUID()]
				return c != nil && c.rec.Answered && c.rec.Pending == 0 && !c.timers.overdue.running() && c.route.peer != ""
			})
			w.settle()
			state, before := a.Get("tapedeck_state"), w.fileSeconds()
			w.talk(2 * second)
			if state != tc.state {
				t.Errorf("tapedeck_state is %q, want %q", state, tc.state)
			}
			w.checkStateIsWritten(a, state, before)
			w.endAll()
			if n := len(w.log.Lines("level=WARN")); n != tc.warnings {
				t.Errorf("%d warnings, want %d", n, tc.warnings)
			}
			if tc.counted != "" && w.meter.get(tc.counted) != 1 {
				t.Errorf("not counted as %s", tc.counted)
			}
		})
	}
}

// TestMaskedStartUnheard: the answer starts the file masked, and RECORD_START is lost. Until
// the file is started again, and unmasked, its spans do not call it a recording (fault seed
// 92).
func TestMaskedStartUnheard(t *testing.T) {
	w := newProxied(t)
	w.proxy.judgeBy(func(kind, about string) verdict {
		if kind == "event" && strings.Contains(about, "RECORD_START") {
			return lose
		}
		return pass
	})
	a := w.inbound("+442079460001")
	w.ring(a, "1004").Answer()
	w.talk(5 * second)
	var c *call
	w.waitFor("the second start", func(ctl *Controller) bool {
		c = ctl.calls[a.UUID()]
		return c != nil && c.rec.File == toggle.Recording && c.rec.Pending == toggle.None
	})
	w.talk(second)
	w.endAll()
	var spans []recording.Span
	w.ctl.ask(t.Context(), func(now time.Time) { spans = c.files.Last().Spans(now) })
	if len(spans) != 2 || spans[0].State != recording.StateWaiting || spans[1].State != recording.StateRecording || spans[1].SlackMS != spans[1].FromMS {
		t.Errorf("the file's spans are %+v", spans)
	}
}
