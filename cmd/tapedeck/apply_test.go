package main

import (
	"fmt"
	"strings"
	"testing"

	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/spooltest"
	"tapedeck/flow/flowtest"
	"tapedeck/internal/testkit"
)

// TestPolicyApply puts a policy into a real Redis: the serve that uses it
// follows, its own policy file does not fight it, and what that file says when
// it changes counts again.
func TestPolicyApply(t *testing.T) {
	testkit.NoLeaks(t)
	r := testkit.StartRedis(t)
	s := daemontest.Start(t, spooltest.TwoOrganisations, daemontest.RedisLine(r))
	s.Logged.Await(t, 1, "policy in force")
	config := s.Folder + "/tapedeck.yaml"

	o := tapedeck("policy", "apply", "--config", config, s.Policy)
	o.want(t, exitDone, "nothing changes: revision ", "")

	other := write(t, "other.yaml", spooltest.OneOrganisation)
	o = tapedeck("policy", "apply", "--config", config, other)
	p := flowtest.Policy(t, spooltest.OneOrganisation)
	want := fmt.Sprintf(`policy: region: GB → nothing
acme: domains: acme.example.net → nothing
acme: application/survey: removed
acme: number/+442079460002: removed
acme: ring_group/sales: removed
acme: user/alice: removed
acme: user/bob: removed
north: organisation removed, elements: 4
in force: revision %.12s
`, p.Revision)
	o.want(t, exitDone, want, s.Policy+" says something else, and serve puts that back when it starts")
	if o.stdout != want {
		t.Errorf("stdout is\n%s", o.stdout)
	}
	s.Metric(`tapedeck_policy_info{revision="`+p.Revision+`"}`, "1")

	testkit.Replace(t, s.Policy, spooltest.TwoOrganisations) // touched, and says the same
	s.Logged.Await(t, 1, "says what it said before", "revision="+p.Revision)
	s.Metric(`tapedeck_policy_info{revision="`+p.Revision+`"}`, "1")

	testkit.Replace(t, s.Policy, strings.Replace(spooltest.TwoOrganisations, "survey", "poll", 1))
	s.Logged.Await(t, 1, "policy in force", "replaces="+p.Revision)
	if n := strings.Count(s.Logged.String(), "policy in force"); n != 2 {
		t.Errorf("policies put in force by the file: %d", n)
	}
}
