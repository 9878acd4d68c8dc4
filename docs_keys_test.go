package tapedeck

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// wrong has, in each section of a file, a key that there is not, so that the report
// lists those that there are. The keys say under which name the documents list the
// section; "" is the top.
type wrong struct{ section, yaml string }

var (
	wrongDaemonFile = []wrong{
		{"", "x: 1"}, {"switches[].", "switches: [{ x: 1 }]"}, {"store.", "store: { x: 1 }"}, {"recordings.", "recordings: { x: 1 }"},
		{"prompts.", "prompts: { x: 1 }"}, {"audit.", "audit: { x: 1 }"}, {"http.", "http: { x: 1 }"}, {"metrics.", "metrics: { x: 1 }"}, {"log.", "log: { x: 1 }"},
	}
	wrongPolicy = []wrong{
		{"", "x: 1"}, {"", "organisations: { acme: {"}, {"", "x: 1,"}, {"disclaimer.", "disclaimer: { x: 1 },"}, {"on_demand.", "on_demand: { x: 1 },"},
		{"prompts.", "prompts: { x: 1 },"}, {"numbers[].", `numbers: { "+442079460001": { x: 1 } },`}, {"ring_groups[].", "ring_groups: { g: { x: 1 } },"},
		{"applications[].", "applications: { a: { x: 1 } },"}, {"users[].", "users: { u: { x: 1 } } } }"},
	}
	useForm  = regexp.MustCompile(`(?m):(\d+): unknown key .*: use (.*)$`)
	wordForm = regexp.MustCompile(`[a-z_]+`)
	keyForm  = regexp.MustCompile("`([a-z_.[\\]]+)`")
)

// keys: docs/configuration.md lists the keys that the daemon file and the policy file
// have, and no others.
func (r *repository) keys(t *testing.T) {
	daemonFile, policy := documentedKeys(t)
	for _, c := range []struct {
		name       string
		documented map[string]bool
		sections   []wrong
		args       []string
	}{
		{"daemon file", daemonFile, wrongDaemonFile, []string{"serve", "--config"}},
		{"policy file", policy, wrongPolicy, []string{"policy", "check"}},
	} {
		known := keysOf(t, r.program, c.args, c.sections)
		for _, key := range slices.Sorted(maps.Keys(known)) {
			if !c.documented[key] && !isSection(key, known) {
				t.Errorf("docs/configuration.md does not say what %s of the %s is", key, c.name)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(c.documented)) {
			if !known[key] {
				t.Errorf("docs/configuration.md: the %s has no key %s", c.name, key)
			}
		}
	}
}

// isSection reports whether a key has keys below it.
func isSection(key string, known map[string]bool) bool {
	for other := range known {
		if strings.HasPrefix(other, key+".") || strings.HasPrefix(other, key+"[].") {
			return true
		}
	}
	return false
}

// keysOf are the keys that tapedeck says it knows.
func keysOf(t *testing.T, program string, args []string, sections []wrong) map[string]bool {
	var text strings.Builder
	for _, s := range sections {
		text.WriteString(s.yaml + "\n")
	}
	file := filepath.Join(t.TempDir(), "wrong.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, append(slices.Clone(args), file)...).CombinedOutput()
	if err == nil {
		t.Fatalf("tapedeck takes\n%s", &text)
	}
	known := map[string]bool{}
	for i, s := range sections {
		for _, m := range useForm.FindAllStringSubmatch(string(out), -1) {
			if m[1] == strconv.Itoa(i+1) {
				for _, key := range wordForm.FindAllString(m[2], -1) {
					known[s.section+key] = key != "and"
				}
			}
		}
	}
	maps.DeleteFunc(known, func(_ string, is bool) bool { return !is })
	if len(known) < 10 {
		t.Fatalf("tapedeck says\n%s", out)
	}
	return known
}

// documentedKeys are the keys in the first column of docs/configuration.md's tables.
func documentedKeys(t *testing.T) (daemonFile, policy map[string]bool) {
	daemonFile, policy = map[string]bool{}, map[string]bool{}
	into := daemonFile
	for _, l := range readMarkdown(t, "docs/configuration.md").lines {
		if strings.HasPrefix(l.text, "## The policy file") {
			into = policy
		}
		if column, ok := strings.CutPrefix(l.text, "| `"); ok && !l.code {
			column, _, _ = strings.Cut("`"+column, " | ")
			for _, m := range keyForm.FindAllStringSubmatch(column, -1) {
				into[m[1]] = true
			}
		}
	}
	return daemonFile, policy
}
