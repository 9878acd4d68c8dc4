package console

import (
	"net/http"

	"tapedeck/console/api"
	"tapedeck/console/web"
)

// What the tests need of this package besides what it exports.
const (
	MaxBody         = maxBody
	MaxAddressConns = maxAddressConns
	MaxStreams      = maxStreams
	WriteWithin     = writeWithin
	BodyWithin      = bodyWithin
	NoStore         = noStore
)

var (
	Headers = headers
	ErrSlow = errSlow
)

func (s *Server) Limit(h http.Handler) http.Handler { return s.limit(h) }
func (s *Server) API() *api.API                     { return s.api }
func (s *Server) Pages() *web.Pages                 { return s.pages }
