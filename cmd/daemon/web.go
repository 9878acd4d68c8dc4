package daemon

import (
	"crypto/tls"
	"log/slog"
	"net/http"

	"tapedeck/cmd/config"
	"tapedeck/console"
	"tapedeck/console/access"
	"tapedeck/metrics"
	"tapedeck/recording/audit"
)

// webConsole is the console and what it needs, ready to be started.
type webConsole struct {
	accounts *access.Accounts
	console  *console.Server
	server   *http.Server
}

// newWebConsole builds the console. It fails if the accounts file or the certificate cannot
// be used.
func newWebConsole(cfg *config.Config, s *stores, live *liveCalls, m *metrics.Metrics, log *slog.Logger) (*webConsole, error) {
	accounts, err := access.Open(cfg.HTTP.Accounts, log)
	if err != nil {
		return nil, err
	}
	var secure *tls.Config
	if cfg.HTTP.Certificate != "" {
		pair, err := newCertificate(cfg.HTTP.Certificate, cfg.HTTP.Key, log)
		if err != nil {
			return nil, err
		}
		secure = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}
	}
	c, err := console.New(console.Config{
		Index: s.index, Calls: s.calls, Sessions: s.sessions, Presser: live, Policy: s.policy.Policy, Dir: cfg.Recordings.Dir, Audit: audit.New(cfg.Recordings.Dir.String(), nil),
		Accounts: accounts, Proxies: cfg.HTTP.TrustedProxies, TLS: secure != nil, Log: log,
	})
	if err != nil {
		return nil, err
	}
	server := c.HTTPServer(m.Console(c.Handler()))
	server.TLSConfig = secure
	return &webConsole{accounts: accounts, console: c, server: server}, nil
}
