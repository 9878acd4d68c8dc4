package metrics

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// rowForm is a row of the table of metrics: its name and its labels.
var rowForm = regexp.MustCompile("(?m)^\\| `(tapedeck_[a-z_]+)` \\|([^|]*)\\|")

// sectionTen is docs/design.md, section 10: the labels of every metric, in the order of the
// alphabet.
func sectionTen(t *testing.T) map[string]string {
	text, err := os.ReadFile("../docs/design.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## 10. ")
	section, _, _ = strings.Cut(section, "\n## ")
	all := map[string]string{}
	for _, row := range rowForm.FindAllStringSubmatch(section, -1) {
		labels := strings.FieldsFunc(row[2], func(c rune) bool { return strings.ContainsRune(" `,", c) })
		all[row[1]] = strings.Join(slices.Sorted(slices.Values(labels)), " ")
	}
	return all
}

// used has every metric with a value.
func used() *Metrics {
	m := New()
	m.Call("inbound", "on")
	m.Live(3, 2, 1)
	m.Decision(time.Millisecond)
	m.Command("arm masked", "ok")
	m.Toggle("dtmf", "ok")
	m.Recording("complete")
	m.Problem("not started")
	m.Adopted("adopted")
	m.Missing()
	m.UnknownAnswer()
	m.Purged(2)
	m.Console(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/x", nil))
	m.Event("CHANNEL_ANSWER")
	m.Connections(+2)
	m.Connections(-1)
	m.Rejected("peer_not_allowed")
	m.WatchUp("fs1", true)
	m.StoreUp(true)
	m.Forged("session")
	m.Evidence(-1)
	m.SignIn("ok")
	m.WorkerFailed("mp3")
	m.SignInFlood(true)
	m.Store("policy_read", time.Millisecond, nil)
	m.Policy("0123abcd")
	return m
}

func get(t *testing.T, h http.Handler, path string) (status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	b, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(b)
}

// TestEveryMetricIsNamed: names and labels are those of docs/design.md, section 10,
// no fewer and no others, each with a help text.
func TestEveryMetricIsNamed(t *testing.T) {
	m := used()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	said, seen := sectionTen(t), map[string]bool{}
	for _, f := range families {
		name := f.GetName()
		if !strings.HasPrefix(name, "tapedeck_") {
			continue
		}
		seen[name] = true
		labelled, known := said[name]
		if !known {
			t.Errorf("%s is not in docs/design.md, section 10", name)
		}
		if f.GetHelp() == "" {
			t.Errorf("%s has no help text", name)
		}
		for _, series := range f.GetMetric() {
			var labels []string
			for _, l := range series.GetLabel() {
				labels = append(labels, l.GetName())
			}
			if got := strings.Join(labels, " "); got != labelled {
				t.Errorf("%s has labels %q, want %q", name, got, labelled)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if !seen[name] {
			t.Errorf("%s is not exported", name)
		}
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "tapedeck_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestPromtool asks Prometheus's own tool.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool on PATH: /metrics is not checked with it")
	}
	_, text := get(t, used().Handler(nil), "/metrics")
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestValues(t *testing.T) {
	m := used()
	_, text := get(t, m.Handler(nil), "/metrics")
	for _, line := range []string{
		`tapedeck_calls_total{direction="inbound",state="on"} 1`, "tapedeck_calls_active 3", "tapedeck_recordings_active 2",
		"tapedeck_recordings_paused 1", "tapedeck_decision_seconds_count 1", "tapedeck_decision_seconds_sum 0.001",
		`tapedeck_commands_total{command="arm masked",result="ok"} 1`, `tapedeck_recordings_total{result="complete"} 1`,
		"tapedeck_recordings_missing_total 1", `tapedeck_watch_events_total{event="CHANNEL_ANSWER"} 1`,
		"tapedeck_outbound_connections 1", `tapedeck_outbound_rejected_total{reason="peer_not_allowed"} 1`,
		`tapedeck_watch_up{switch="fs1"} 1`, "tapedeck_store_up 1", "tapedeck_evidence_findings -1", `tapedeck_store_seconds_count{operation="policy_read"} 1`,
		`tapedeck_policy_info{revision="0123abcd"} 1`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	m.WatchUp("fs1", false)
	m.StoreUp(false)
	m.Policy("4567")
	_, text = get(t, m.Handler(nil), "/metrics")
	for _, line := range []string{`tapedeck_watch_up{switch="fs1"} 0`, "tapedeck_store_up 0", `tapedeck_policy_info{revision="4567"} 1`} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if strings.Contains(text, "0123abcd") {
		t.Error("two policies are in force")
	}
}

// operators name these themselves, and neither is anything that a call has.
var operators = []string{"WatchUp", "Policy"}

// TestNoNumberIsALabel hands numbers and ids to every method that takes text,
// those included that are written later.
func TestNoNumberIsALabel(t *testing.T) {
	for _, private := range []string{"+442079460001", "02079460001", "1001", "020 7946 0001", "sip:1001@acme.example.net",
		"c3a9f1de-8a1b-4f6c-9d5e-0b1c2d3e4f50", "٠٢٠٧٩٤٦", "０２０７９４６", "", strings.Repeat("a", 65), "line\nbreak", `a"b`} {
		m := New()
		handed := 0
		for i := range reflect.TypeOf(m).NumMethod() {
			method := reflect.TypeOf(m).Method(i)
			if slices.Contains(operators, method.Name) {
				continue
			}
			args, text := arguments(method.Type, private)
			if text {
				handed++
				reflect.ValueOf(m).Method(i).Call(args)
			}
		}
		if handed < 6 {
			t.Fatalf("%d methods take text", handed)
		}
		families, err := m.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, series := range f.GetMetric() {
				for _, l := range series.GetLabel() {
					if strings.HasPrefix(f.GetName(), "tapedeck_") && l.GetValue() != "other" {
						t.Errorf("%s{%s=%q}", f.GetName(), l.GetName(), l.GetValue())
					}
				}
			}
		}
	}
}

// arguments are a method's with text in place of every string; text says
// whether there is one.
func arguments(method reflect.Type, private string) (args []reflect.Value, text bool) {
	for i := 1; i < method.NumIn(); i++ {
		v := reflect.New(method.In(i)).Elem()
		if v.Kind() == reflect.String {
			v.SetString(private)
			text = true
		}
		args = append(args, v)
	}
	return args, text
}

func TestWordsOfTheProgramStay(t *testing.T) {
	for _, s := range []string{"inbound", "CHANNEL_HANGUP_COMPLETE", "arm masked", "tapedeck::toggle", "policy_read", "no_channel_data"} {
		if word(s) != s {
			t.Errorf("%q becomes %q", s, word(s))
		}
	}
}

func TestHealthAndReadiness(t *testing.T) {
	var why error
	h := New().Handler(func() error { return why })
	for _, c := range []struct {
		path   string
		why    error
		status int
		body   string
	}{
		{"/healthz", nil, http.StatusOK, "ok\n"},
		{"/healthz", errors.New("x"), http.StatusOK, "ok\n"},
		{"/readyz", nil, http.StatusOK, "ok\n"},
		{"/readyz", errors.New("no policy"), http.StatusServiceUnavailable, "no policy\n"},
		{"/other", nil, http.StatusNotFound, "404 page not found\n"},
	} {
		why = c.why
		if status, body := get(t, h, c.path); status != c.status || body != c.body {
			t.Errorf("%s: %d %q", c.path, status, body)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/metrics", bytes.NewReader(nil)))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /metrics: %d", w.Code)
	}
}
