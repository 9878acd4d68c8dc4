package review

import (
	"strings"
	"testing"

	"tapedeck/flow"
)

// TestExample: the example of docs/configuration.md is what it says.
func TestExample(t *testing.T) {
	p, err := flow.Load("../flow/testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, err := ReadExpectations("testdata/expectations.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if failed := Test(p, all, &b); failed > 0 || len(all) != 4 || strings.Count(b.String(), "ok    ") != 4 {
		t.Errorf("%d of %d failed:\n%s", failed, len(all), b.String())
	}
	p.Organisations["acme"].Users["alice"].Record = flow.Settings{flow.No, flow.No, flow.No}
	b.Reset()
	if failed := Test(p, all, &b); failed != 2 || !strings.Contains(b.String(), "recorded: expected true, is false; not recorded, because user/alice says no") {
		t.Errorf("%d failed:\n%s", failed, b.String())
	}
}
