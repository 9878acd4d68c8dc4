package console

import "net/http"

// errorPage answers an error as a page. v is nil if it is not known who asks.
func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	http.Error(w, err.Error(), statusOf(err))
}
