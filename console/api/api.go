// Package api is the JSON API under /api/v1. openapi.json describes it.
package api

import (
	_ "embed"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/console/respond"
	"tapedeck/flow"
)

// OpenAPI describes the API; a test compares it with the answers.
//
//go:embed openapi.json
var OpenAPI []byte

// Config is what an API works on.
type Config struct {
	Operations *ops.Operations
	Checker    *identity.Checker
	Policy     func() *flow.Policy // the one in force; never nil
	Beat       time.Duration       // how often a stream is looked after
	Log        *slog.Logger
}

// API serves the JSON API. New makes one.
type API struct {
	Config
	mux *http.ServeMux
}

// Handler is an operation of the API. An error that it returns has not been
// answered yet; ops.FaultOf says how it is.
type Handler func(w http.ResponseWriter, r *http.Request, v *identity.Visit) error

// New makes the API and adds its routes to a mux. Handlers ask for a right to do a
// thing only when it is known that the visitor may see it: what he may not see is
// not found, whatever he wants to do with it.
func New(cfg Config, mux *http.ServeMux) *API {
	a := &API{cfg, mux}
	a.Handle("GET /api/v1/recordings", access.See, a.getRecordings)
	a.Handle("GET /api/v1/recordings.csv", access.See, a.getCSV)
	a.Handle("POST /api/v1/recordings.zip", access.See, a.postZIP)
	a.Handle("GET /api/v1/recordings/{id}", access.See, a.getRecording)
	a.Handle("DELETE /api/v1/recordings/{id}", access.See, a.deleteRecording)
	a.Handle("GET /api/v1/recordings/{id}/audio.wav", access.See, a.getWAV)
	a.Handle("GET /api/v1/recordings/{id}/audio.mp3", access.See, a.getMP3)
	a.Handle("GET /api/v1/recordings/{id}/waveform.svg", access.See, a.getWaveform)
	a.Handle("PUT /api/v1/recordings/{id}/hold", access.See, a.putHold)
	a.Handle("DELETE /api/v1/recordings/{id}/hold", access.See, a.deleteHold)
	a.Handle("GET /api/v1/recordings/{id}/audit", access.See, a.getRecordingAudit)
	a.Handle("POST /api/v1/recordings/{id}/verify", access.See, a.postVerify)
	a.Handle("GET /api/v1/calls", access.See, a.getCalls)
	a.Handle("GET /api/v1/calls/events", access.See, a.getEvents)
	a.Handle("POST /api/v1/calls/{id}/recording", access.See, a.postPress)
	a.Handle("GET /api/v1/audit", access.See, a.getAudit)
	mux.HandleFunc("GET /api/v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(OpenAPI) // a client that has left needs no answer
	})
	mux.HandleFunc("/api/", a.noRoute)
	return a
}

// Handle adds an operation. A visitor who is not known gets 401.
func (a *API) Handle(pattern string, right access.Right, do Handler) {
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, err := a.Checker.Visit(r)
		if err == nil && !v.Account.May(right) {
			err = ops.ErrNotAllowed
		}
		if err == nil {
			err = do(w, r, v)
		}
		if err != nil {
			a.Problem(w, r, err)
		}
	})
}

// methods are those that a route may have.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete}

// noRoute answers requests that no operation is for.
func (a *API) noRoute(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range methods {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := a.mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		a.Problem(w, r, ops.ErrNotFound)
		return
	}
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	a.Problem(w, r, &ops.Fault{Status: http.StatusMethodNotAllowed, Code: "method", Detail: "use " + strings.Join(allowed, ", ")})
}

// sendJSON answers with a value.
func sendJSON(w http.ResponseWriter, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that has left needs no answer
	return nil
}

// problemBody is application/problem+json (RFC 9457).
type problemBody struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Problem answers an error as application/problem+json.
func (a *API) Problem(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil { // the client has left
		return
	}
	f := respond.Fault(w, r, a.Log, err)
	body, _ := json.Marshal(problemBody{"about:blank", http.StatusText(f.Status), f.Status, f.Code, f.Detail})
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(f.Status)
	_, _ = w.Write(body) // a client that has left needs no answer
}
