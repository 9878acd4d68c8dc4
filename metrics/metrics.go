// Package metrics names every metric of Tapedeck (docs/design.md, section 10) and
// serves them. No phone number, user or call id is ever a label.
package metrics

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics holds every metric. Its methods may be called from any goroutine and never
// block.
type Metrics struct {
	registry *prometheus.Registry

	callsActive, recordingsActive, recordingsPaused        prometheus.Gauge
	calls, commands, toggles, recordings, rejected, events *prometheus.CounterVec
	problems, adopted, console, signIns, forged, workers   *prometheus.CounterVec
	missing, purged, unknown                               prometheus.Counter
	decision                                               prometheus.Histogram
	storeSeconds                                           *prometheus.HistogramVec
	connections, storeUp, evidence, signInFlood            prometheus.Gauge
	watchUp, policy                                        *prometheus.GaugeVec
}

// New registers every metric with a registry that nobody else uses.
func New() *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(r)
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	short := prometheus.ExponentialBuckets(0.0001, 2, 14) // 0.1 ms to 0.8 s
	return &Metrics{
		registry:         r,
		callsActive:      gauge("tapedeck_calls_active", "Calls that are live."),
		recordingsActive: gauge("tapedeck_recordings_active", "Recordings into which speech is written."),
		recordingsPaused: gauge("tapedeck_recordings_paused", "Recordings into which silence is written."),
		calls: counters("tapedeck_calls_total",
			"Calls that reached the socket, by direction and by what was decided first: on, off, disabled (organisation without recording), unknown (nobody's number).",
			"direction", "state"),
		commands: counters("tapedeck_commands_total",
			"Recording commands by result: ok, refused, missing (no such recording or channel), unanswered, unsent (the link is down).", "command", "result"),
		toggles: counters("tapedeck_toggles_total",
			"Presses by method (dtmf, record_key, blind_transfer, api; auto_resume is a pause that ended by itself) and result: ok, or why not.",
			"method", "result"),
		recordings: counters("tapedeck_recordings_total", "Files that were examined at the end of their call: complete, problem, removed (nobody wanted it).", "result"),
		problems: counters("tapedeck_recording_problems_total",
			"Problems of recordings, by what a sidecar calls them, when they are noticed.", "problem"),
		adopted: counters("tapedeck_adopted_calls_total",
			"Calls that another Tapedeck followed before: adopted (taken over), ended (while nobody followed them), failed, yielded (to another instance).", "outcome"),
		forged: counters("tapedeck_store_forged_total",
			"Records in Redis that were not believed, when they were read: session, policy, call, recording, ask (a request of another instance), answer (to one).", "record"),
		console: counters("tapedeck_console_requests_total", "Requests to the console and its API, by method and status.", "method", "code"),
		signIns: counters("tapedeck_sign_ins_total",
			"Attempts to sign in to the console: ok, wrong, slowed (too soon after others), busy (too many passwords were to be compared).", "result"),
		workers: counters("tapedeck_worker_failures_total",
			"Worker processes that ended, made no progress or could not be started: finishing, mp3.", "worker"),
		signInFlood: gauge("tapedeck_sign_in_flood", "Whether there is a flood of attempts to sign in that fail: 1 or 0."),
		rejected: counters("tapedeck_outbound_rejected_total",
			"Connections to the outbound socket that were closed without a call, by reason.", "reason"),
		events: counters("tapedeck_watch_events_total", "Events of the watch links by name.", "event"),
		missing: f.NewCounter(prometheus.CounterOpts{Name: "tapedeck_recordings_missing_total",
			Help: "Recordings that were wanted, by the policy or by a press, and that have no file."}),
		unknown: f.NewCounter(prometheus.CounterOpts{Name: "tapedeck_unknown_answers_total",
			Help: "Legs that answered on an organisation's call and are nobody's whom the policy knows."}),
		purged: f.NewCounter(prometheus.CounterOpts{Name: "tapedeck_recordings_purged_total",
			Help: "Recordings that were deleted because their organisation keeps them no longer."}),
		decision: f.NewHistogram(prometheus.HistogramOpts{Name: "tapedeck_decision_seconds",
			Help: "From a leg's channel data to the confirmed exit.", Buckets: short}),
		storeSeconds: f.NewHistogramVec(prometheus.HistogramOpts{Name: "tapedeck_store_seconds",
			Help: "Redis operations.", Buckets: short}, []string{"operation"}),
		connections: gauge("tapedeck_outbound_connections", "Open connections on the outbound socket."),
		storeUp:     gauge("tapedeck_store_up", "Whether Redis answers: 1 or 0."),
		evidence:    gauge("tapedeck_evidence_findings", "What the last verification of the evidence log found wrong; -1: it could not be done, or there is no log."),
		watchUp: f.NewGaugeVec(prometheus.GaugeOpts{Name: "tapedeck_watch_up",
			Help: "Whether the watch link to a FreeSWITCH is up: 1 or 0."}, []string{"switch"}),
		policy: f.NewGaugeVec(prometheus.GaugeOpts{Name: "tapedeck_policy_info",
			Help: "The policy in force, by its revision."}, []string{"revision"}),
	}
}

// Call counts a call that reached the socket.
func (m *Metrics) Call(direction, state string) {
	m.calls.WithLabelValues(word(direction), word(state)).Inc()
}

// Live sets how many calls, recordings and paused recordings there are now.
func (m *Metrics) Live(calls, recording, paused int) {
	m.callsActive.Set(float64(calls))
	m.recordingsActive.Set(float64(recording))
	m.recordingsPaused.Set(float64(paused))
}

// Decision observes how long one leg was on the socket.
func (m *Metrics) Decision(d time.Duration) { m.decision.Observe(d.Seconds()) }

// Command counts a recording command by what became of it.
func (m *Metrics) Command(command, result string) {
	m.commands.WithLabelValues(word(command), word(result)).Inc()
}

// Toggle counts a press.
func (m *Metrics) Toggle(method, result string) {
	m.toggles.WithLabelValues(word(method), word(result)).Inc()
}

// Recording counts a file that was examined at the end of its call.
func (m *Metrics) Recording(result string) { m.recordings.WithLabelValues(word(result)).Inc() }

// Problem counts a problem of a recording.
func (m *Metrics) Problem(problem string) { m.problems.WithLabelValues(word(problem)).Inc() }

// Adopted counts a call that another Tapedeck followed before, by what became of it.
func (m *Metrics) Adopted(outcome string) { m.adopted.WithLabelValues(word(outcome)).Inc() }

// UnknownAnswer counts a leg that answered and is nobody's whom the policy knows.
func (m *Metrics) UnknownAnswer() { m.unknown.Inc() }

// Missing counts a recording that was wanted and has no file.
func (m *Metrics) Missing() { m.missing.Inc() }

// Purged counts recordings that were deleted because their retention is over.
func (m *Metrics) Purged(n int) { m.purged.Add(float64(n)) }

// Event counts an event of a watch link. The links subscribe to few events, so the
// label has few values.
func (m *Metrics) Event(name string) { m.events.WithLabelValues(word(name)).Inc() }

// Connections adds delta to the number of open connections of the outbound socket.
func (m *Metrics) Connections(delta int) { m.connections.Add(float64(delta)) }

// Rejected counts a connection to the outbound socket that was refused.
func (m *Metrics) Rejected(reason string) { m.rejected.WithLabelValues(word(reason)).Inc() }

// WatchUp sets whether the watch link to a FreeSWITCH is up.
func (m *Metrics) WatchUp(name string, up bool) { m.watchUp.WithLabelValues(name).Set(one(up)) }

// Evidence sets how much the last verification of the evidence log found wrong; -1 if it
// could not be done.
func (m *Metrics) Evidence(findings int) { m.evidence.Set(float64(findings)) }

// SignIn counts an attempt to sign in to the console.
func (m *Metrics) SignIn(result string) { m.signIns.WithLabelValues(word(result)).Inc() }

// WorkerFailed counts a worker process that ended, made no progress or could not be
// started.
func (m *Metrics) WorkerFailed(worker string) { m.workers.WithLabelValues(word(worker)).Inc() }

// SignInFlood sets whether there is a flood of attempts to sign in that fail.
func (m *Metrics) SignInFlood(on bool) { m.signInFlood.Set(one(on)) }

// StoreUp sets whether Redis answers.
func (m *Metrics) StoreUp(up bool) { m.storeUp.Set(one(up)) }

// Store observes how long a Redis operation took.
func (m *Metrics) Store(operation string, d time.Duration, _ error) {
	m.storeSeconds.WithLabelValues(word(operation)).Observe(d.Seconds())
}

// Forged counts a record in Redis that was not believed.
func (m *Metrics) Forged(record string) { m.forged.WithLabelValues(word(record)).Inc() }

// Policy sets the revision of the policy that counts.
func (m *Metrics) Policy(revision string) {
	m.policy.Reset()
	m.policy.WithLabelValues(revision).Set(1)
}

// longestWord bounds a label's value: no name that the program gives is as long.
const longestWord = 64

// word is a label's value: a name that the program or the daemon file gives. A text
// with a digit could be a telephone number, or one of endlessly many ids: it becomes
// "other".
func word(s string) string {
	if s == "" || len(s) > longestWord || strings.ContainsFunc(s, isNoLetter) {
		return "other"
	}
	return s
}

func isNoLetter(r rune) bool {
	return (r < 'a' || 'z' < r) && (r < 'A' || 'Z' < r) && !strings.ContainsRune(" _-:.", r)
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Handler serves /metrics, /healthz (200: the process runs) and /readyz (503 with the
// error of ready, if it should not be sent calls).
func (m *Metrics) Handler(ready func() error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { write(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { write(w, ready()) })
	return mux
}

// Console counts the requests to a handler, by method and status. The path is no
// label, because ids are in it.
func (m *Metrics) Console(h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerCounter(m.console, h)
}

func write(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text := "ok\n"
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = err.Error() + "\n"
	}
	_, _ = w.Write([]byte(text)) // an error means that the client is gone
}
