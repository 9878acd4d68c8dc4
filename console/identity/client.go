package identity

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Client is where a request comes from.
type Client struct {
	Addr netip.Addr // of the browser or program; zero: not known
	TLS  bool       // it came to us, or to a proxy that we believe, by HTTPS
}

func (c Client) String() string {
	if !c.Addr.IsValid() {
		return "unknown"
	}
	return c.Addr.String()
}

// Proxies says which requests come through a proxy whose X-Forwarded-For and
// X-Forwarded-Proto are believed.
type Proxies struct {
	Trusted []netip.Prefix
	TLS     bool // every request comes by HTTPS, whatever a proxy says
}

// Client says where a request comes from. X-Forwarded-For and X-Forwarded-Proto
// count only if a trusted proxy has sent them: every proxy appends the address that
// it saw, so the rightmost address that is no trusted proxy's is the client's.
// Anybody can have written what is to the left of it.
func (p Proxies) Client(r *http.Request) Client {
	c := Client{Addr: Address(r.RemoteAddr), TLS: r.TLS != nil || p.TLS}
	if !p.Trusts(c.Addr) {
		return c
	}
	if proto := r.Header.Values("X-Forwarded-Proto"); len(proto) > 0 {
		words := strings.Split(proto[len(proto)-1], ",")
		c.TLS = c.TLS || strings.EqualFold(strings.TrimSpace(words[len(words)-1]), "https")
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr := Address(strings.TrimSpace(hop))
		if !addr.IsValid() {
			break
		}
		c.Addr = addr
		if !p.Trusts(addr) {
			break
		}
	}
	return c
}

// Trusts reports whether an address is a trusted proxy's.
func (p Proxies) Trusts(a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(p.Trusted, func(net netip.Prefix) bool { return net.Contains(a) })
}

// Address reads an address with or without a port. It is zero if the text is none.
func Address(text string) netip.Addr {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// Network is the addresses that one client may have: of IPv6 a /64.
func Network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Prefix for an address that is not known
	return p
}
