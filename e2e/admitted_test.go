package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"tapedeck/e2e/lab"
)

// admitted are calls whose sidecar says itself what is wrong. `verify` counts that.
func admitted() []fault {
	number := faultSettings
	number.bob = "no"
	return []fault{
		{"speech in a pause is admitted, and verify says so", faultSettings, needs{}, speechInPause},
		{"a file that cannot be started names the number that decided", number, needs{}, notStarted},
	}
}

// speechInPause: somebody else lets FreeSWITCH write speech during a pause.
func speechInPause(c *faultTalk) {
	c.expects = []string{"speech in a pause"}
	outside, alice := fromOutside(c.talk)
	anchor := c.leg(outside)
	c.speak(speech)
	c.pressFor(alice, anchor, "paused")
	c.speak(speech)
	_, err := c.suite.lab.Switch.API(c.ctx, "uuid_record", anchor+" unmask "+c.sound(anchor, 1))
	c.do(err)
	c.speak(speech)
	c.pressFor(alice, anchor, "on")
	c.speak(speech)
	c.hangUp(outside, alice)
	s := c.sidecarOf(c.sound(anchor, 1))
	if len(s.Problems) != 1 || !isProblem(s.Problems[0], "speech in a pause") {
		c.Fatalf("the sidecar has the problems %q, want speech in a pause", s.Problems)
	}
	c.admits("speech in a pause")
}

// notStarted: FreeSWITCH cannot create the file. The number says yes, and another user
// no, so it was undecided while the phone rang.
func notStarted(c *faultTalk) {
	outside := c.inbound(lab.ToAlice)
	alice := c.rings(lab.UserAlice)
	anchor := c.leg(outside)
	path := filepath.Join(c.disk, c.org.ID(), time.Now().UTC().Format("2006/01/02"), anchor+".wav")
	c.do(os.MkdirAll(filepath.Dir(path), 0o755))
	c.do(os.Symlink(filepath.Join(c.disk, "no such folder", "file"), path))
	c.pickUp(alice, outside)
	c.awaitLog(c.instances[0], noticedIn, "recording has a problem", anchor, "not started")
	c.awaitLog(c.instances[0], noticedIn, "recording command failed", anchor, "command=start")
	c.do(os.Remove(path)) // it would be a problem of its own
	c.hangUp(outside, alice)
	s := c.sidecarOf(path)
	if s.File != nil || !mentions(s.Problems, "not started") {
		c.Errorf("the sidecar says file %+v, problems %q; want no file, not started", s.File, s.Problems)
	}
	if want := "number/" + c.org.Number(lab.ToAlice); s.Decided.Element != want || s.Decided.Setting != "yes" {
		c.Errorf("the sidecar says decided by %+v, want %s, yes", s.Decided, want)
	}
	c.admits("not started")
}

// admits asserts that `recordings verify` counts a problem that a sidecar has, that this
// is an error with --strict alone, and that nothing else is found.
func (c *faultTalk) admits(problem string) {
	c.Helper()
	said, err := c.instances[0].Run(c.ctx, "recordings", "verify")
	if err != nil || !strings.Contains(said, "admitted: "+problem) || !strings.Contains(said, "the sidecars admit 1 problem: "+problem+" 1") {
		c.Errorf("verify says %v and %q, want no error, and 1 problem that is admitted: %s", err, said, problem)
	}
	if said, err := c.instances[0].Run(c.ctx, "recordings", "verify", "--strict"); err == nil {
		c.Errorf("verify --strict is content: %q", said)
	}
}
