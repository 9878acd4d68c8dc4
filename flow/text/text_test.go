package text_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapedeck/flow"
	"tapedeck/flow/text"
)

const policy = `version: 1
region: GB
organisations:
  acme:   # the first
    on_demand: { dtmf: "*1", auto_resume: 10m }
    numbers:
      020 7946 0001: { record: yes, route: user/alice }   # main
      "+442079460002": { record: { inbound: force } }
    users:
      alice: { extension: "1001", record: { inbound: yes, outbound: no } }
`

// TestSaveChanged: what somebody else has written meanwhile is not overwritten.
func TestSaveChanged(t *testing.T) {
	for name, other := range map[string]func(path string) error{
		"by hand": func(path string) error { return os.WriteFile(path, []byte(policy+"# by hand\n"), 0o644) },
		"by another draft": func(path string) error {
			d, err := text.Read(path)
			if err == nil {
				err = d.SetRecord(alice, flow.Settings{})
			}
			if err == nil {
				err = d.Save()
			}
			return err
		},
		"removed": os.Remove,
	} {
		d, path := draft(t, policy)
		if err := other(path); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		before, _ := os.ReadFile(path)
		err := d.SetRecord(alice, flow.Settings{flow.Force, flow.Force, flow.Force})
		if err == nil {
			err = d.Save()
		}
		if name == "removed" && err != nil {
			continue
		}
		if !errors.Is(err, text.ErrChanged) || read(t, path) != string(before) {
			t.Errorf("%s: %v\n%s", name, err, read(t, path))
		}
	}
}

// TestSaveKeeps: owner, mode and link of the file stay, and no other file is left behind.
func TestSaveKeeps(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "link.yaml")
	if err := errors.Join(os.WriteFile(real, []byte(policy), 0o604), os.Chmod(real, 0o604), os.Symlink("real.yaml", link)); err != nil {
		t.Fatal(err)
	}
	d, err := text.Read(link)
	if err == nil {
		err = d.SetRecord(alice, flow.Settings{})
	}
	if err == nil {
		err = d.Save()
	}
	if err == nil {
		err = d.SetRecord(alice, flow.Settings{flow.Yes, flow.Yes, flow.Yes}) // a draft goes on after it is saved
	}
	if err == nil {
		err = d.Save()
	}
	info, statErr := os.Stat(real)
	if err != nil || statErr != nil || info.Mode().Perm() != 0o604 {
		t.Fatalf("%v %v %v", err, statErr, info)
	}
	if to, err := os.Readlink(link); err != nil || to != "real.yaml" || !strings.Contains(read(t, real), "alice: { extension: \"1001\", record: yes }") {
		t.Errorf("%v %s\n%s", err, to, read(t, real))
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("%v %v", entries, err)
	}
}

// TestFolder: in a folder an organisation is changed in its file. One save writes one file.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"a.yaml": policy, "b.yaml": "organisations:\n  beta: { users: { bob: {} } }\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d, err := text.Read(dir)
	if err == nil {
		err = d.SetRecord(bob, flow.Settings{flow.No, flow.No, flow.No})
	}
	if err == nil {
		err = d.Save()
	}
	if got := read(t, filepath.Join(dir, "b.yaml")); err != nil || got != "organisations:\n  beta: { users: { bob: { record: no } } }\n" || read(t, filepath.Join(dir, "a.yaml")) != policy {
		t.Errorf("%v\n%s", err, got)
	}
	if err := errors.Join(d.SetRecord(alice, flow.Settings{}), d.SetRecord(bob, flow.Settings{flow.Yes})); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(); !errors.Is(err, text.ErrSeveral) {
		t.Errorf("got %v", err)
	}
}

var alice = text.Place{Organisation: "acme", Element: flow.Element{Kind: flow.User, ID: "alice"}}

var bob = text.Place{Organisation: "beta", Element: flow.Element{Kind: flow.User, ID: "bob"}}

func draft(t *testing.T, policy string) (d *text.Draft, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(policy), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := text.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return d, path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
