package console

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// client is where a request comes from.
type client struct {
	addr netip.Addr // of the browser or program; zero: not known
	tls  bool       // it came to us, or to a proxy that we believe, by HTTPS
}

func (c client) String() string {
	if !c.addr.IsValid() {
		return "unknown"
	}
	return c.addr.String()
}

// client says where a request comes from. What X-Forwarded-For and
// X-Forwarded-Proto say counts only when a trusted proxy has sent them: every
// proxy adds the address that it saw to the right, and the rightmost that is no
// trusted proxy's is the client's. All to the left of it anybody can have written.
func (s *Server) client(r *http.Request) client {
	c := client{addr: address(r.RemoteAddr), tls: r.TLS != nil || s.cfg.TLS}
	if !s.trusts(c.addr) {
		return c
	}
	if proto := r.Header.Values("X-Forwarded-Proto"); len(proto) > 0 {
		words := strings.Split(proto[len(proto)-1], ",")
		c.tls = c.tls || strings.EqualFold(strings.TrimSpace(words[len(words)-1]), "https")
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr := address(strings.TrimSpace(hop))
		if !addr.IsValid() {
			break
		}
		c.addr = addr
		if !s.trusts(addr) {
			break
		}
	}
	return c
}

func (s *Server) trusts(a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(s.cfg.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// address reads an address with or without a port.
func address(text string) netip.Addr {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}
