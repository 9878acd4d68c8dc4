package daemon

import (
	"crypto/tls"
	"log/slog"
	"net/http"

	"tapedeck/cmd/config"
	"tapedeck/cmd/proof"
	"tapedeck/console"
	"tapedeck/console/access"
	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/metrics"
	"tapedeck/recording"
)

// webConsole is the console and what it needs, ready to be started.
type webConsole struct {
	accounts *access.Accounts
	console  *console.Server
	server   *http.Server
}

// newWebConsole builds the console. It fails if the accounts file or the certificate cannot
// be used.
func newWebConsole(cfg *config.Config, shop recording.Workshop, s *stores, live *liveCalls, keeper *proof.Keeper, m *metrics.Metrics, log *slog.Logger) (*webConsole, error) {
	accounts, err := access.Open(cfg.HTTP.Accounts, log)
	if err != nil {
		return nil, err
	}
	accounts.Changed = keeper.AccountsInForce
	var secure *tls.Config
	if cfg.HTTP.Certificate != "" {
		pair, err := newCertificate(cfg.HTTP.Certificate, cfg.HTTP.Key, log)
		if err != nil {
			return nil, err
		}
		secure = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}
	}
	c, err := console.New(console.Config{
		Index: s.index, Calls: s.calls, Sessions: s.sessions, Presser: live, Policy: s.policy.Policy, Dir: cfg.Recordings.Dir, Workshop: shop, Audit: keeper.Audit(), Evidence: evidenceOf(keeper),
		Accounts: accounts, Proxies: identity.Proxies{Trusted: cfg.HTTP.TrustedProxies, TLS: secure != nil}, Meter: m, Log: log,
	})
	if err != nil {
		return nil, err
	}
	server := c.HTTPServer(m.Console(c.Handler()))
	server.TLSConfig = secure
	return &webConsole{accounts: accounts, console: c, server: server}, nil
}

// evidenceOf returns what the console shows of the last verification of the evidence log.
func evidenceOf(keeper *proof.Keeper) func() ops.Evidence {
	return func() ops.Evidence {
		e := ops.Evidence{Kept: keeper.Audit().Evidence() != nil, Signed: keeper.Signs()}
		r := keeper.Result()
		if r == nil {
			return e
		}
		e.At, e.Entries, e.Wrong, e.Older, e.SignedTo, e.Since = r.At, r.Entries, r.Summary.Findings, r.Older, r.Checkpoint.At, r.Since
		if r.Err != nil {
			e.Failed = "the files could not all be read: the log of Tapedeck says why"
		}
		for _, f := range r.Findings {
			e.Findings = append(e.Findings, f.String())
		}
		return e
	}
}
