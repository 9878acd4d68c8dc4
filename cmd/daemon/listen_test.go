package daemon

import (
	"log/slog"
	"net"
	"strings"
	"testing"

	"tapedeck/cmd/config"
	"tapedeck/internal/testkit"
)

// TestPortInUse: the error is one clear line.
func TestPortInUse(t *testing.T) {
	testkit.NoLeaks(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, key := range []string{"listen", "metrics.listen"} {
		text := "policy: /nowhere\nlisten: 127.0.0.1:0\nmetrics: { listen: '127.0.0.1:0' }\nhttp: { listen: off }\n"
		if key == "listen" {
			text = strings.Replace(text, "127.0.0.1:0", taken.Addr().String(), 1)
		} else {
			text = strings.Replace(text, "'127.0.0.1:0'", "'"+taken.Addr().String()+"'", 1)
		}
		cfg, err := config.Parse("tapedeck.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		err = Run(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err == nil || !strings.HasPrefix(err.Error(), key+" in the daemon file: listen tcp "+taken.Addr().String()) ||
			strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "choose another address") {
			t.Errorf("%v", err)
		}
	}
}
