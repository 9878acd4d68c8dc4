package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tapedeck is a running `tapedeck serve`.
type Tapedeck struct {
	*Process
	Recordings string // its folder of recordings
	Config     string // its daemon file
	program    string
	log        string
	metrics    string // address
	console    string // address
	token      string // of an operator
}

// TapedeckConfig is what StartTapedeck needs.
type TapedeckConfig struct {
	Program    string
	Dir        string // an empty folder
	Prompts    string // the prompts' folder
	Socket     string // where it listens for calls
	Switch     int    // event socket port of the switch, or of a Proxy in between
	Policy     string // YAML
	Store      string // address of Redis; empty: embedded
	Recordings string // folder; empty: RecordingsIn(Dir)
}

// RecordingsIn is the folder of recordings of a Tapedeck that has its files in dir.
func RecordingsIn(dir string) string { return filepath.Join(dir, "recordings") }

// StartTapedeck starts the daemon and waits until it is ready.
func StartTapedeck(ctx context.Context, c TapedeckConfig) (*Tapedeck, error) {
	ports, err := FreePorts(2)
	if err != nil {
		return nil, err
	}
	t := &Tapedeck{
		Recordings: cmp.Or(c.Recordings, RecordingsIn(c.Dir)), Config: filepath.Join(c.Dir, "tapedeck.yaml"),
		program: c.Program, log: filepath.Join(c.Dir, "tapedeck.log"), metrics: fmt.Sprintf("127.0.0.1:%d", ports[0]),
		console: fmt.Sprintf("127.0.0.1:%d", ports[1]),
	}
	files := map[string]string{
		filepath.Join(c.Dir, "policy.yaml"): c.Policy,
		t.Config: fmt.Sprintf(`listen: %s
switches:
  - { name: fs1, address: "127.0.0.1:%d", password: %s }
store: { redis: %s }
recordings: { dir: %s, stereo: true, rate: leg }
audit: { dir: %s, key: %s }
prompts: { dir: %s, language: en }
policy: %s
http: { listen: %q, accounts: %s }
metrics: { listen: "%s" }
log: { level: debug, format: text }
`, strconv.Quote(c.Socket), c.Switch, Password, strconv.Quote(cmp.Or(c.Store, "embedded")), t.Recordings, auditOf(t.Recordings), keyOf(t.Recordings), c.Prompts,
			filepath.Join(c.Dir, "policy.yaml"), t.console, filepath.Join(c.Dir, "accounts.yaml"), t.metrics),
	}
	if err := os.MkdirAll(t.Recordings, 0o750); err != nil {
		return nil, fmt.Errorf("lab: configure tapedeck: %w", err)
	}
	for path, text := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, fmt.Errorf("lab: configure tapedeck: %w", err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("lab: configure tapedeck: %w", err)
		}
	}
	if err := t.operator(ctx); err != nil {
		return nil, err
	}
	if _, err := os.Stat(keyOf(t.Recordings)); errors.Is(err, fs.ErrNotExist) {
		if out, err := t.Run(ctx, "audit", "key"); err != nil {
			return nil, fmt.Errorf("%w: %s", err, out)
		}
	}
	return t, t.Restart(ctx)
}

// auditOf is the folder of the evidence logs of a recordings folder, and keyOf their key.
// Instances that share the recordings share these.
func auditOf(recordings string) string { return recordings + "-audit" }
func keyOf(recordings string) string   { return recordings + "-audit.key" }

// operator makes an account that may do everything through the API.
func (t *Tapedeck) operator(ctx context.Context) error {
	if out, err := t.Run(ctx, "account", "add", "lab", "--role", "operator", "--no-password", "--replace"); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	out, err := t.Run(ctx, "token", "add", "lab")
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "td_") {
			t.token = strings.TrimSpace(line)
			return nil
		}
	}
	return fmt.Errorf("lab: tapedeck token add: there is no token in %q", out)
}

// API sends a request to the API, as an operator, for a path below /api/v1. A status
// other than 2xx is an error.
func (t *Tapedeck) API(ctx context.Context, method, path, body string) (answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+t.console+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Close = true // leave no idle connection behind
	req.Header.Set("Authorization", "Bearer "+t.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("lab: %s %s: %s: %s", method, path, resp.Status, answer)
	}
	return answer, err
}

// Restart starts a Tapedeck that has ended, as before.
func (t *Tapedeck) Restart(ctx context.Context) (err error) {
	if t.Process, err = StartProcess(t.log, t.program, "serve", "--config", t.Config); err != nil {
		return err
	}
	if err := t.ready(ctx); err != nil {
		_ = t.Stop(time.Second)
		return fmt.Errorf("%w\n%s", err, tail(t.log, 20))
	}
	return nil
}

// SetRate restarts Tapedeck with another rate of recordings: 8000, 16000 or leg.
func (t *Tapedeck) SetRate(ctx context.Context, rate string) error {
	text, err := os.ReadFile(t.Config)
	if err != nil {
		return fmt.Errorf("lab: configure tapedeck: %w", err)
	}
	before, rest, _ := strings.Cut(string(text), ", rate: ")
	_, after, found := strings.Cut(rest, " }")
	if !found {
		return fmt.Errorf("lab: configure tapedeck: %s names no rate", t.Config)
	}
	if err := os.WriteFile(t.Config, []byte(before+", rate: "+rate+" }"+after), 0o600); err != nil {
		return fmt.Errorf("lab: configure tapedeck: %w", err)
	}
	if err := t.Stop(10 * time.Second); err != nil {
		return err
	}
	return t.Restart(ctx)
}

// SetPolicy restarts Tapedeck with another policy.
func (t *Tapedeck) SetPolicy(ctx context.Context, policy string) error {
	if err := t.Stop(10 * time.Second); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(t.Config), "policy.yaml"), []byte(policy), 0o600); err != nil {
		return fmt.Errorf("lab: configure tapedeck: %w", err)
	}
	return t.Restart(ctx)
}

// Run runs another command of the same program with the same daemon file, such
// as `recordings verify`, and returns what it printed.
func (t *Tapedeck) Run(ctx context.Context, command ...string) (string, error) {
	args := append(slices.Clone(command), "--config", t.Config)
	out, err := exec.CommandContext(ctx, t.program, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("lab: tapedeck %s: %w", strings.Join(command, " "), err)
	}
	return string(out), err
}

func (t *Tapedeck) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := t.get(ctx, "/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-t.Done():
			return fmt.Errorf("lab: start tapedeck: it ended at once")
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("lab: start tapedeck: not ready: %w", err)
		}
	}
}

func (t *Tapedeck) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.metrics+path, nil)
	if err != nil {
		return "", err
	}
	req.Close = true // leave no idle connection behind
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("lab: %s: %s: %s", path, resp.Status, strings.TrimSpace(string(body)))
	}
	return string(body), err
}

// Metric is the value of one series of /metrics; 0 if there is no such series.
func (t *Tapedeck) Metric(ctx context.Context, series string) (float64, error) {
	text, err := t.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, series+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
	}
	return 0, nil
}

// Sum is the sum of all series of a metric.
func (t *Tapedeck) Sum(ctx context.Context, metric string) (sum float64, err error) {
	text, err := t.get(ctx, "/metrics")
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, metric+"{"); found && err == nil {
			var value float64
			value, err = strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndex(rest, "}")+1:]), 64)
			sum += value
		}
	}
	return sum, err
}

// Complaints returns the lines of Tapedeck's log that contain text, of level WARN or
// ERROR.
func (t *Tapedeck) Complaints(text string) (lines []string) {
	for _, line := range t.Log(text) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
			lines = append(lines, line)
		}
	}
	return lines
}

// Log returns the lines of Tapedeck's log that contain text. If the log cannot be read,
// it returns one line of level ERROR that says so: no complaint must not mean no log.
func (t *Tapedeck) Log(text string) (lines []string) {
	data, err := os.ReadFile(t.log)
	if err != nil {
		return []string{"level=ERROR " + err.Error()}
	}
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, text) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// Files returns every sound file in an organisation's folder of recordings.
func (t *Tapedeck) Files(o Org) (paths []string, err error) {
	root := filepath.Join(t.Recordings, o.ID())
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err == nil && filepath.Ext(path) == ".wav" {
			paths = append(paths, path)
		}
		return err
	})
	return paths, err
}
