package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"tapedeck/cmd/spooltest"
)

func TestPolicyCheck(t *testing.T) {
	valid := write(t, "policy.yaml", spooltest.TwoOrganisations)
	tapedeck("policy", "check", valid).want(t, exitDone, "valid, 2 organisations, revision ", "")
	tapedeck("policy", "check", filepath.Dir(valid)).want(t, exitDone, "valid, 2 organisations, revision ", "")

	one := write(t, "policy.yaml", spooltest.OneOrganisation)
	tapedeck("policy", "check", one).want(t, exitDone, "valid, 1 organisation, revision ", "")

	missing := filepath.Join(t.TempDir(), "none.yaml")
	tapedeck("policy", "check", missing).want(t, exitFailed, "", "check: stat "+missing+": no such file or directory: name a file or a folder\n")

	empty := t.TempDir()
	tapedeck("policy", "check", empty).want(t, exitFailed, "", "put at least one *.yaml file into it")

	bad := write(t, "policy.yaml", "version: 1\norganisations:\n  acme:\n    colour: red\n    users:\n      bob: { record: maybe }\n")
	o := tapedeck("policy", "check", bad)
	o.want(t, exitFailed, "", "tapedeck policy check: refused: 2 mistakes to mend\n")
	lines := strings.Split(o.stderr, "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], bad+":4: ") || !strings.HasPrefix(lines[1], bad+":6: ") {
		t.Errorf("stderr is\n%s", o.stderr)
	}
}

func TestPolicyExplain(t *testing.T) {
	policy := write(t, "policy.yaml", spooltest.TwoOrganisations)
	for _, c := range []struct{ line, says string }{
		{"inbound --number 02079460001", "recorded, because number/+442079460001 says yes"},
		{"inbound --number 02079460001 --via ring_group/sales", "not recorded, because ring_group/sales says no"},
		{"inbound --number 02079460001 --via ring_group/sales --via application/survey", "recorded, because application/survey says yes"},
		{"inbound --number 02079460001 --via application/survey --via ring_group/sales", "not recorded, because ring_group/sales says no"},
		{"inbound --number 02079460001 --answered-by alice", "not recorded, because user/alice says no"},
		{"inbound --number 02079460001 --answered-by 1002", "recorded, because number/+442079460001 says yes"},
		{"inbound --number 02079460001 --via user/1001", "not recorded, because user/alice says no"},
		{"inbound --via number/02079460001", "recorded, because number/+442079460001 says yes"},
		{"inbound --number 02079460201", "not recorded, because the organisation has recording: false"},
		{"outbound --user alice --organisation acme", "not recorded, because user/alice says no"},
		{"outbound --user alice --number 02079460002", "recorded, because number/+442079460002 says force"},
		{"internal --user alice --answered-by bob", "recorded, because user/alice says yes"},
		{"internal --user bob --answered-by alice", "recorded, because user/alice says yes"},
		{"internal --user bob", "not recorded, because no element says yes or force"},
		{"inbound --organisation acme", "not recorded, because no element says yes or force"},
	} {
		args := append([]string{"policy", "explain", policy, "--direction"}, strings.Fields(c.line)...)
		o := tapedeck(args...)
		o.want(t, exitDone, c.says, "")
		if last := o.stdout[strings.LastIndexByte(strings.TrimRight(o.stdout, "\n"), '\n')+1:]; last != c.says+"\n" {
			t.Errorf("%s: the last line is %q", c.line, last)
		}
	}
}

func TestPolicyExplainRefuses(t *testing.T) {
	policy := write(t, "policy.yaml", spooltest.TwoOrganisations)
	for _, c := range []struct{ line, says string }{
		{"outbound --user alice", "it could be a call of acme or north: say which with --organisation"},
		{"inbound", "it could be a call of acme or north"},
		{"internal --user bob --answered-by nora", "--answered-by: organisation acme has no user/nora"},
		{"outbound --user zoe", "--user: none of the organisations acme, north has zoe"},
		{"outbound --user zoe --organisation acme", "--user: organisation acme has no user/zoe"},
		{"inbound --organisation south", `--organisation: there is no "south": the policy has acme, north`},
		{"inbound --number 02079469999", "--number: none of the organisations acme, north has 02079469999"},
		{"inbound --number 02079460201 --organisation acme", "+442079460201 is a number of organisation north, not of acme"},
		{"inbound --number 02079460001 --via ring_group/none", "--via: organisation acme has no ring_group/none"},
		{"inbound --number 02079460001 --via number/02079460201", "is a number of organisation north, not of acme"},
		{"inbound --number 02079460001 --via queue/1", "--via: unknown element"},
		{"inbound --number 02079460001 --via user", "--via: element \"user\" has no id"},
		{"inbound --user alice", "--answered-by"},
		{"outbound --user bob --answered-by alice", "--user"},
		{"internal --user bob --number 02079460001", "--answered-by"},
	} {
		o := tapedeck(append([]string{"policy", "explain", policy, "--direction"}, strings.Fields(c.line)...)...)
		o.want(t, exitUsage, "", c.says)
		if strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s: %q is not one line", c.line, o.stderr)
		}
	}
	broken := write(t, "policy.yaml", "version: 7\n")
	tapedeck("policy", "explain", broken, "--direction", "inbound").want(t, exitFailed, "", broken+":1: ")
}

// TestPolicyExplainJSON: other programs read this, so every key is here.
func TestPolicyExplainJSON(t *testing.T) {
	policy := write(t, "policy.yaml", spooltest.TwoOrganisations)
	o := tapedeck("policy", "explain", "--json", policy, "--direction", "outbound", "--user", "1001", "--number", "02079460002")
	o.want(t, exitDone, "{", "")
	want := `{"organisation":"acme","direction":"outbound","precedence":"last","recording":true,"chain":[
 {"element":"user/alice","setting":"no","effect":"keeps recording off","on":false,"locked":false},
 {"element":"number/+442079460002","setting":"force","effect":"turns recording on and locks it","on":true,"locked":true}],
 "recorded":true,"locked":true,"decider":"number/+442079460002","verdict":"recorded, because number/+442079460002 says force"}`
	if got := compact(t, o.stdout); got != compact(t, want) {
		t.Errorf("got  %s\nwant %s", got, compact(t, want))
	}
	o = tapedeck("policy", "explain", "--json", policy, "--direction", "inbound", "--organisation", "north")
	want = `{"organisation":"north","direction":"inbound","precedence":"last","recording":false,"chain":[],"recorded":false,
 "locked":false,"decider":"","verdict":"not recorded, because the organisation has recording: false"}`
	if got := compact(t, o.stdout); got != compact(t, want) {
		t.Errorf("got  %s\nwant %s", got, compact(t, want))
	}
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOneOrganisationNeedsNoName(t *testing.T) {
	policy := write(t, "policy.yaml", spooltest.OneOrganisation)
	tapedeck("policy", "explain", policy, "--direction", "inbound").want(t, exitDone, "not recorded", "")
	none := write(t, "policy.yaml", "version: 1\norganisations: {}\n")
	tapedeck("policy", "explain", none, "--direction", "inbound").want(t, exitFailed, "", "the policy has no organisation")
}
