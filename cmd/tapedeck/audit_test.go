package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/spooltest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// audited is a spool whose evidence log tells of three holds and their ends.
func audited(t *testing.T) (s spool, one string) {
	t.Helper()
	s = newSpool(t, spooltest.TwoOrganisations, "")
	one = s.Put(spooltest.SampleCall(spooltest.IDs+"1", spooltest.Began))
	s.audit("key").want(t, exitDone, "its public key is in "+filepath.Join(s.Root, "audit.key.pub"), "")
	for range 3 {
		s.do("hold", spooltest.IDs+"1", "--reason", "case 7").want(t, exitDone, "held", "")
		s.do("release", spooltest.IDs+"1").want(t, exitDone, "not held", "")
	}
	return s, one
}

// audit runs `tapedeck audit` on it.
func (s spool) audit(args ...string) outcome {
	s.Helper()
	return tapedeck(append(append([]string{"audit"}, args...), "--config", s.Config)...)
}

func (s spool) lines(path string) []string {
	s.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(text)))
}

// TestAuditVerify: what was changed is named by both commands that verify, each attack
// of which 42c2037 said "all is as it was written".
func TestAuditVerify(t *testing.T) {
	for name, c := range map[string]struct {
		attack func(s spool, one string)
		want   string
	}{
		"a line of the audit log is cut": {func(s spool, _ string) {
			path := audit.New(s.Dir.String(), nil).Path()
			s.File(path, []byte(strings.Join(slices.Delete(s.lines(path), 1, 3), "")))
		}, "cut: the audit log does not have this line any more"},
		"a sidecar is altered with its sound": {func(s spool, one string) {
			s.File(one, spooltest.WAV(1001, 2000, -1, 1000, 1001, 1000))
			side, err := recording.ReadSidecar(recording.SidecarPath(one))
			if err == nil {
				side, err = recording.Examine(s.Context(), one, side)
			}
			if err == nil {
				err = recording.WriteSidecar(recording.SidecarPath(one), side)
			}
			if err != nil {
				s.Fatal(err)
			}
		}, "replaced: the sidecar is not the one that was written"},
	} {
		t.Run(name, func(t *testing.T) {
			s, one := audited(t)
			s.audit("verify").want(t, exitDone, ": all is as it was written\n", "")
			s.do("verify").want(t, exitDone, "\nevidence: 1 log with 14 entries, 6 lines of the audit log, 1 sidecar; ", "")
			c.attack(s, one)
			outcomes := []outcome{s.audit("verify"), s.do("verify")}
			if strings.HasPrefix(c.want, "replaced") { // the cut line is of no recording alone
				outcomes = append(outcomes, s.do("verify", spooltest.IDs+"1"))
			}
			for _, o := range outcomes {
				o.want(t, exitFailed, c.want, "evidence: wrong: ")
			}
		})
	}
}

// TestAuditVerifyOffline: copies of the files are enough, without a daemon file. A copy
// of a checkpoint shows that the log was cut, although all files agree.
func TestAuditVerifyOffline(t *testing.T) {
	s, _ := audited(t)
	logs := filepath.Join(s.Root, "audit")
	names, err := os.ReadDir(logs)
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	log := filepath.Join(logs, names[0].Name())
	written := s.lines(log)
	empty := s.File("empty/acme/x", nil)
	args := []string{"audit", "verify", "--config", s.File("none.yaml", nil), "--dir", logs, "--recordings", filepath.Dir(filepath.Dir(empty)), "--key", filepath.Join(s.Root, "audit.key.pub")}
	s.File(log, []byte(written[0]+written[1])) // it begins, and the key is made
	tapedeck(args...).want(t, exitDone, "evidence: 1 log with 2 entries, 0 lines of the audit log, 0 sidecars; signed up to ", "")
	checkpoint := s.File("checkpoint", []byte(written[1]))
	s.File(log, []byte(written[0]))
	tapedeck(append(args, "--checkpoint", checkpoint)...).want(t, exitFailed, "entry 2: truncated: the log ends at entry 1, and "+checkpoint+" has this checkpoint", "evidence: wrong: 2")
}

// TestAuditKey: the key is its owner's alone, and is never replaced.
func TestAuditKey(t *testing.T) {
	s := newSpool(t, spooltest.TwoOrganisations, "")
	s.audit("key").want(t, exitDone, "audit.key", "")
	path := filepath.Join(s.Root, "audit.key")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	before := s.lines(path)
	s.audit("key").want(t, exitFailed, "", "is there already")
	if !slices.Equal(before, s.lines(path)) {
		t.Error("it is replaced")
	}
}

// TestChangesAreAudited: accounts, tokens and policies, before they count.
func TestChangesAreAudited(t *testing.T) {
	redis := testkit.StartRedis(t)
	s := newSpool(t, spooltest.TwoOrganisations, daemontest.RedisLine(redis))
	run := func(words string) outcome {
		return tapedeck(append(strings.Fields(words), "--config", s.Config)...)
	}
	run("account add anna --role organisation --organisation acme --no-password").want(t, exitDone, "account anna", "")
	token := run("token add anna").stderr
	id := between(token, "The token's id is ", ",")
	run("token rm "+id).want(t, exitDone, "revoked", "")
	run("account rm anna").want(t, exitDone, "removed", "")
	run("policy apply "+filepath.Join(s.Root, "policy.yaml")).want(t, exitDone, "in force", "")
	run("account rm anna").want(t, exitFailed, "", "no account") // and no line
	var got []string
	for _, line := range testkit.JSONLines[audit.Line](t, audit.New(s.Dir.String(), nil).Path()) {
		if line.Who != me() || line.From != "command line" {
			t.Errorf("%+v", line)
		}
		got = append(got, line.What+" "+line.Organisation+": "+line.Detail)
	}
	want := []string{"account acme: added, or changed: anna: role organisation, sees acme, may see, ", "token acme: added: " + id + " of anna, it ends: ",
		"token acme: revoked: " + id + " of anna", "account acme: removed: anna, tokens with it: 0", "policy : revision "}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
	s.audit("verify").want(t, exitDone, "all is as it was written", "")

	if err := os.Remove(audit.New(s.Dir.String(), nil).Path()); err != nil {
		t.Fatal(err)
	}
	s.File(filepath.Join(audit.New(s.Dir.String(), nil).Path(), "in the way"), nil)
	run("account add bert --role operator --no-password").want(t, exitFailed, "", "audit.jsonl: it is a symbolic link, or no regular file or folder: somebody put it there, remove it")
	run("account ls").want(t, exitDone, "", "no accounts")
}

// TestServeAuditsChanges: a policy that comes by a file or through Redis, and accounts
// that somebody edits, are lines of the audit log, whoever made them.
func TestServeAuditsChanges(t *testing.T) {
	redis := testkit.StartRedis(t)
	d := daemontest.Start(t, spooltest.TwoOrganisations, daemontest.RedisLine(redis))
	s := spool{&spooltest.Spool{T: t, Root: d.Folder, Config: filepath.Join(d.Folder, "tapedeck.yaml")}}
	log := audit.New(filepath.Join(d.Folder, "spool"), nil)
	awaits := func(who, what, from, detail string) {
		t.Helper()
		d.Until(who+" "+what+" "+from, func() bool {
			lines, _, err := log.Read(t.Context(), audit.Query{Who: []string{who}, What: []string{what}})
			return err == nil && slices.ContainsFunc(lines, func(l audit.Line) bool { return l.From == from && strings.HasSuffix(l.Detail, detail) })
		})
	}
	awaits("tapedeck serve", audit.Policy, "policy file", "")
	other := s.File("other.yaml", []byte("version: 1\norganisations: { other: {} }\n"))
	tapedeck("policy", "apply", other, "--config", s.Config).want(t, exitDone, "in force", "serve puts that back")
	awaits(me(), audit.Policy, "command line", "")
	awaits("tapedeck serve", audit.Policy, "redis", "")
	testkit.Replace(t, filepath.Join(d.Folder, "accounts.yaml"), "version: 1\naccounts: { eve: { role: operator } }\n")
	awaits("tapedeck serve", audit.Account, "accounts file", ": added: eve")
	if _, err := d.Stop(); err != nil {
		t.Error(err)
	}
	s.audit("verify").want(t, exitDone, "signatures were not looked at", "")
}
