package esl

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
)

// TestRejectionLog: a rejected connection is one line. A flood of them is one line per
// throttlePause, which says how many were left out.
func TestRejectionLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		v := &serving{Server: &Server{}, throttledLog: &throttledLog{log: slog.New(slog.NewTextHandler(&log, nil))}}
		for range 1000 {
			v.reject(ReasonBadProtocol, &net.TCPAddr{}, protocolError("a\nb"))
		}
		v.reject(ReasonStalled, &net.TCPAddr{}, nil)
		if strings.Count(log.String(), "\n") != 2 || !strings.Contains(log.String(), ReasonBadProtocol) ||
			!strings.Contains(log.String(), ReasonStalled) {
			t.Errorf("%q", log.String())
		}
		log.Reset()
		wait(t.Context(), throttlePause)
		v.reject(ReasonBadProtocol, &net.TCPAddr{}, io.EOF)
		if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "omitted=999") {
			t.Errorf("%q", log.String())
		}
	})
}

func TestChannelID(t *testing.T) {
	for id, ok := range map[string]bool{
		"65aca76e-95f6-423f-b420-05f63341293c": true, "u-1": true, "a84b4c76e66710@pc33.example.com:5060": true,
		strings.Repeat("a", 256): true, strings.Repeat("a", 257): false, strings.Repeat("x", 10<<10): false,
		".": false, "..": false, "../../etc/passwd": false, "a/b": false, "a\x00b": false, "a b": false, "a\nb": false,
		"${x}": false, "a'b": false, "a;b": false, "é": false, "a%2fb": false,
	} {
		if complaint := channelID(id); (complaint == "") != ok {
			t.Errorf("%.40q: %q", id, complaint)
		}
	}
}
