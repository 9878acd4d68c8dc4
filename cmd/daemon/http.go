package daemon

import (
	"context"
	"net"
	"net/http"
	"time"
)

// closeGrace is how long an HTTP server waits at its end for requests in hand. Then
// streams that are still open are cut.
const closeGrace = time.Second

// serveHTTP returns a part that serves requests on ln until its context ends. Requests
// see the end of that context. With a TLSConfig it serves HTTPS.
func serveHTTP(ln net.Listener, s *http.Server) func(context.Context) error {
	return func(ctx context.Context) error {
		s.BaseContext = func(net.Listener) context.Context { return ctx }
		stop := context.AfterFunc(ctx, func() {
			graceful, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
			defer cancel()
			if s.Shutdown(graceful) != nil {
				_ = s.Close()
			}
		})
		defer stop()
		if s.TLSConfig != nil {
			return s.ServeTLS(ln, "", "")
		}
		return s.Serve(ln)
	}
}
