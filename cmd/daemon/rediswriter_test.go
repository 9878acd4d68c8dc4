package daemon_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/cmd/daemon"
	"tapedeck/cmd/daemon/daemontest"
	"tapedeck/cmd/spooltest"
	"tapedeck/console/access"
	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
	"tapedeck/recording/audit"
	"tapedeck/store/session"
	"tapedeck/store/storetest"
)

// forgedSession is a session of an account without a password, as anybody can compute it
// who knows its name and role, and the cookie for it.
func forgedSession(t *testing.T, account string) (id, text string, cookie *http.Cookie) {
	t.Helper()
	named, err := json.Marshal([]any{access.Account{Name: account, Role: access.Operator}, ""})
	if err != nil {
		t.Fatal(err)
	}
	stamp := sha256.Sum256(named)
	secret := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	sum := sha256.Sum256([]byte(secret))
	id = hex.EncodeToString(sum[:])
	made, err := json.Marshal(session.Session{ID: id, Account: account, Stamp: hex.EncodeToString(stamp[:16]), CSRF: secret, From: "127.0.0.1", Began: time.Now(), Seen: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return id, string(made), &http.Cookie{Name: "tapedeck_session", Value: secret}
}

// TestRedisWriter: whoever writes to Redis does not sign in, if there is a key. Without
// one he does, and the log says so when Tapedeck starts.
func TestRedisWriter(t *testing.T) {
	for name, want := range map[string]int{"with a key": http.StatusUnauthorized, "without a key": http.StatusOK} {
		t.Run(name, func(t *testing.T) {
			redis := testkit.StartRedis(t)
			dir := spooltest.Folder(t)
			more := daemontest.RedisLine(redis)
			if want == http.StatusUnauthorized {
				more = daemontest.SealedRedisLine(t, redis, dir)
			}
			testkit.Replace(t, filepath.Join(dir, "accounts.yaml"), "version: 1\naccounts:\n  robot: { role: operator }\n")
			testkit.Replace(t, filepath.Join(dir, "policy.yaml"), switchable)
			cfg, err := config.Parse("tapedeck.yaml", []byte(spooltest.DaemonFile(dir, more)))
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			d, err := daemon.Start(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Stop()

			if got := usesForgedSession(t, redis, d); got != want {
				t.Errorf("the forged session gets %d, want %d", got, want)
			}
			d.Stop()
			if warned := strings.Contains(log.String(), "whoever may write to redis is believed"); warned != (want == http.StatusOK) {
				t.Errorf("warned: %v:\n%s", warned, &log)
			}
		})
	}
}

// TestStoreKeyThatIsNotThere: a key that the daemon file names has to be there.
func TestStoreKeyThatIsNotThere(t *testing.T) {
	redis, dir := testkit.StartRedis(t), spooltest.Folder(t)
	more := strings.Replace(daemontest.RedisLine(redis), "}", ", key_file: "+filepath.Join(dir, "store.key")+" }", 1)
	cfg, err := config.Parse("tapedeck.yaml", []byte(spooltest.DaemonFile(dir, more)))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := daemon.Start(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil {
		d.Stop()
		t.Error("it starts")
	} else if !strings.Contains(err.Error(), "tapedeck store key") {
		t.Error(err)
	}
}

// usesForgedSession puts a session into Redis, asks the console with it, and returns the status.
func usesForgedSession(t *testing.T, redis *testkit.Redis, d *daemon.Daemon) (status int) {
	t.Helper()
	id, text, cookie := forgedSession(t, "robot")
	if err := storetest.Client(t, redis).Set(t.Context(), "tapedeck:{sessions}:session:"+id, text, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://%s/api/v1/recordings", d.Addresses().Console), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.AddCookie(cookie)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	return answer.StatusCode
}

// TestSuspected: a stranger at the socket and a forged record in Redis are lines in the audit
// log, which the evidence log has, too.
func TestSuspected(t *testing.T) {
	redis, dir := testkit.StartRedis(t), spooltest.Folder(t)
	sw, line := daemontest.Switch(t, "fs1", "ClueCon", esltest.RealTime)
	cfg, err := config.Parse("tapedeck.yaml", []byte(spooltest.DaemonFile(dir, daemontest.SealedRedisLine(t, redis, dir)+"switches:\n"+line)))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Replace(t, filepath.Join(dir, "accounts.yaml"), "version: 1\naccounts:\n  robot: { role: operator }\n")
	testkit.Replace(t, filepath.Join(dir, "policy.yaml"), switchable)
	var log testkit.Log
	d, err := daemon.Start(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Stop()
	log.Await(t, 1, "link is up")

	usesForgedSession(t, redis, d)
	for range 3 {
		if _, err := (esltest.Stranger{Leg: "0c7a5f40-1782-4bff-9de0-b6ba8f16e031", Core: sw.CoreUUID()}).Visit(t.Context(), d.Addresses().Socket.String()); err != nil {
			t.Fatal(err)
		}
	}
	path := audit.New(cfg.Recordings.Dir.String(), nil).Path()
	testkit.Until(t, "the audit log", func() bool { _, err := os.Stat(path); return err == nil }, &log)
	lines := func() (found []string) {
		for _, line := range testkit.JSONLines[audit.Line](t, path) {
			if line.What == audit.Stranger || line.What == audit.Forged {
				found = append(found, fmt.Sprint(line.What, " ", line.From, ": ", line.Detail, " ", line.Seq > 0))
			}
		}
		slices.Sort(found)
		return found
	}
	want := []string{"forged redis: a record without a valid seal: session true", "stranger 127.0.0.1: at the outbound socket: no leg of a FreeSWITCH of ours true"}
	testkit.Until(t, "the lines", func() bool { return len(lines()) >= len(want) }, &log)
	d.Stop()
	if got := lines(); !slices.Equal(got, want) {
		t.Errorf("lines:\n%s", strings.Join(got, "\n"))
	}
}
