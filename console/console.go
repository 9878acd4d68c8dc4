// Package console is the recordings console: the web pages and the API under
// /api/v1 (docs/design.md, section 9). Administrators find, hear and download
// recordings, and see and switch live calls, each as far as its account may.
package console

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store"
	"tapedeck/store/calls"
)

// Config is what a Server works on.
type Config struct {
	Store    *store.Store        // the index of recordings, the live calls of all instances, and the sessions
	Policy   func() *flow.Policy // the one in force; never nil
	Dir      recording.Dir
	Audit    *audit.Log
	Accounts *access.Accounts
	Calls    Calls
	Proxies  []netip.Prefix // whose X-Forwarded-For and X-Forwarded-Proto are believed
	TLS      bool           // everybody comes by HTTPS, whatever a proxy says
	Idle     time.Duration  // ends a session that is not used; 0: 30 minutes
	Lifetime time.Duration  // ends one that is; 0: 12 hours
	Log      *slog.Logger
}

// Calls is the door to the live calls.
type Calls interface {
	// Switch switches a live call's recording in the name of a user of its
	// organisation ("": the one who talks now), asked for by an account. It
	// returns the state that FreeSWITCH has confirmed: off, on or paused. The
	// errors are toggle.ErrNoCall, toggle.ErrBusy and a toggle.Refusal.
	Switch(ctx context.Context, call, user, account string, action Action) (calls.State, error)
}

// Action is what somebody wants of a live call's recording.
type Action string

// The actions. Start and Resume are the same wish: that it is recorded.
const (
	Start  Action = "start"
	Pause  Action = "pause"
	Resume Action = "resume"
	Toggle Action = "toggle"
)

// Server serves the console. New makes one.
type Server struct {
	cfg Config
	mux *http.ServeMux

	crossOrigin *http.CrossOriginProtection
	attempts    *attempts

	hub       *hub          // the live calls, for all who look at them
	said      saidLately    // in the audit log
	verifying chan struct{} // one for each recording that is being read anew
	pages     *pages

	alive context.Context // until Run has ended: what is made for more than one request
	end   context.CancelFunc
}

// New makes a Server. It serves until its Handler is not asked any more; Run
// does what has to be done besides.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, mux: http.NewServeMux(),
		crossOrigin: http.NewCrossOriginProtection(), attempts: newAttempts(),
		hub: newHub(cfg.Store, cfg.Log), verifying: make(chan struct{}, verifiers)}
	s.alive, s.end = context.WithCancel(context.Background())
	s.cfg.Idle = cmp.Or(cfg.Idle, defaultIdle)
	s.cfg.Lifetime = cmp.Or(cfg.Lifetime, defaultLifetime)
	s.signInRoutes()
	s.apiRoutes()
	if err := s.pageRoutes(); err != nil {
		return nil, err
	}
	return s, nil
}

// Run follows the live calls for those who look at them, and looks after the
// sessions, until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	defer s.end()
	s.hub.run(ctx)
	return nil
}

// Handler is the whole console.
func (s *Server) Handler() http.Handler { return s.guard(s.mux) }
