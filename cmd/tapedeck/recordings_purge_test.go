package main

import (
	"fmt"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/spooltest"
	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store"
	"tapedeck/store/calls"
)

// stays fails the test unless exactly these recordings of Old are there and in the list.
func (s spool) stays(paths map[string]string, want string) {
	s.Helper()
	list := s.do("ls").stdout
	for id, path := range paths {
		stay := strings.Contains(want, id)
		if spooltest.IsThere(path) != stay || spooltest.IsThere(recording.SidecarPath(path)) != stay || strings.Contains(list, spooltest.IDs+id) != stay {
			s.Errorf("recording %s: want it there: %t; the list:\n%s", id, stay, list)
		}
	}
}

// TestRecordingsPurge: what is too old is deleted, has an audit line, and leaves the index;
// what is held, live, or of an unknown organisation stays.
func TestRecordingsPurge(t *testing.T) {
	testkit.NoLeaks(t)
	redis := testkit.StartRedis(t)
	s := newSpool(t, spooltest.KeptForAMonth, daemontest.RedisLine(redis))
	paths := s.Old()
	s.reindex()
	s.alive(redis.URL(), spooltest.IDs+"3")

	o := s.do("purge", "--dry-run", "--by", "cron")
	o.want(t, exitDone, "would delete "+spooltest.IDs+"1 of acme, ", "")
	o.want(t, exitDone, "would delete 1 recording, 64.0 kB of sound; held: 1; live: 1\n", "")
	s.stays(paths, "123456")
	if lines := s.Audit(); len(lines) > 0 {
		t.Errorf("a dry run is in the audit file: %q", lines)
	}

	o = s.do("purge", "--by", "cron")
	o.want(t, exitDone, "deleted "+spooltest.IDs+"1 of acme, ", "")
	o.want(t, exitDone, "kept "+paths["2"]+": held\n", "")
	o.want(t, exitDone, "deleted 1 recording, 64.0 kB of sound; held: 1; live: 1\n", "")
	s.stays(paths, "23456")
	lines := s.Audit()
	if len(lines) != 1 || !strings.Contains(lines[0], `"who":"`+me()+`","what":"delete","organisation":"acme","recording":"`+spooltest.IDs+`1","from":"command line, for cron"`) {
		t.Errorf("audit file: %q", lines)
	}
}

// openRedis is the Redis that the commands change.
func (s spool) openRedis(url string) *store.Conn {
	s.Helper()
	r, err := store.Open(s.Context(), store.Config{Redis: url, Timeout: testkit.Patience})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = r.Close() })
	return r
}

// alive puts a live call into Redis.
func (s spool) alive(url, id string) {
	s.Helper()
	conn := s.openRedis(url)
	r := calls.New(conn)
	go func() { _ = conn.Run(s.Context()) }()
	r.Save(calls.Call{ID: id, Organisation: "acme", Direction: flow.Inbound, Started: time.Now(), Owner: r.Instance(), Token: 1})
	testkit.Until(s, "the live call is in Redis", func() bool {
		all, err := r.List(s.Context())
		return err == nil && len(all) == 1
	})
}

// TestRecordingsPurgeEmbedded: a recording with a draft is live; the policy is that of the
// file.
func TestRecordingsPurgeEmbedded(t *testing.T) {
	s := newSpool(t, spooltest.KeptForAMonth, "")
	paths := s.Old()
	s.File(filepath.Join(s.Dir.String(), ".live", spooltest.IDs+"3.json"), []byte("{}"))
	s.do("purge", "--by", "olivia").want(t, exitDone, "deleted 1 recording, 64.0 kB of sound; held: 1; live: 1\n", "")
	s.stays(paths, "23456")
	if lines := s.Audit(); len(lines) != 1 || !strings.Contains(lines[0], `"from":"command line, for olivia"`) {
		t.Errorf("audit file: %q", lines)
	}
	s.File("policy.yaml", []byte("version: 7\n"))
	s.do("purge").want(t, exitFailed, "", " to mend\n")
	s.stays(paths, "23456")
}

// me is the user of this process.
func me() string { return actorOf("").Who }

// TestActor: the user of the process, whatever the environment says (a command that
// USER=the-boss made the boss's was believed until now).
func TestActor(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"USER", "SUDO_USER", "LOGNAME"} {
		t.Setenv(name, "the-boss")
	}
	s := newSpool(t, spooltest.KeptForAMonth, "")
	s.Put(spooltest.SampleCall(spooltest.IDs+"1", spooltest.Began))
	s.do("hold", spooltest.IDs+"1", "--reason", "case 7").want(t, exitDone, "held", "")
	s.do("release", spooltest.IDs+"1", "--by", "paul").want(t, exitDone, "not held", "")
	lines := testkit.JSONLines[audit.Line](t, audit.New(s.Dir.String(), nil).Path())
	if len(lines) != 2 || lines[0].Who != me.Username || lines[0].From != "command line" || lines[1].Who != me.Username || lines[1].From != "command line, for paul" {
		t.Errorf("%+v", lines)
	}
}

// TestRecordingsPurgeUnknown: a recording whose sidecar cannot be read is reported and
// stays.
func TestRecordingsPurgeUnknown(t *testing.T) {
	s := newSpool(t, spooltest.KeptForAMonth, "")
	path := s.Put(spooltest.AgedCall("1", 999*24*time.Hour))
	s.File(recording.SidecarPath(path), []byte("{"))
	s.do("purge", "--by", "cron").want(t, exitDone, "kept "+path+": unknown: ", "")
	if !spooltest.IsThere(path) {
		t.Error("it is gone")
	}
}

// TestRecordingsHold: a held recording is not deleted, the list shows it, and the audit log
// says who held it.
func TestRecordingsHold(t *testing.T) {
	indexes(t, func(t *testing.T, config string) {
		s := newSpool(t, spooltest.KeptForAMonth, config)
		path := s.Put(spooltest.AgedCall("1", 999*24*time.Hour))
		s.reindex()
		s.do("hold", spooltest.IDs+"1", "--by", "olivia", "--reason", "case\n7").want(t, exitDone, spooltest.IDs+"1 is held, and so is every part of its call\n", "")
		s.do("ls").want(t, exitDone, "  held  ", "")
		s.do("show", spooltest.IDs+"1").want(t, exitDone, "hold          by "+me()+", for olivia since ", "")
		s.do("hold", spooltest.IDs+"1", "--by", "paul", "--reason", "case 8").want(t, exitDone, "it was held by "+me()+", for olivia: case 7\n", "")
		s.do("purge", "--by", "cron").want(t, exitDone, "deleted 0 recordings, 0 bytes of sound; held: 1\n", "")

		s.do("release", spooltest.IDs+"1", "--by", "paul").want(t, exitDone, spooltest.IDs+"1 is not held any more\n", "")
		s.do("release", spooltest.IDs+"1", "--by", "paul").want(t, exitDone, spooltest.IDs+"1 is not held: nothing changes\n", "")
		if o := s.do("ls"); strings.Contains(o.stdout, "held") {
			t.Errorf("the list:\n%s", o.stdout)
		}
		s.do("purge", "--by", "cron").want(t, exitDone, "deleted 1 recording", "")
		if spooltest.IsThere(path) {
			t.Error("it is there")
		}
		var got []string
		for _, line := range s.Audit() {
			got = append(got, between(line, `"from":"command line, for `, `"`)+" "+between(line, `"what":"`, `"`)+" "+between(line, `"detail":"`, `"`))
		}
		if want := "olivia hold case 7, paul hold case 8, paul unhold , cron delete older than"; !strings.HasPrefix(strings.Join(got, ", "), want) {
			t.Errorf("audit file: %q", got)
		}
		s.do("hold", spooltest.IDs+"9", "--reason", "x", "--by", "paul").want(t, exitFailed, "", "there is no recording")
	})
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	value, _, _ := strings.Cut(rest, after)
	return value
}

// TestRecordingsWithoutRedis: sidecars are changed and read; the commands that need the
// index say that Redis is away.
func TestRecordingsWithoutRedis(t *testing.T) {
	testkit.NoLeaks(t)
	redis := testkit.NewRedis(t) // not started
	s := newSpool(t, spooltest.KeptForAMonth, daemontest.RedisLine(redis))
	path := s.Put(spooltest.AgedCall("1", 999*24*time.Hour))
	for _, line := range []string{"ls", "reindex", "purge --by cron"} {
		o := s.do(strings.Fields(line)...)
		o.want(t, exitFailed, "", "start Redis, or mend store.redis in the daemon file")
		if strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s: %q", line, o.stderr)
		}
	}
	s.do("hold", spooltest.IDs+"1", "--by", "olivia", "--reason", "case 7").want(t, exitFailed, "is held",
		"that is so on the disk, not in the index: run `tapedeck recordings reindex` when Redis is back: ")
	s.do("show", spooltest.IDs+"1").want(t, exitDone, "hold          by "+me()+", for olivia", "")
	s.do("verify").want(t, exitDone, "verified 1 recording", "")
	if !spooltest.IsThere(path) {
		t.Error("it is gone")
	}
	if err := redis.Start(); err != nil {
		t.Fatal(err)
	}
	s.do("reindex").want(t, exitDone, "in the index: 1 recording", "")
	s.do("ls").want(t, exitDone, "  held  ", "")
}

// TestRecordingsPurgeMany: everything that was deleted is out of the index when
// the command ends.
func TestRecordingsPurgeMany(t *testing.T) {
	redis := testkit.StartRedis(t)
	s := newSpool(t, spooltest.KeptForAMonth, daemontest.RedisLine(redis))
	for i := range 100 {
		c := spooltest.AgedCall("", 999*24*time.Hour)
		c.Call = fmt.Sprintf("call-%d", i)
		c.File, c.Spans, c.Problems = nil, nil, []string{recording.NotStarted}
		s.Put(c)
	}
	s.do("reindex").want(t, exitDone, "in the index: 100 recordings", "")
	s.do("purge", "--by", "cron").want(t, exitDone, "deleted 100 recordings, 0 bytes of sound\n", "")
	s.do("ls").want(t, exitDone, "no recordings\n", "")
}
