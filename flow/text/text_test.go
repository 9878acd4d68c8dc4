package text_test

import (
	"encoding/json"
	"errors"
	"fmt"
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

// TestMerge: a merge patch changes what it names, in the words of the file.
func TestMerge(t *testing.T) {
	for name, tc := range map[string]struct{ patch, line, becomes string }{
		"a number, however it is written": {`{"numbers":{"02079460001":{"record":"no"}}}`, "020 7946 0001: { record: yes,", "020 7946 0001: { record: no,"},
		"one direction":                   {`{"users":{"alice":{"record":{"outbound":"force"}}}}`, "outbound: no }", "outbound: force }"},
		"one direction more":              {`{"numbers":{"+442079460002":{"record":{"internal":"no"}}}}`, "{ inbound: force }", "{ inbound: force, internal: no }"},
		"one direction of a word":         {`{"numbers":{"+442079460001":{"record":{"inbound":null}}}}`, "record: yes,", "record: { outbound: yes, internal: yes },"},
		"all directions":                  {`{"users":{"alice":{"record":"dont-care"}}}`, "{ inbound: yes, outbound: no }", "dont-care"},
		"a key of its own":                {`{"on_demand":{"dtmf":"*2","api":true}}`, `{ dtmf: "*1", auto_resume: 10m }`, `{ dtmf: "*2", auto_resume: 10m, api: true }`},
		"a key goes":                      {`{"on_demand":{"auto_resume":null}}`, ", auto_resume: 10m }", " }"},
		"a user comes":                    {`{"users":{"bob":{"extension":"1002","record":"no"}}}`, "outbound: no } }\n", "outbound: no } }\n      bob: { extension: \"1002\", record: no }\n"},
		"a section comes":                 {`{"ring_groups":{"sales":{"members":["alice"]}}}`, "outbound: no } }\n", "outbound: no } }\n    ring_groups:\n      sales: { members: [alice] }\n"},
		"a user goes":                     {`{"users":{"alice":null},"numbers":{"+442079460001":{"route":null}}}`, ", route: user/alice", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := draft(t, policy)
			if err := d.Merge("acme", object(t, tc.patch)); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Policy(); err != nil {
				t.Fatal(err)
			}
			if err := d.Save(); err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(policy, tc.line, tc.becomes, 1)
			if strings.Contains(tc.patch, `"alice":null`) {
				want = strings.Replace(want, "      alice: { extension: \"1001\", record: { inbound: yes, outbound: no } }\n", "", 1)
			}
			if got := read(t, d.Path()); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// TestMergeRefused: what makes no sense changes nothing, and the message says what it is.
func TestMergeRefused(t *testing.T) {
	for patch, want := range map[string]string{
		`{"numbers":{"1x":{}}}`:                            `"1x" is no telephone number`,
		`{"numbers":[]}`:                                   "numbers: it is no object of entries",
		`{"users":{"alice":"yes"}}`:                        "user/alice: it is no object",
		`{"users":{"alice":{"record":"maybe"}}}`:           "user/alice: record: use yes, no, dont-care, force or never",
		`{"users":{"alice":{"record":true}}}`:              "user/alice: record: use yes, no, dont-care, force or never, in quotes",
		`{"users":{"alice":{"record":{"inwards":"yes"}}}}`: "use inbound, outbound or internal",
		`{"users":{"alice":{"extension":1001}}}`:           "use a text in quotes",
		`{"users":{"alice":{"colour":"red"}}}`:             `unknown key "colour"`,
		`{"users":{"alice":null}}`:                         "which organisation \"acme\" does not have",
		`{"on_demand":{"dtmf":"123456789"}}`:               "write 1 to 6 of 0-9",
		`{"name":"a\u0007b"}`:                              "write one line",
		`{"name":"a\nb"}`:                                  "write one line",
		`{"brand":{"north":"x"}}`:                          "brand of organisation",
	} {
		d := draft(t, policy)
		err := d.Merge("acme", object(t, patch))
		if err == nil {
			_, err = d.Policy()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", patch, err, want)
		}
	}
	if err := draft(t, policy).Merge("zeta", object(t, `{"name":"Zeta"}`)); !errors.Is(err, text.ErrNoOrganisation) {
		t.Errorf("got %v", err)
	}
}

// TestMergeOutside: text that would break out of its value stays a value.
func TestMergeOutside(t *testing.T) {
	for _, name := range []string{"x\" }, evil: { \"", "a: b", "# c", "*alias", "&anchor", "<<", "---", "...", "'", `\`, "{{", "- a", "? b", "@", "`", "%TAG", "日本", "null", "~", "  x", "x  ", strings.Repeat("y", 200)} {
		d := draft(t, policy)
		if err := d.Merge("acme", map[string]any{"name": name}); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if p, err := d.Policy(); err != nil || p.Organisations["acme"].Name != name || len(p.Organisations) != 1 {
			t.Errorf("%q: %v", name, err)
		}
	}
}

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
		d := draft(t, policy)
		if err := other(d.Path()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		before, _ := os.ReadFile(d.Path())
		err := d.SetRecord(alice, flow.Settings{flow.Force, flow.Force, flow.Force})
		if err == nil {
			err = d.Save()
		}
		if name == "removed" && err != nil {
			continue
		}
		if !errors.Is(err, text.ErrChanged) || read(t, d.Path()) != string(before) {
			t.Errorf("%s: %v\n%s", name, err, read(t, d.Path()))
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
		err = d.Merge("beta", object(t, `{"users":{"bob":{"record":"no"}}}`))
	}
	if err == nil {
		err = d.Save()
	}
	if got := read(t, filepath.Join(dir, "b.yaml")); err != nil || got != "organisations:\n  beta: { users: { bob: { record: no } } }\n" || read(t, filepath.Join(dir, "a.yaml")) != policy {
		t.Errorf("%v\n%s", err, got)
	}
	if err := errors.Join(d.SetRecord(alice, flow.Settings{}), d.Merge("beta", object(t, `{"name":"Beta"}`))); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(); !errors.Is(err, text.ErrSeveral) {
		t.Errorf("got %v", err)
	}
}

// TestManyNumbers: ten thousand numbers are added in one go.
func TestManyNumbers(t *testing.T) {
	d := draft(t, policy)
	numbers := map[string]any{}
	for i := range 10_000 {
		numbers[fmt.Sprintf("+44207%07d", i)] = map[string]any{"record": "yes", "route": "user/alice"}
	}
	err := d.Merge("acme", map[string]any{"numbers": numbers})
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Policy()
	if err == nil {
		err = d.Save()
	}
	if err != nil || len(p.Organisations["acme"].Numbers) != 10_002 {
		t.Errorf("%v", err)
	}
}

var alice = text.Place{Organisation: "acme", Element: flow.Element{Kind: flow.User, ID: "alice"}}

func draft(t *testing.T, policy string) *text.Draft {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(policy), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := text.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func object(t *testing.T, s string) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
