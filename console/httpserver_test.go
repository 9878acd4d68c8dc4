package console_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/console"
	"tapedeck/console/identity"
)

// deafConn is a client's connection that reads nothing after deaf is closed.
type deafConn struct {
	net.Conn
	deaf, closed chan struct{}
}

func (c *deafConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.deaf:
		<-c.closed
	default:
	}
	return n, err
}

// TestDeaf: a client that reads nothing of an answer does not hold its handler for long,
// over HTTP/1 and over HTTP/2 with a window that has room for more.
func TestDeaf(t *testing.T) {
	for _, protocol := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			deaf := &deafConn{deaf: make(chan struct{}), closed: make(chan struct{})}
			ended := make(chan struct{})
			h, _ := limitedServer(t, func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				if r.ProtoMajor != protocol {
					t.Errorf("%s, want HTTP/%d", r.Proto, protocol)
				}
				close(deaf.deaf)
				_, _ = w.Write(make([]byte, 1<<20))
			})
			deaf.Conn = wire(t, h)
			c := http2Client(t, deaf)
			if protocol == 1 {
				c.Protocols = nil
			}
			asked := make(chan struct{})
			go func() {
				defer close(asked)
				if res, err := c.RoundTrip(httptest.NewRequestWithContext(t.Context(), "GET", "http://x/api/x", nil)); err == nil {
					_ = res.Body.Close()
				}
			}()
			began := time.Now()
			select {
			case <-ended:
				if took := time.Since(began); took > 2*console.WriteWithin {
					t.Errorf("HTTP/%d: the handler is held for %v", protocol, took)
				}
			case <-time.After(24 * time.Hour):
				t.Errorf("HTTP/%d: a day later the handler still writes", protocol)
			}
			close(deaf.closed)
			_ = deaf.Conn.Close()
			<-asked
		})
	}
}

// TestCrowd: one client may have only so many connections; a trusted proxy may have
// more.
func TestCrowd(t *testing.T) {
	for _, proxies := range [][]netip.Prefix{nil, {netip.MustParsePrefix("127.0.0.0/8")}} {
		s := newServer(t, console.Config{Proxies: identity.Proxies{Trusted: proxies}})
		web := httptest.NewUnstartedServer(nil)
		web.Config = s.HTTPServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		web.Start()
		dial := func() net.Conn {
			t.Helper()
			c, err := net.Dial("tcp", web.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			return c
		}
		answered := func(c net.Conn) bool {
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			return err == nil && res.StatusCode == http.StatusOK
		}
		var all []net.Conn
		for range console.MaxAddressConns {
			all = append(all, dial())
		}
		if one := dial(); answered(one) != (proxies != nil) {
			t.Errorf("proxies %v: one connection more than a client may have is answered: %v", proxies, proxies == nil)
		}
		if !answered(all[console.MaxAddressConns-1]) {
			t.Errorf("proxies %v: one of those that were there first is not answered", proxies)
		}
		_ = all[0].Close()
		for limit := time.After(time.Minute); !answered(dial()); { // until the server has noticed
			select {
			case <-limit:
				t.Fatal("one was closed, and there is no room for another")
			default:
			}
		}
		web.Close()
	}
}
