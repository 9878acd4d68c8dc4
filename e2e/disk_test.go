package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/internal/testkit"
)

// lostFiles are calls whose file is deleted, or cannot grow.
func lostFiles() []fault {
	return []fault{
		{"the file is deleted during the call", faultSettings, needs{}, fileDeleted},
		{"the disk is full during the call", faultSettings, needs{disk: 6 << 20}, diskFull},
	}
}

// noticedIn is how long Tapedeck may take to notice that a file does not grow.
// FreeSWITCH writes to a stereo file every 2.05 s.
const noticedIn = 15 * time.Second

// awaitPart waits until the recording of a call's part starts, and returns its path.
func (c *faultTalk) awaitPart(call string, part int, limit time.Duration) (path string) {
	c.Helper()
	path = c.sound(call, part)
	testkit.Within(c, limit, "start of "+filepath.Base(path), func() bool {
		return len(c.suite.lab.Switch.Events(lab.Records("RECORD_START", path))) > 0
	})
	return path
}

func fileDeleted(c *faultTalk) {
	c.expects = []string{"file missing"}
	outside, alice := fromOutside(c.talk)
	anchor, instance := c.leg(outside), c.instances[0]
	c.speak(speech)
	first := c.sound(anchor, 1)
	c.do(os.Remove(first))
	c.awaitLog(instance, noticedIn, "recording has a problem", anchor, "file missing")
	second := c.awaitPart(anchor, 2, noticedIn)
	said := c.speak(speech)
	pause := c.pauseAndResume(alice, anchor)
	c.hangUp(outside, alice)

	s := c.sidecarOf(first)
	if s.File != nil || s.Complete || len(s.Problems) == 0 || s.Next != filepath.Base(second) {
		c.Errorf("the sidecar of the file that was deleted says file %+v, complete %v, problems %q, next %q", s.File, s.Complete, s.Problems, s.Next)
	}
	c.hasMetricAtLeast(instance, `tapedeck_recording_problems_total{problem="file missing"}`, 1)
	c.expects = nil
	r := c.listen(second)
	r.heard(said, only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause)
	r.isPart(2, filepath.Base(first), "")
}

func diskFull(c *faultTalk) {
	c.expects = []string{"not growing", "short", "disk", "lost"}
	outside, alice := fromOutside(c.talk)
	anchor, instance := c.leg(outside), c.instances[0]
	atAlice := c.listensAt(alice)
	before := c.speak(3 * speech) // FreeSWITCH writes 2 s at a time
	filler := filepath.Join(c.disk, ".filler")
	c.do(fill(filler))
	c.awaitLog(instance, noticedIn, "recording has a problem", anchor, "not growing")
	first := c.sound(anchor, 1)
	c.recordEvent("RECORD_STOP", first)
	left, err := os.ReadFile(first)
	c.do(err)
	c.speak(speech)
	c.do(os.Remove(filler))
	second := c.awaitPart(anchor, 2, noticedIn)
	said := c.speak(speech)
	pause := c.pauseAndResume(alice, anchor)
	c.hangUp(outside, alice)

	if now, err := os.ReadFile(first); err != nil || !bytes.Equal(now, left) {
		c.Errorf("the first part is not what it was when it was stopped: %d bytes, were %d; %v", len(now), len(left), err)
	}
	r := c.listenPart(first)
	r.heard(period{before.from, r.began.Add(min(r.Length, before.to.Sub(r.began)))}, only(lab.Outside), only(lab.Alice))
	if r.about.Complete || !r.problem("not growing") {
		c.Errorf("the first part: complete %v, problems %q; want not growing, and not complete", r.about.Complete, r.about.Problems)
	}
	r.isPart(1, "", filepath.Base(second))
	c.hasMetricAtLeast(instance, `tapedeck_recording_problems_total{problem="not growing"}`, 1)
	c.expects = []string{"not started"} // while the disk was full
	r = c.listen(second)
	r.heard(said, only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause)
	r.isPart(2, filepath.Base(first), "")
	atAlice.load()
	if gap := atAlice.sound.Length - atAlice.sound.Speaks(lab.Outside); gap > 500*time.Millisecond {
		c.Errorf("the user did not hear the outside party for %v", gap)
	}
}

// fill writes until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, io.ErrShortWrite) {
			return err
		}
	}
	return nil
}

// isPart asserts which part of its call's recording the file is.
func (r *take) isPart(part int, previous, next string) {
	r.Helper()
	if s := r.about; max(1, s.Part) != part || s.Previous != previous || s.Next != next {
		r.Errorf("the sidecar says part %d after %q, before %q; want part %d after %q, before %q", s.Part, s.Previous, s.Next, part, previous, next)
	}
}

// hasMetricAtLeast asserts a metric's least value.
func (c *faultTalk) hasMetricAtLeast(instance *lab.Tapedeck, series string, want float64) {
	c.Helper()
	if got, err := instance.Metric(c.ctx, series); err != nil || got < want {
		c.Errorf("%s is %v, %v; want %v at least", series, got, err, want)
	}
}
