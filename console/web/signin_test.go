package web

import (
	"testing"
)

// TestLocalPath: after signing in a browser goes to a path of ours, whatever the
// address of the form asked for.
func TestLocalPath(t *testing.T) {
	for next, want := range map[string]string{
		"": "/", "/": "/", "/recordings/x?a=b&c=/d#e": "/recordings/x?a=b&c=/d#e", "/?from=2026-01-01": "/?from=2026-01-01",
		"recordings": "/", "//evil.example": "/", "///evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/", "https://evil.example/": "/",
		"https:evil": "/", "javascript:alert(1)": "/", "/\t/evil.example": "/", "\t//evil.example": "/", " //evil.example": "/", "/\n/evil.example": "/",
		"/%2fevil.example": "/", "/%2F%2Fevil.example": "/", "//user@evil.example/": "/", "/a\r\nSet-Cookie: x=y": "/", "/sign-out": "/", "/sign-in?next=/sign-in": "/",
		"?x=//evil": "/", "/%zz": "/", "mailto:x@y": "/", "/x\x00": "/", "/.//evil.example": "/.//evil.example", // a path of ours: http.Redirect cleans it
	} {
		if got := localPath(next); got != want {
			t.Errorf("%q: %q, want %q", next, got, want)
		}
	}
}
