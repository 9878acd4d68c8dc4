package main

import (
	"encoding/json"
	"strings"
	"testing"
)

const togglePolicy = `version: 1
organisations:
  acme:
    domains: [acme.example.net]
    on_demand: { dtmf: "*1" }
    numbers:
      "+442079460001": { record: yes }
      "+442079460002": { record: force }
    users:
      alice: { extension: "1001" }
      bob:   { extension: "1002", on_demand: disable }
      carol: { extension: "1003", on_demand: override }
`

func TestExplainToggles(t *testing.T) {
	policy := write(t, "policy.yaml", togglePolicy)
	for _, tc := range []struct{ args, want string }{
		{"--number +442079460001 --toggle alice --toggle 1001 --toggle bob", "alice switches by dtmf: recording is paused\n" +
			"alice switches by dtmf: recording is on\nbob switches, and is refused (user_disabled): recording is on\n"},
		{"--number +442079460002 --toggle alice --toggle carol", "alice switches, and is refused (locked): recording is on\n" +
			"carol switches by dtmf: recording is paused\n"},
	} {
		var stdout, stderr strings.Builder
		code := run(t.Context(), append([]string{"policy", "explain", policy, "--direction", "inbound"}, strings.Fields(tc.args)...), &stdout, &stderr)
		if code != exitDone || !strings.HasSuffix(stdout.String(), tc.want) {
			t.Errorf("%s: exit %d, %s%s", tc.args, code, stdout.String(), stderr.String())
		}
	}
}

func TestExplainTogglesInJSON(t *testing.T) {
	policy := write(t, "policy.yaml", togglePolicy)
	var stdout, stderr strings.Builder
	code := run(t.Context(), []string{"policy", "explain", policy, "--direction", "inbound", "--number", "+442079460001", "--toggle", "alice", "--json"}, &stdout, &stderr)
	var got struct{ Toggles []map[string]string }
	if err := json.Unmarshal([]byte(stdout.String()), &got); err != nil || code != exitDone || len(got.Toggles) != 1 {
		t.Fatalf("exit %d, %v: %s%s", code, err, stdout.String(), stderr.String())
	}
	for key, want := range map[string]string{"user": "alice", "method": "dtmf", "result": "ok", "state": "paused"} {
		if got.Toggles[0][key] != want {
			t.Errorf("%s is %q, want %q", key, got.Toggles[0][key], want)
		}
	}
}

func TestExplainToggleOfNobody(t *testing.T) {
	policy := write(t, "policy.yaml", togglePolicy)
	var stdout, stderr strings.Builder
	code := run(t.Context(), []string{"policy", "explain", policy, "--direction", "inbound", "--number", "+442079460001", "--toggle", "zoe"}, &stdout, &stderr)
	if code != exitUsage || !strings.Contains(stderr.String(), `no user "zoe"`) {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
}
