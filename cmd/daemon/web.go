package daemon

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/console"
	"tapedeck/console/access"
	"tapedeck/metrics"
	"tapedeck/recording/audit"
)

// startConsole starts the web console on a listener.
func (d *Daemon) startConsole(cfg *config.Config, ln net.Listener, m *metrics.Metrics, log *slog.Logger) error {
	accounts, err := access.Open(cfg.HTTP.Accounts, log)
	if err != nil {
		return err
	}
	var pair *certificate
	if cfg.HTTP.Certificate != "" {
		if pair, err = newCertificate(cfg.HTTP.Certificate, cfg.HTTP.Key, log); err != nil {
			return err
		}
	}
	web, err := console.New(console.Config{
		Store: d.store, Policy: d.store.Policy, Dir: cfg.Recordings.Dir, Audit: audit.New(cfg.Recordings.Dir.String()), Accounts: accounts, Calls: d.liveCalls,
		Proxies: cfg.HTTP.TrustedProxies, TLS: pair != nil, Log: log,
	})
	if err != nil {
		return err
	}
	d.start("accounts", accounts.Run)
	d.start("console", web.Run)
	d.start("web", serveConsole(ln, web.HTTPServer(m.Console(web.Handler())), pair))
	return nil
}

// serveConsole serves until its context ends; streams that are open then are cut
// after a moment.
func serveConsole(ln net.Listener, s *http.Server, pair *certificate) func(context.Context) error {
	return func(ctx context.Context) error {
		s.BaseContext = func(net.Listener) context.Context { return ctx }
		stop := context.AfterFunc(ctx, func() {
			graceful, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if s.Shutdown(graceful) != nil {
				_ = s.Close()
			}
		})
		defer stop()
		if pair == nil {
			return s.Serve(ln)
		}
		s.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}
		return s.ServeTLS(ln, "", "")
	}
}
