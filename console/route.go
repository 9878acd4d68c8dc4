package console

import (
	"net/http"
	"net/url"

	"tapedeck/console/access"
)

// api makes an operation of the API: whoever is not known gets 401, and every
// error is a problem in JSON.
func (s *Server) api(pattern string, right access.Right, do handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, err := s.visitor(r)
		if err == nil && !v.account.May(right) {
			err = errNotAllowed
		}
		if err == nil {
			err = do(w, r, v)
		}
		if err != nil {
			s.problem(w, r, err)
		}
	})
}

// page makes a page, or the target of a page's form: whoever is not known is
// sent to sign in, and every error is a page.
func (s *Server) page(pattern string, right access.Right, do handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, err := s.visitor(r)
		if err == errNotKnown {
			next := "/"
			if r.Method == http.MethodGet {
				next = r.URL.RequestURI()
			}
			http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(next), http.StatusSeeOther)
			return
		}
		if err == nil && !v.account.May(right) {
			err = errNotAllowed
		}
		if err == nil {
			err = do(w, r, v)
		}
		if err != nil {
			s.errorPage(w, r, v, err)
		}
	})
}
