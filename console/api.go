package console

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tapedeck/console/access"
)

// openAPI describes the API; a test holds it against what is answered.
//
//go:embed openapi.json
var openAPI []byte

// apiRoutes are the operations of the API. Whether a visitor has the right to do
// a thing is asked when it is known that he may see it: what he may not see is
// not there, whatever he wants of it.
func (s *Server) apiRoutes() {
	s.api("GET /api/v1/recordings", access.See, s.getRecordings)
	s.api("GET /api/v1/recordings.csv", access.See, s.getCSV)
	s.api("POST /api/v1/recordings.zip", access.See, s.postZIP)
	s.api("GET /api/v1/recordings/{id}", access.See, s.getRecording)
	s.api("DELETE /api/v1/recordings/{id}", access.See, s.deleteRecording)
	s.api("GET /api/v1/recordings/{id}/audio.wav", access.See, s.getWAV)
	s.api("GET /api/v1/recordings/{id}/audio.mp3", access.See, s.getMP3)
	s.api("GET /api/v1/recordings/{id}/waveform.svg", access.See, s.getWaveform)
	s.api("PUT /api/v1/recordings/{id}/hold", access.See, s.putHold)
	s.api("DELETE /api/v1/recordings/{id}/hold", access.See, s.deleteHold)
	s.api("GET /api/v1/recordings/{id}/audit", access.See, s.getRecordingAudit)
	s.api("POST /api/v1/recordings/{id}/verify", access.See, s.postVerify)
	s.api("GET /api/v1/calls", access.See, s.getCalls)
	s.api("GET /api/v1/calls/events", access.See, s.getEvents)
	s.api("POST /api/v1/calls/{id}/recording", access.See, s.postSwitch)
	s.api("GET /api/v1/audit", access.See, s.getAudit)
	s.mux.HandleFunc("GET /api/v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openAPI) // whoever has gone needs no answer
	})
	s.mux.HandleFunc("/api/", s.noRoute)
}

// methods are those that a route may have.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete}

// noRoute answers what no operation is for.
func (s *Server) noRoute(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range methods {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := s.mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		s.problem(w, r, errNotFound)
		return
	}
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	s.problem(w, r, &fault{http.StatusMethodNotAllowed, "method", "use " + strings.Join(allowed, ", "), 0})
}

// sendJSON answers with a value.
func sendJSON(w http.ResponseWriter, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // whoever has gone needs no answer
	return nil
}
