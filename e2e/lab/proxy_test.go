package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo sends back whatever a connection sends.
func echo(t *testing.T) (port int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return ln.Addr().(*net.TCPAddr).Port
}

// says sends a word and returns what comes back, or the error.
func says(conn net.Conn, word string, within time.Duration) (string, error) {
	_ = conn.SetDeadline(time.Now().Add(within))
	if _, err := conn.Write([]byte(word)); err != nil {
		return "", err
	}
	b := make([]byte, len(word))
	n, err := io.ReadFull(conn, b)
	return string(b[:n]), err
}

func TestProxy(t *testing.T) {
	p, err := StartProxy(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.Port))
		for end := time.Now().Add(patience); err != nil && time.Now().Before(end); { // a reset of before may still be on its way
			conn, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.Port))
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	passes := func(conn net.Conn) {
		t.Helper()
		if got, err := says(conn, "word", patience); err != nil || got != "word" {
			t.Errorf("got %q, %v; want it to pass", got, err)
		}
	}
	dead := func(conn net.Conn) {
		t.Helper()
		if got, err := says(conn, "word", patience); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %q, %v; want the connection closed", got, err)
		}
	}
	first := dial()
	passes(first)
	p.Cut()
	dead(first)
	dead(dial())
	p.Mend()
	second := dial()
	passes(second)
	p.Silence()
	for _, conn := range []net.Conn{second, dial()} {
		if got, err := says(conn, "word", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %q, %v; want nothing at all", got, err)
		}
	}
	p.Mend()
	dead(second)
	passes(dial())
}
