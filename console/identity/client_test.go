package identity

import (
	"crypto/tls"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClient(t *testing.T) {
	proxies := Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("2001:db8::/32")}}
	for _, c := range []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1"},
		{"192.0.2.1:5", []string{"198.51.100.9"}, "192.0.2.1"}, // not a proxy of ours
		{"[::ffff:192.0.2.1]:5", nil, "192.0.2.1"},
		{"[fe80::1%eth0]:5", nil, "fe80::1"},
		{"10.0.0.1:5", nil, "10.0.0.1"},
		{"10.0.0.1:5", []string{"198.51.100.9"}, "198.51.100.9"},
		{"[::ffff:10.0.0.1]:5", []string{"198.51.100.9"}, "198.51.100.9"},
		{"[::1]:5", []string{"2001:db8::7, 2001:1::1, 10.1.1.1"}, "2001:1::1"},
		{"10.0.0.1:5", []string{"203.0.113.1, 198.51.100.9"}, "198.51.100.9"}, // anybody can have written the left one
		{"10.0.0.1:5", []string{"203.0.113.1", "198.51.100.9, 10.9.9.9"}, "198.51.100.9"},
		{"10.0.0.1:5", []string{"198.51.100.9, 10.0.0.2", "10.0.0.3"}, "198.51.100.9"},
		{"10.0.0.1:5", []string{"10.0.0.4, 10.0.0.3"}, "10.0.0.4"}, // all are proxies: the first one
		{"10.0.0.1:5", []string{"198.51.100.9:4711"}, "198.51.100.9"},
		{"10.0.0.1:5", []string{"[2001:1::1]:443"}, "2001:1::1"},
		{"10.0.0.1:5", []string{"[2001:1::1]"}, "2001:1::1"},
		{"10.0.0.1:5", []string{"198.51.100.9, unknown"}, "10.0.0.1"}, // a text that is no address hides what is left of it
		{"10.0.0.1:5", []string{"198.51.100.9, , 10.0.0.2"}, "10.0.0.2"},
		{"10.0.0.1:5", []string{""}, "10.0.0.1"},
		{"10.0.0.1:5", []string{"127.0.0.1\t"}, "127.0.0.1"},
		{"@", []string{"198.51.100.9"}, "unknown"},
		{"", nil, "unknown"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = c.remote, c.forwarded
		if got := proxies.Client(r).String(); got != c.want {
			t.Errorf("%s, %q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
}

func TestClientTLS(t *testing.T) {
	proxies := Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for _, c := range []struct {
		remote string
		own    bool
		proto  []string
		want   bool
	}{
		{"10.0.0.1:5", false, nil, false}, {"10.0.0.1:5", false, []string{"https"}, true}, {"10.0.0.1:5", false, []string{" HTTPS "}, true},
		{"10.0.0.1:5", false, []string{"http"}, false}, {"10.0.0.1:5", false, []string{"https, http"}, false}, {"10.0.0.1:5", false, []string{"http", "https"}, true},
		{"192.0.2.1:5", false, []string{"https"}, false}, {"192.0.2.1:5", true, nil, true}, {"10.0.0.1:5", true, []string{"http"}, true},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.Header["X-Forwarded-Proto"] = c.remote, c.proto
		if c.own {
			r.TLS = new(tls.ConnectionState)
		}
		if got := proxies.Client(r).TLS; got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	proxies.TLS = true
	if !proxies.Client(httptest.NewRequest("GET", "/", nil)).TLS {
		t.Error("TLS is said for all, and is not")
	}
}
