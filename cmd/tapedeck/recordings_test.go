package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"tapedeck/cmd/spooltest"
	"tapedeck/recording"
	"tapedeck/store/index"
)

const listed = `STARTED                  ORGANISATION  DIRECTION  OUTSIDE        OURS           USERS       LENGTH              TRIGGER         REMARKS      ID
2026-03-11 14:30:00 UTC  north         inbound    +447700900123  +442079460001  nora        0:04 (0:01 paused)  automatic       held         c0ffee00-0000-4000-8000-000000000004
2026-03-10 14:30:00 UTC  acme          inbound    +447700900123  +442079460001  alice, bob  no file             automatic       not started  c0ffee00-0000-4000-8000-000000000003
2026-03-09 15:30:00 UTC  acme          outbound   07700900456    +442079460001  bob         0:04 (0:01 paused)  on-demand, bob  -            c0ffee00-0000-4000-8000-000000000002
2026-03-09 14:30:00 UTC  acme          inbound    +447700900123  +442079460001  alice, bob  0:04 (0:01 paused)  automatic       -            c0ffee00-0000-4000-8000-000000000001.part2
2026-03-09 14:30:00 UTC  acme          inbound    +447700900123  +442079460001  alice, bob  0:04 (0:01 paused)  automatic       -            c0ffee00-0000-4000-8000-000000000001
`

// TestRecordingsList: the index and the sidecars give the same list.
func TestRecordingsList(t *testing.T) {
	indexes(t, func(t *testing.T, config string) {
		s := newSpool(t, spooltest.TwoOrganisations, config)
		s.do("ls").want(t, exitDone, "no recordings\n", "")
		s.do("ls", "--number", "1002").want(t, exitDone, "no recordings\n", "")
		s.do("ls", "--number", "abc").want(t, exitDone, "no recordings: \"abc\" is no number\n", "")
		s.Variety()
		s.reindex()
		if config != "" {
			apply := tapedeck("policy", "apply", "--config", s.Config, filepath.Join(s.Root, "policy.yaml"))
			apply.want(t, exitDone, "in force", "") // the region of national numbers
		}
		if o := s.do("ls", "--utc"); o.code != exitDone || o.stderr != "" || o.stdout != listed {
			t.Errorf("%d, %s\n%s", o.code, o.stderr, o.stdout)
		}
		if o := s.do("ls"); !strings.Contains(o.stdout, spooltest.Began.Local().Format("2006-01-02 15:04:05 MST")) {
			t.Errorf("not in the local zone:\n%s", o.stdout)
		}
		o := s.do("ls", "--utc", "--limit", "2")
		rows := strings.SplitAfter(o.stdout, "\n")
		if len(rows) != 5 || !strings.Contains(rows[2], spooltest.IDs+"3") || rows[3] != "there are more: --limit 20 shows them\n" {
			t.Errorf("--limit 2:\n%s", o.stdout)
		}
		s.filters()
	})
}

// filters asks for parts of variety.
func (s spool) filters() {
	s.Helper()
	for _, c := range []struct{ flags, want string }{
		{"", "4 3 2 1.part2 1"},
		{"--organisation acme", "3 2 1.part2 1"},
		{"--organisation nobody", ""},
		{"--limit 1", "4"},
		{"--limit 5", "4 3 2 1.part2 1"},
		{"--problems", "3"},
		{"--trigger on-demand", "2"},
		{"--trigger on-demand --limit 1", "2"}, // not on the first page
		{"--user alice", "3 1.part2 1"},
		{"--number +447700900456", "2"}, // as it is said elsewhere
		{"--number 07700900456", "2"},
		{"--number 02079460001 --limit 2", "4 3"},
		{"--number 1", ""},
		{"--from 2026-03-10", "4 3"},
		{"--to 2026-03-10", "3 2 1.part2 1"},
		{"--from 2026-03-09 --to 2026-03-09", "2 1.part2 1"},
		{"--to 2026-03-09T15:30:00.250Z", "1.part2 1"},
		{"--from 2026-03-09T15:30:00.250Z --organisation acme", "3 2"},
		{"--from 2027-01-01", ""},
	} {
		o := s.do(append([]string{"ls", "--json", "--utc"}, strings.Fields(c.flags)...)...)
		var got []string
		for line := range strings.Lines(o.stdout) {
			var r index.Recording
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				s.Errorf("%s: %v", c.flags, err)
			}
			got = append(got, strings.TrimPrefix(r.ID, spooltest.IDs))
		}
		if o.code != exitDone || o.stderr != "" || strings.Join(got, " ") != c.want {
			s.Errorf("ls %s: %q, want %q; %d %s", c.flags, got, c.want, o.code, o.stderr)
		}
	}
}

// TestRecordingsShowHostileID: an id that a terminal would obey is quoted.
func TestRecordingsShowHostileID(t *testing.T) {
	s := newSpool(t, spooltest.TwoOrganisations, "")
	o := s.do("show", "x\x1b[2J\ny")
	o.want(t, exitFailed, "", "there is no recording")
	if strings.Count(o.stderr, "\n") != 1 || strings.Contains(o.stderr, "\x1b") {
		t.Errorf("%q", o.stderr)
	}
}

// TestRecordingsWithoutFolder is one line that says what to do.
func TestRecordingsWithoutFolder(t *testing.T) {
	s := newSpool(t, spooltest.OneOrganisation, "")
	if err := os.Remove(s.Dir.String()); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"ls", "show " + spooltest.IDs + "1", "verify", "purge --by me", "hold --by me --reason x " + spooltest.IDs + "1"} {
		o := s.do(strings.Fields(line)...)
		o.want(t, exitFailed, "", "recordings.dir in the daemon file: open "+s.Dir.String()+": no such file or directory: mount its disk")
		if strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s: %q", line, o.stderr)
		}
	}
}

// TestRecordingsHostileTexts: whatever was put into a sidecar or a file's name,
// a terminal gets lines of plain text.
func TestRecordingsHostileTexts(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;owned\x07\r\n+1\t\u009b31m\u202edorw\u200b\u2028next\U000e0041\u00ad"
	indexes(t, func(t *testing.T, config string) {
		s := newSpool(t, spooltest.TwoOrganisations, config)
		c := spooltest.SampleCall(spooltest.IDs+"1", spooltest.Began)
		path := s.Put(c)
		quoted, err := json.Marshal(evil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(recording.SidecarPath(path))
		if err != nil {
			t.Fatal(err)
		}
		for _, harmless := range []string{`"+447700900123"`, `"alice"`, `"yes"`, `"inbound"`, `"ok"`, `"automatic"`, `"fs1"`, `"dtmf"`} {
			text = []byte(strings.ReplaceAll(string(text), harmless, string(quoted)))
		}
		text = []byte(strings.Replace(string(text), `"problems":[]`, `"problems":[`+string(quoted)+`,"`+"\u009b\x9b"+`"]`, 1))
		s.File(recording.SidecarPath(path), text)
		s.File(filepath.Join(filepath.Dir(path), "\x1b[31mstray\nline\u202e.wav"), nil)
		s.reindex()
		for line, rows := range map[string]int{"ls": 2, "ls --json": 1, "show " + spooltest.IDs + "1": 0, "show --json " + spooltest.IDs + "1": 1, "verify": 0} {
			o := s.do(strings.Fields(line)...)
			if bad := strings.IndexFunc(o.stdout+o.stderr, func(r rune) bool {
				return r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028'
			}); bad >= 0 {
				t.Errorf("%s: %q", line, (o.stdout + o.stderr)[bad:])
			}
			if n := strings.Count(o.stdout, "\n"); o.stdout == "" || rows > 0 && n != rows {
				t.Errorf("%s: %d lines, want %d:\n%s%s", line, n, rows, o.stdout, o.stderr)
			}
			if strings.Contains(line, "json") && !json.Valid([]byte(o.stdout)) {
				t.Errorf("%s: no JSON: %s", line, o.stdout)
			}
		}
	})
}
