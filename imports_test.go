package tapedeck

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport is what each package imports of ours (docs/design.md, section 4), in one
// direction only. Tests and the simulated FreeSWITCH that
// only the command's demo and tests run are left out.
var mayImport = map[string][]string{
	"cmd/tapedeck":          {"cmd/config", "cmd/daemon", "cmd/demo", "cmd/policy", "cmd/proof", "cmd/recordings", "cmd/simulate", "cmd/storeclient", "cmd/words", "console/access", "flow", "review", "flow/text", "internal/strictyaml", "internal/tidy", "recording", "recording/audit", "recording/chain", "recording/worker", "store/policy"},
	"cmd/config":            {"esl", "internal/durable", "internal/strictyaml", "recording", "store"},
	"cmd/daemon":            {"call", "cmd/config", "cmd/maintenance", "cmd/proof", "console", "console/access", "console/identity", "console/ops", "esl", "flow", "metrics", "recording", "recording/audit", "recording/worker", "store", "store/ask", "store/calls", "store/index", "store/policy", "store/session", "toggle"},
	"cmd/daemon/daemontest": {"cmd/config", "cmd/daemon", "cmd/spooltest", "esl/esltest", "internal/testkit"},
	"cmd/demo":              {"cmd/config", "cmd/daemon", "console/access", "esl", "esl/esltest", "flow", "recording", "store/calls"},
	"cmd/maintenance":       {"call", "flow", "recording", "recording/audit", "recording/evidence", "store/calls", "store/index"},
	"cmd/policy":            {"flow", "flow/edit", "review", "flow/text"},
	"cmd/proof":             {"cmd/config", "cmd/words", "flow", "internal/durable", "internal/tidy", "recording", "recording/audit", "recording/chain"},
	"cmd/recordings":        {"call", "cmd/config", "cmd/maintenance", "cmd/proof", "cmd/storeclient", "cmd/words", "flow", "internal/tidy", "recording", "recording/audit", "recording/chain", "store/index", "store/policy"},
	"cmd/simulate":          {"cmd/words", "esl/esltest"},
	"cmd/spooltest":         {"internal/testkit", "recording", "recording/audit"},
	"cmd/storeclient":       {"cmd/config", "cmd/words", "internal/durable", "store", "store/calls", "store/index", "store/policy"},
	"cmd/words":             {},

	"call":                {"call/confirm", "call/files", "call/handover", "call/keyfile", "call/roomrules", "call/survey", "call/who", "esl", "flow", "internal/recent", "internal/tidy", "recording", "store", "store/calls", "store/index", "toggle"},
	"call/confirm":        {"esl"},
	"call/files":          {"internal/tidy", "recording", "toggle"},
	"call/handover":       {"flow", "recording", "store/calls", "toggle"},
	"call/keyfile":        {"internal/durable"},
	"call/roomrules":      {"flow", "toggle"},
	"call/survey":         {"call/handover", "esl"},
	"call/who":            {"esl", "flow", "internal/tidy"},
	"console":             {"console/access", "console/api", "console/identity", "console/ops", "console/respond", "console/web", "flow", "recording", "recording/audit"},
	"console/api":         {"console/access", "console/identity", "console/ops", "console/query", "console/respond", "flow", "recording", "recording/audit"},
	"console/consoletest": {"console", "console/access", "console/identity", "flow", "flow/flowtest", "internal/testkit", "recording", "recording/audit", "store", "store/calls", "store/index", "store/session"},
	"console/identity":    {"console/access", "console/ops", "store/session"},
	"console/ops":         {"console/access", "flow", "internal/recent", "recording", "recording/audit", "store", "store/calls", "store/index", "toggle"},
	"console/query":       {"console/ops", "flow", "recording", "store/index"},
	"console/respond":     {"console/ops", "console/query", "flow"},
	"console/web":         {"console/access", "console/identity", "console/ops", "console/query", "console/respond", "flow", "internal/recent", "recording", "recording/audit", "store/calls", "store/index", "toggle"},
	"toggle":              {"flow"},
	"store":               {},
	"store/calls":         {"flow", "internal/recent", "store"},
	"store/index":         {"store"},
	"console/access":      {"internal/durable", "internal/strictyaml"},
	"esl":                 {},
	"esl/esltest":         {"recording/sound"},
	"flow":                {"internal/strictyaml"},
	"flow/edit":           {"internal/strictyaml"},
	"flow/flowtest":       {"flow"},
	"review":              {"flow", "internal/strictyaml", "toggle"},
	"flow/text":           {"flow", "flow/edit", "internal/durable", "internal/strictyaml"},
	"internal/strictyaml": {},
	"internal/durable":    {},
	"internal/testkit":    {},
	"internal/wire":       {},
	"internal/tidy":       {},
	"internal/recent":     {},
	"store/ask":           {"internal/recent", "store"},
	"store/policy":        {"flow", "store"},
	"store/session":       {"internal/recent", "store"},
	"store/storetest":     {"flow", "internal/testkit", "store"},
	"metrics":             {},
	"recording":           {"internal/durable", "internal/tidy", "recording/audit", "recording/chain", "recording/evidence", "recording/sound"},
	"recording/audit":     {"internal/durable", "internal/tidy", "recording/chain", "recording/evidence"},
	"recording/chain":     {},
	"recording/evidence":  {"internal/durable", "recording/chain"},
	"recording/sound":     {},
	"recording/worker":    {"recording", "recording/sound"},
	"e2e":                 {"e2e/lab", "esl"},
	"e2e/lab":             {"esl"},
	"e2e/faults":          {"e2e/lab", "esl/esltest"},
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		name := strings.TrimPrefix(words[0], "tapedeck/")
		seen[name] = true
		allowed, known := mayImport[name]
		if !known && name != "tapedeck" {
			t.Errorf("package %s is new: say here what it may import", name)
		}
		for _, path := range words[1:] {
			if own, ours := strings.CutPrefix(path, "tapedeck/"); ours && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s", name, own)
			}
		}
	}
	for name := range mayImport {
		if !seen[name] {
			t.Errorf("package %s is gone: take it out here", name)
		}
	}
}
