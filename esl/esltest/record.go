package esltest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	rate         = 8000
	frame        = 20 * time.Millisecond // one RTP packet
	frameSamples = rate / 50
)

// recording is one `session_record` bug of a channel. Its file is written up
// to now whenever something changes what is heard, so no clock ticks.
type recording struct {
	channel *Channel
	path    string
	file    *os.File
	buf     *bufio.Writer
	stereo  bool
	masked  bool
	start   time.Time
	frames  int
	min     int // RECORD_MIN_SEC
	vars    []header
	limit   *alarm
	err     error // of writing the file
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
	r := &recording{channel: c, path: path, start: c.sw.now(), vars: vars}
	if value, ok := r.setting("RECORD_STEREO"); ok {
		r.stereo = isTrue(value)
	}
	if value, ok := r.setting("RECORD_MIN_SEC"); ok {
		r.min = max(0, atoi(value))
	}
	if err := r.open(); err != nil {
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
	return nil
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

// open creates the file; directories are created. Only absolute paths that end
// in .wav have a format here.
func (r *recording) open() error {
	if !filepath.IsAbs(r.path) || filepath.Ext(r.path) != ".wav" {
		return fmt.Errorf("no file format for %s", r.path)
	}
	if err := os.MkdirAll(filepath.Dir(r.path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(r.path)
	if err != nil {
		return err
	}
	if _, err := file.Write(r.wavHeader()); err != nil {
		file.Close()
		return err
	}
	r.file, r.buf = file, bufio.NewWriterSize(file, 1<<16)
	return nil
}

func (r *recording) width() int {
	if r.stereo {
		return 2
	}
	return 1
}

// wavHeader is the 44 bytes before the samples.
func (r *recording) wavHeader() []byte {
	size := uint32(r.frames * frameSamples * 2 * r.width())
	block := uint16(2 * r.width())
	b := append(make([]byte, 0, 44), "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, size+36)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1) // PCM
	b = binary.LittleEndian.AppendUint16(b, uint16(r.width()))
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*uint32(block))
	b = binary.LittleEndian.AppendUint16(b, block)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	return binary.LittleEndian.AppendUint32(b, size)
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

// settle writes the missing frames, as things have been since the last one,
// and brings the file's header up to them.
func (r *recording) settle() {
	now := r.channel.sw.now()
	due := int(now.Sub(r.start) / frame)
	if due <= r.frames || r.err != nil {
		return
	}
	first := int(r.start.Sub(r.channel.sw.clock.epoch).Microseconds()*rate/1e6) + r.frames*frameSamples
	own, heard := r.voices()
	r.frames, r.err = due, r.write(own, heard, first, (due-r.frames)*frameSamples)
	if r.err == nil {
		r.err = r.buf.Flush()
	}
	if r.err == nil {
		_, r.err = r.file.WriteAt(r.wavHeader(), 0)
	}
	if r.err != nil {
		r.channel.sw.log.Error("esltest: record: cannot write", "path", r.path, "error", r.err)
	}
}

// voices are the tones, 0 for silence, of the leg itself and of whom it hears.
func (r *recording) voices() (own, heard int) {
	if r.masked {
		return 0, 0
	}
	own = r.channel.voice()
	if r.channel.partner != nil {
		heard = r.channel.partner.voice()
	}
	return own, heard
}

// voice is the tone that the party of this leg is heard as now.
func (c *Channel) voice() int {
	if c.held || (!c.answered && !c.early) {
		return 0
	}
	return c.tone
}

// write writes samples of two tones, from a place in the switch's time.
func (r *recording) write(own, heard, first, samples int) error {
	a, h := toneOf(own), toneOf(heard)
	var b [4]byte
	for i := first; i < first+samples; i++ {
		x, y := a[i%rate], h[i%rate]
		if !r.stereo {
			x += y
		}
		binary.LittleEndian.PutUint16(b[:], uint16(x))
		binary.LittleEndian.PutUint16(b[2:], uint16(y))
		if _, err := r.buf.Write(b[:2*r.width()]); err != nil {
			return err
		}
	}
	return nil
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
	r.closeFile()
	samples := r.frames * frameSamples
	c.vars.set("record_file_size", strconv.Itoa(44+samples*2*r.width()))
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
	case r.err != nil:
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

// closeFile ends the writing of the file, which holds what was settled.
func (r *recording) closeFile() {
	if err := r.file.Close(); err != nil {
		r.channel.sw.log.Error("esltest: record: cannot close", "path", r.path, "error", err)
	}
}
