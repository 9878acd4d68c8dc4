package esltest

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
)

const frame = 20 * time.Millisecond // one RTP packet

// recording is one `session_record` bug of a channel. What is heard is put on
// its tape up to now whenever that changes, and when a block of the file is due,
// so no clock ticks.
type recording struct {
	channel *Channel
	path    string
	tape    *tape
	order   int // among the channel's bugs
	masked  bool
	start   time.Time
	frames  int
	blocks  int // of the file that are due already
	min     int // RECORD_MIN_SEC
	vars    []header
	limit   *alarm
	grow    *alarm
}

var errNoMedia = errors.New("no media on the channel")

// record starts a recording of the channel (switch_ivr_async.c,
// switch_ivr_record_session_event). An unanswered channel is pre-answered
// first. A path that the channel is recorded to already changes nothing.
func (c *Channel) record(path string, limit time.Duration, vars []header) error {
	if !c.preAnswer() {
		return errNoMedia
	}
	if c.recordingAt(path) != nil {
		return nil
	}
	r := &recording{channel: c, path: path, start: c.sw.now(), order: c.nextBug(), vars: vars}
	r.tape = &tape{path: path, width: 1, limit: c.sw.room}
	if value, ok := r.setting("RECORD_STEREO"); ok && isTrue(value) {
		r.tape.width = 2
	}
	if value, ok := r.setting("RECORD_MIN_SEC"); ok {
		r.min = max(0, atoi(value))
	}
	if err := r.tape.open(); err != nil {
		c.vars.set("record_completion_cause", "uri-failure")
		c.sw.log.Error("esltest: record: cannot open the file", "path", path, "error", err)
		return err
	}
	c.recordings = append(c.recordings, r)
	c.fire("RECORD_START", r.told()...)
	c.executeOn("execute_on_record_start")
	c.apiOn("api_on_record_start")
	if limit > 0 {
		r.limit = c.sw.after(limit, r.stop)
	}
	r.expectBlock()
	return nil
}

// expectBlock lets the file grow when its next block is due.
func (r *recording) expectBlock() {
	r.blocks++
	due := r.start.Add(time.Duration(r.tape.framesToBlock(r.blocks)) * frame)
	r.grow = r.channel.sw.after(due.Sub(r.channel.sw.now()), func() {
		r.settle()
		r.expectBlock()
	})
}

// setting is a recording's own variable, else the channel's.
func (r *recording) setting(name string) (string, bool) {
	for _, v := range r.vars {
		if strings.EqualFold(v.name, name) {
			return v.value, true
		}
	}
	return r.channel.vars.get(name)
}

// told is what RECORD_START and RECORD_STOP say of the recording.
func (r *recording) told() []header {
	told := []header{{"Record-File-Path", r.path}}
	for _, v := range r.vars {
		told = append(told, header{"Recording-Variable-" + v.name, v.value})
	}
	return told
}

// settle writes what was heard on the channel until now, before that changes.
func (c *Channel) settle() {
	for _, r := range c.recordings {
		r.settle()
	}
	if c.partner != nil {
		for _, r := range c.partner.recordings {
			r.settle()
		}
	}
}

// settle puts the missing frames on the tape, as things have been since the last
// one. When a block cannot be written, the recording goes on without it.
func (r *recording) settle() {
	now := r.channel.sw.now()
	due := int(now.Sub(r.start) / frame)
	if due <= r.frames {
		return
	}
	first := int(r.start.Sub(r.channel.sw.clock.epoch).Microseconds()*rate/1e6) + r.frames*frameSamples
	own, heard := r.voices()
	err := r.tape.add(own, heard, first, (due-r.frames)*frameSamples)
	if sw := r.channel.sw; err == nil && sw.clock.manual && !sw.options.Blocks {
		err = r.tape.flush()
	}
	r.frames = due
	if err != nil {
		r.channel.sw.log.Error("esltest: record: cannot write", "path", r.path, "error", err)
	}
}

// voices are the tones, 0 for silence, of the leg itself and of whom it hears.
func (r *recording) voices() (own, heard int) {
	if r.masked {
		return 0, 0
	}
	own, heard = r.channel.voice(), nothing
	if r.channel.partner != nil {
		heard = r.channel.partner.voice()
	}
	return own, heard
}

// voice is the tone that the party of this leg is heard as now.
func (c *Channel) voice() int {
	if c.held || (!c.answered && !c.early) {
		return nothing
	}
	return c.tone
}

func (c *Channel) recordingAt(path string) *recording {
	for _, r := range c.recordings {
		if r.path == path {
			return r
		}
	}
	return nil
}

// maskRecording begins (on) or ends silence in the file, from the next frame.
func (c *Channel) maskRecording(path string, on bool) bool {
	r := c.recordingAt(path)
	if r == nil {
		return false
	}
	r.settle()
	r.masked = on
	return true
}

// stopRecording ends one recording, or `all`.
func (c *Channel) stopRecording(path string) bool {
	if strings.EqualFold(path, "all") {
		found := len(c.recordings) > 0
		for len(c.displaced) > 0 {
			c.stopDisplacing(c.displaced[0].path)
		}
		for len(c.recordings) > 0 {
			c.recordings[0].stop()
		}
		return found
	}
	r := c.recordingAt(path)
	if r != nil {
		r.stop()
	}
	return r != nil
}

// stop ends the recording: the file is closed, or deleted when it is too short
// or empty, then RECORD_STOP tells (switch_ivr_async.c, record_callback,
// SWITCH_ABC_TYPE_CLOSE).
func (r *recording) stop() {
	c := r.channel
	r.settle()
	for i, other := range c.recordings {
		if other == r {
			c.recordings = append(c.recordings[:i:i], c.recordings[i+1:]...)
		}
	}
	c.sw.cancel(r.limit)
	c.sw.cancel(r.grow)
	r.finish()
	if size, there := r.tape.listed(); there { // else an earlier recording's stays
		c.vars.set("record_file_size", strconv.FormatInt(size, 10))
	}
	samples := r.frames * frameSamples
	completion := r.completion(samples)
	if completion == "empty-file" || completion == "input-too-short" {
		c.vars.set("RECORD_DISCARDED", "true")
		os.Remove(r.path)
	}
	c.vars.set("record_samples", strconv.Itoa(samples))
	c.vars.set("record_seconds", strconv.Itoa(samples/rate))
	c.vars.set("record_ms", strconv.Itoa(samples/(rate/1000)))
	c.vars.set("record_completion_cause", completion)
	c.fire("RECORD_STOP", append(r.told(), header{"Record-Completion-Cause", completion})...)
	c.executeOn("execute_on_record_stop")
	c.apiOn("api_on_record_stop")
}

func (r *recording) completion(samples int) string {
	switch {
	case r.tape.failed != nil:
		return "uri-failure"
	case samples == 0:
		return "empty-file"
	case samples < r.min*rate:
		return "input-too-short"
	case r.channel.down:
		return "success-silence"
	}
	return "success-maxtime"
}

// finish completes the file.
func (r *recording) finish() {
	if err := r.tape.finish(); err != nil {
		r.channel.sw.log.Error("esltest: record: cannot close", "path", r.path, "error", err)
	}
}
