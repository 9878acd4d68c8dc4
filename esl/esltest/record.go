package esltest

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
)

const frame = 20 * time.Millisecond // one RTP packet

// recording is one `session_record` media bug of a channel. The audio up to now is
// added to its tape whenever what is heard changes, and when a block of the file is
// due; no clock runs in between.
type recording struct {
	channel *Channel
	path    string
	tape    *tape
	order   int // among the channel's bugs
	masked  bool
	start   time.Time // without the time in which nothing was written
	frames  int
	blocks  int // the block of the file that is due next
	min     int // RECORD_MIN_SEC
	vars    []header
	limit   *alarm
	grow    *alarm
}

var errNoMedia = errors.New("no media on the channel")

// record starts a recording of the channel (switch_ivr_async.c,
// switch_ivr_record_session_event). An unanswered channel is pre-answered first. If
// the channel is already recorded to that path, nothing changes. On a channel whose
// variable rtp_use_codec_channels is 2 both parties are in both channels of the file.
func (c *Channel) record(path string, limit time.Duration, vars []header) error {
	if !c.preAnswer() {
		return errNoMedia
	}
	if c.recordingAt(path) != nil {
		return nil
	}
	r := &recording{channel: c, path: path, start: c.sw.now(), order: c.nextBug(), vars: vars}
	r.tape = &tape{path: path, width: 1, limit: c.sw.space}
	if value, ok := r.setting("RECORD_STEREO"); ok && isTrue(value) {
		r.tape.width = 2
	}
	if value, _ := c.vars.get("rtp_use_codec_channels"); value == "2" { // what was asked for does not count
		r.tape.width, r.tape.mixed = 2, true
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
	c.fire("RECORD_START", r.headers()...)
	c.executeOn("execute_on_record_start")
	c.apiOn("api_on_record_start")
	if limit > 0 {
		r.limit = c.sw.after(limit, r.stop)
	}
	r.expectBlock()
	return nil
}

// expectBlock arranges that the file grows when its next block is due.
func (r *recording) expectBlock() {
	for r.blocks == 0 || r.tape.framesToBlock(r.blocks) <= r.frames {
		r.blocks++
	}
	due := r.start.Add(time.Duration(r.tape.framesToBlock(r.blocks)) * frame)
	r.grow = r.channel.sw.after(due.Sub(r.channel.sw.now()), func() {
		r.settle()
		r.expectBlock()
	})
}

// setting returns a variable of the recording or, if it has none, of the channel.
func (r *recording) setting(name string) (string, bool) {
	for _, v := range r.vars {
		if strings.EqualFold(v.name, name) {
			return v.value, true
		}
	}
	return r.channel.vars.get(name)
}

// headers are those of RECORD_START and RECORD_STOP that are about the recording.
func (r *recording) headers() []header {
	list := []header{{"Record-File-Path", r.path}}
	for _, v := range r.vars {
		list = append(list, header{"Recording-Variable-" + v.name, v.value})
	}
	return list
}

// settle adds the audio up to now to every recording that hears the channel. It is
// called before that audio changes.
func (c *Channel) settle() {
	for _, r := range c.recordings {
		r.settle()
	}
	if c.partner != nil {
		for _, r := range c.partner.recordings {
			r.settle()
		}
	}
	if c.room != nil {
		c.room.settle()
	}
}

// settle adds the frames since the last settle to the tape: what was heard has not
// changed since. If a block cannot be written, the recording goes on without it.
func (r *recording) settle() {
	now := r.channel.sw.now()
	due := int(now.Sub(r.start) / frame)
	if due <= r.frames {
		return
	}
	if r.channel.queued { // nothing is written
		r.start = r.start.Add(time.Duration(due-r.frames) * frame)
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

// voices are the tones of the leg itself and of the parties that it hears, 0 for
// silence.
func (r *recording) voices() (own int, heard []int) {
	c := r.channel
	switch {
	case r.masked:
		return 0, []int{0}
	case c.room != nil:
		return c.voice(), c.room.heardBy(c)
	case c.partner != nil:
		return c.voice(), []int{c.partner.voice()}
	}
	return c.voice(), []int{noPackets}
}

// voice is the tone that the party of this leg is heard as at present.
func (c *Channel) voice() int {
	if c.held || (!c.answered && !c.early) {
		return noPackets
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

// maskRecording begins (on) or ends the silence in the file, from the next frame on.
func (c *Channel) maskRecording(path string, on bool) bool {
	r := c.recordingAt(path)
	if r == nil {
		return false
	}
	r.settle()
	r.masked = on
	return true
}

// stopRecording ends the recording to a path, or every recording for `all`. It
// reports whether there was one.
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

// stop ends the recording: it closes the file, deletes it if it is too short or
// empty, and fires RECORD_STOP (switch_ivr_async.c, record_callback,
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
	if size, there := r.tape.sizeOnDisk(); there { // otherwise the size of an earlier recording stays
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
	c.fire("RECORD_STOP", append(r.headers(), header{"Record-Completion-Cause", completion})...)
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
