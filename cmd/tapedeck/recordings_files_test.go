package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/maintenance"
	"tapedeck/cmd/spooltest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// TestRecordingsVerify: each thing that is wrong is a line, and the exit code is 1.
func TestRecordingsVerify(t *testing.T) {
	s := newSpool(t, spooltest.TwoOrganisations, "")
	s.Variety()
	s.do("verify").want(t, exitDone, "verified 5 recordings, 256.2 kB of sound: all is as it was written; the sidecars admit 1 problem: not started 1\n", "")

	day := filepath.Join(s.Dir.String(), "acme/2026/03/09")
	at := func(name string) string { return filepath.Join(day, spooltest.IDs+name) }
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	flipped := read(at("1.wav"))
	flipped[20_001] ^= 1
	s.File(at("1.wav"), flipped)
	s.File(at("1.part2.wav"), read(at("1.part2.wav"))[:40_000])
	s.File(at("5.wav"), spooltest.WAV(1000, 1000))
	for i, name := range []string{"6", "7", "8"} {
		s.Put(spooltest.SampleCall(spooltest.IDs+name, spooltest.Began.Add(time.Duration(i)*time.Minute)))
	}
	six := read(at("6.json"))
	s.File(at("6.json"), read(at("7.json")))
	s.File(at("7.json"), six)
	if err := os.Remove(at("8.wav")); err != nil {
		t.Fatal(err)
	}
	o := s.do("verify")
	if o.code != exitFailed || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("%d, %q", o.code, o.stderr)
	}
	for _, want := range []string{"1.wav: changed", "1.part2.wav: truncated", "5.wav: no sidecar", "6.wav: swapped", "7.wav: swapped", "8.wav: file missing"} {
		if !strings.Contains(o.stdout, at(want)) {
			t.Errorf("no line %s in\n%s", want, o.stdout)
		}
	}
	was, err := recording.ReadSidecar(at("1.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(o.stdout, at("1.wav: changed: SHA-256 ")) || !strings.Contains(o.stdout, ", it was "+was.File.SHA256+"\n") {
		t.Errorf("the checksum that should be is not said:\n%s", o.stdout)
	}
	s.verifyByID(at)
}

// verifyByID asks for some of what TestRecordingsVerify has broken.
func (s spool) verifyByID(at func(string) string) {
	s.Helper()
	for id, want := range map[string]string{"1": "changed", "5": "no sidecar", "6": "swapped", "8": "file missing"} {
		o := s.do("verify", spooltest.IDs+id)
		if lines := strings.Count(o.stdout, s.Dir.String()); o.code != exitFailed || !strings.Contains(o.stdout, at(id+".wav: "+want)) || lines != 1 {
			s.Errorf("verify %s: %d\n%s", id, o.code, o.stdout)
		}
	}
	if o := s.do("ls"); o.code != exitDone || strings.Contains(o.stdout, spooltest.IDs+"6") || !strings.Contains(o.stderr, "left out: "+at("6.json")+" is of "+spooltest.IDs+"7 of acme\n") {
		s.Errorf("ls: %d, %s\n%s", o.code, o.stderr, o.stdout)
	}
	s.do("show", spooltest.IDs+"6").want(s.T, exitFailed, "", "`tapedeck recordings verify` finds all that are swapped")
	s.do("verify", spooltest.IDs+"2").want(s.T, exitDone, "verified 1 recording, 64.0 kB of sound: all is as it was written\n", "")
	s.do("verify", spooltest.IDs+"9").want(s.T, exitFailed, "", "there is no recording")
}

// TestRecordingsVerifyLive: nothing is said about a recording that was not looked at.
func TestRecordingsVerifyLive(t *testing.T) {
	s := newSpool(t, spooltest.TwoOrganisations, "")
	c := spooltest.SampleCall(spooltest.IDs+"2", time.Now())
	live := s.Put(c)
	s.File(live, []byte("RIFF, and no more: it is being written"))
	if err := os.Remove(recording.SidecarPath(live)); err != nil {
		t.Fatal(err)
	}
	if err := recording.WriteSidecar(s.File(filepath.Join(s.Dir.String(), ".live", spooltest.IDs+"2.json"), nil), c); err != nil {
		t.Fatal(err)
	}
	const want = "verified 0 recordings, 0 bytes of sound, 1 live and not looked at\n"
	for _, args := range [][]string{{"verify", spooltest.IDs + "2"}, {"verify"}} {
		if o := s.do(args...); o.code != exitDone || !strings.HasPrefix(o.stdout, want+"evidence: there is no evidence log in ") {
			t.Errorf("%q: exit code %d\n%s", args, o.code, o.stdout)
		}
	}
}

// TestRecordingsByRoot: what root changes can still be read and changed by a serve that
// runs as another user.
func TestRecordingsByRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file away")
	}
	const user = 1234
	s := newSpool(t, spooltest.KeptForAMonth, "")
	path := recording.SidecarPath(s.Put(spooltest.SampleCall(spooltest.IDs+"1", spooltest.Began)))
	err := filepath.Walk(s.Dir.String(), func(p string, _ os.FileInfo, err error) error {
		return errors.Join(err, os.Chown(p, user, user))
	})
	if err = errors.Join(err, os.Chmod(path, 0o660), os.Chmod(s.Dir.String(), 0o770)); err != nil {
		t.Fatal(err)
	}
	s.do("hold", spooltest.IDs+"1", "--by", "me", "--reason", "case 7").want(t, exitDone, "held", "")
	for _, p := range []string{path, audit.New(s.Dir.String(), nil).Path(), filepath.Join(s.Dir.String(), ".lock")} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if own := info.Sys().(*syscall.Stat_t); own.Uid != user || own.Gid != user || info.Mode() != 0o660 {
			t.Errorf("%s is of user %d, group %d, mode %s", p, own.Uid, own.Gid, info.Mode())
		}
	}
}

// TestRecordingsReindex: files without a sidecar that nobody can be writing get one, and
// the index has what the sidecars say and nothing else.
func TestRecordingsReindex(t *testing.T) {
	testkit.NoLeaks(t)
	redis := testkit.StartRedis(t)
	s := newSpool(t, spooltest.TwoOrganisations, daemontest.RedisLine(redis))
	s.Variety()
	gone := s.Put(spooltest.SampleCall(spooltest.IDs+"8", spooltest.Began))
	s.do("reindex").want(t, exitDone, "files without a call described: 0\nin the index: 6 recordings; taken out of it: 0\n", "")

	for _, path := range []string{gone, recording.SidecarPath(gone)} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	day := filepath.Dir(gone)
	lost := s.File(filepath.Join(day, spooltest.IDs+"5.wav"), spooltest.WAV(1000, 3000))
	s.Age(lost, maintenance.UndescribedAge+time.Minute)
	fresh := s.File(filepath.Join(day, spooltest.IDs+"6.wav"), spooltest.WAV(1000, 3000))
	live := s.File(filepath.Join(day, spooltest.IDs+"7.wav"), spooltest.WAV(1000, 3000))
	s.Age(live, time.Hour)
	if err := recording.WriteSidecar(s.File(filepath.Join(s.Dir.String(), ".live", spooltest.IDs+"7.json"), nil), spooltest.SampleCall(spooltest.IDs+"7", spooltest.Began)); err != nil {
		t.Fatal(err)
	}
	s.do("reindex").want(t, exitDone, "files without a call described: 1\nin the index: 6 recordings; taken out of it: 1\n", "")

	if spooltest.IsThere(recording.SidecarPath(fresh)) || spooltest.IsThere(recording.SidecarPath(live)) {
		t.Error("a file that may be written to is described")
	}
	o := s.do("show", spooltest.IDs+"5")
	for _, want := range []string{"problem       state unknown: a file without a call\n", "complete      no\n", "length        0:03.000\n"} {
		if o.code != exitDone || !strings.Contains(o.stdout, want) {
			t.Errorf("no %q in\n%s%s", want, o.stdout, o.stderr)
		}
	}
	s.do("ls", "--problems").want(t, exitDone, "state unknown", "")
	s.do("verify", spooltest.IDs+"5").want(t, exitDone, "all is as it was written", "")

	s.File(recording.SidecarPath(lost), []byte("{"))
	o = s.do("reindex")
	o.want(t, exitFailed, "in the index: 5 recordings; taken out of it: 1\n", "left out: recording: sidecar "+recording.SidecarPath(lost))
	if !strings.Contains(o.stderr, "\ntapedeck recordings reindex: sidecars that are not in the index: 1: mend or remove them") {
		t.Errorf("%q", o.stderr)
	}
}

// TestRecordingsReindexInterrupted: a file is described of which a Tapedeck had begun the
// description when it was killed.
func TestRecordingsReindexInterrupted(t *testing.T) {
	s := newSpool(t, spooltest.TwoOrganisations, daemontest.RedisLine(testkit.StartRedis(t)))
	path := s.File(filepath.Join(s.Dir.String(), "acme/2026/03/09", spooltest.IDs+"5.wav"), spooltest.WAV(1000, 3000))
	s.Age(path, time.Hour)
	draft, err := recording.Describe(s.Dir, path)
	if err == nil {
		err = recording.WriteSidecar(s.File(filepath.Join(s.Dir.String(), ".live", spooltest.IDs+"5.json"), nil), draft)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.do("reindex").want(t, exitDone, "files without a call described: 1\nin the index: 1 recording; taken out of it: 0\n", "")
}
