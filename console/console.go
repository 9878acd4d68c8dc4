// Package console is the recordings console: the web pages and the API under
// /api/v1 (docs/design.md, section 9). Administrators find, hear and download
// recordings, and see and switch live calls, each as far as its account may.
//
// It joins its parts to one handler: package ops does what may be done, web has
// the pages, api the API, identity says who asks, and access reads the accounts.
package console

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"tapedeck/console/access"
	"tapedeck/console/api"
	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/console/respond"
	"tapedeck/console/web"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// Config is what a Server works on.
type Config struct {
	Index    ops.Index
	Calls    ops.LiveCalls
	Presser  ops.Presser
	Sessions identity.Sessions
	Policy   func() *flow.Policy // the one in force; never nil
	Dir      recording.Dir
	Workshop recording.Workshop // does the work on sounds; nil: this process does
	Audit    *audit.Log
	Evidence func() ops.Evidence // what is known of the evidence log
	Accounts *access.Accounts
	Proxies  identity.Proxies // which are believed, and whether all requests come by HTTPS
	Beat     time.Duration    // how often a stream of live calls is looked after; 0: 5 seconds
	Meter    ops.Meter        // nil: nothing is counted
	Log      *slog.Logger
}

// Server serves the console. New makes one.
type Server struct {
	log         *slog.Logger
	mux         *http.ServeMux
	crossOrigin *http.CrossOriginProtection
	proxies     identity.Proxies

	operations *ops.Operations
	api        *api.API
	pages      *web.Pages
}

// New makes a Server. Its handler works while Run runs.
func New(cfg Config) (*Server, error) {
	s := &Server{log: cfg.Log, mux: http.NewServeMux(), crossOrigin: http.NewCrossOriginProtection(),
		proxies: cfg.Proxies}
	s.operations = ops.New(ops.Config{Index: cfg.Index, Calls: cfg.Calls, Presser: cfg.Presser, Policy: cfg.Policy,
		Dir: cfg.Dir, Workshop: cfg.Workshop, Audit: cfg.Audit, Evidence: cfg.Evidence, Meter: cfg.Meter, Log: cfg.Log})
	checker := identity.New(identity.Config{Accounts: cfg.Accounts, Sessions: cfg.Sessions, Proxies: s.proxies,
		WrongToken: s.operations.Audit.WrongToken, Log: cfg.Log})
	beat := cmp.Or(cfg.Beat, respond.BeatEvery)
	s.api = api.New(api.Config{Operations: s.operations, Checker: checker, Policy: cfg.Policy, Beat: beat, Log: cfg.Log}, s.mux)
	var err error
	s.pages, err = web.New(web.Config{Operations: s.operations, Checker: checker, Accounts: cfg.Accounts, Policy: cfg.Policy,
		Beat: beat, Log: cfg.Log}, s.mux)
	return s, err
}

// Run follows the live calls for those who look at them, and floods of attempts to sign
// in, until ctx ends. It is called once.
func (s *Server) Run(ctx context.Context) error { return s.operations.Run(ctx) }

// Handler is the whole console.
func (s *Server) Handler() http.Handler { return s.limit(s.mux) }
