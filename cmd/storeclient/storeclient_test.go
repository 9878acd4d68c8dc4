package storeclient

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"tapedeck/cmd/config"
	"tapedeck/esl"
	"tapedeck/internal/testkit"
)

// cutAt passes connections on to a Redis until a client asks for the policy: from then
// on it cuts them all.
func cutAt(t *testing.T, redis string) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var cut atomic.Bool
	pass := func(client net.Conn) {
		defer client.Close()
		server, err := net.Dial("tcp", redis)
		if err != nil || cut.Load() {
			return
		}
		defer server.Close()
		go func() { _, _ = io.Copy(client, server) }()
		buffer := make([]byte, 64<<10)
		for {
			n, err := client.Read(buffer)
			if text := bytes.ToLower(buffer[:n]); bytes.Contains(text, []byte("{policy}")) && !bytes.Contains(text, []byte("exists")) {
				cut.Store(true)
			}
			if err != nil || cut.Load() {
				return
			}
			if _, err := server.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			go pass(client)
		}
	}()
	t.Cleanup(func() { _ = ln.Close() })
	return ln.Addr().String()
}

// TestPolicyNotRead: Redis answers, but not when it is asked for the policy. A command
// must not take that for a policy without organisations: purge would delete by the
// policy file.
func TestPolicyNotRead(t *testing.T) {
	redis := testkit.StartRedis(t)
	cfg := &config.Config{}
	cfg.Store.Redis = esl.NewSecret("redis://" + cutAt(t, redis.Address()))
	if x, err := OpenIndex(t.Context(), cfg); err == nil {
		_ = x.Close(t.Context())
		t.Error("the index was opened")
	} else if !strings.Contains(err.Error(), "start Redis") {
		t.Errorf("the error does not say what to do: %v", err)
	}
	if conn, _, err := OpenPolicy(t.Context(), cfg); err == nil {
		_ = conn.Close()
		t.Error("the policy was opened")
	}

	cfg.Store.Redis = esl.NewSecret(redis.URL())
	x, err := OpenIndex(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
