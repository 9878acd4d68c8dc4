package esltest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// controller serves every connection with a function.
func controller(t *testing.T, serve func(conn net.Conn, in *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(30 * time.Second))
				serve(conn, bufio.NewReader(conn))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		served.Wait()
	})
	return ln.Addr().String()
}

// polite sets a variable and leaves.
func polite(conn net.Conn, in *bufio.Reader) {
	io.WriteString(conn, "connect\n\n")
	if _, err := readMessage(in); err != nil {
		return
	}
	io.WriteString(conn, "sendmsg\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: seen=yes\n\nexit\n\n")
	io.Copy(io.Discard, in)
}

func TestSocketHosts(t *testing.T) {
	sw, _ := newSwitch(t)
	address := controller(t, polite)
	c := caller(sw)
	stats, err := c.Socket(context.Background(), "127.0.0.1:1|"+address+"/path full")
	if err != nil || !stats.Exit || stats.Commands != 3 || c.Get("seen") != "yes" || c.Get("socket_path") != "path" {
		t.Errorf("%+v, %v, seen %q, path %q", stats, err, c.Get("seen"), c.Get("socket_path"))
	}
	if _, err := c.Socket(context.Background(), "127.0.0.1:1"); !errors.Is(err, esltest.ErrNoController) {
		t.Error(err)
	}
	if c.Answer(); c.Get("endpoint_disposition") != "ANSWER" {
		t.Error("the dialplan does not go on")
	}
}

// TestSocketCommands: the argument of an application may be a body. sendmsg and getvar
// are about the socket's own channel. A line break in a value makes the reply of getvar
// look as if it had another header: nobody should use getvar.
func TestSocketCommands(t *testing.T) {
	sw, _ := newSwitch(t)
	c := caller(sw)
	got := make(chan string, 1)
	address := controller(t, func(conn net.Conn, in *bufio.Reader) {
		replies := ""
		for _, command := range []string{
			"connect\n\n",
			"sendmsg\ncall-command: execute\nexecute-app-name: set\ncontent-type: text/plain\ncontent-length: 8\n\na=b\nc: d",
			"getvar a\n\n", "linger\n\n", "nolinger\n\n", "myevents\n\n", "myevents\n\n", "exit\n\n",
		} {
			io.WriteString(conn, command)
			m, err := readMessage(in)
			if err != nil {
				t.Error(err)
			}
			replies += m.get("Reply-Text") + m.get("c") + "; "
		}
		got <- replies
		io.Copy(io.Discard, in)
	})
	if _, err := c.Socket(context.Background(), address); err != nil {
		t.Fatal(err)
	}
	want := "%2BOK%0A; +OK; bd; +OK will linger; +OK will not linger; +OK Events Enabled; -ERR aready enabled.; +OK bye; "
	if g := <-got; g != want {
		t.Errorf("%q, want %q", g, want)
	}
}

// TestHangupDuringSocket: the controller gets a disconnect notice.
func TestHangupDuringSocket(t *testing.T) {
	for _, linger := range []string{"", "linger\n\n"} {
		sw, _ := newSwitch(t)
		c := caller(sw)
		got := make(chan string, 1)
		address := controller(t, func(conn net.Conn, in *bufio.Reader) {
			io.WriteString(conn, "connect\n\n"+linger)
			for range 1 + len(linger)/8 {
				if _, err := readMessage(in); err != nil {
					t.Error(err)
				}
			}
			go c.Hangup("")
			first, _ := readMessage(in)
			if linger != "" {
				io.WriteString(conn, "exit\n\n")
			}
			more, _ := io.ReadAll(in)
			got <- first.get("Content-Disposition") + " " + fmt.Sprint(strings.Count(first.raw+string(more), "disconnect-notice"))
		})
		if _, err := c.Socket(context.Background(), address); err != nil {
			t.Error(err)
		}
		want := "disconnect 1"
		if linger != "" {
			want = "linger 2"
		}
		if g := <-got; g != want {
			t.Errorf("linger %q: %q, want %q", linger, g, want)
		}
	}
}

// TestSocketEnds: Socket leaves a silent controller when the context or the switch ends.
func TestSocketEnds(t *testing.T) {
	entered := make(chan struct{})
	address := controller(t, func(_ net.Conn, in *bufio.Reader) {
		entered <- struct{}{}
		io.Copy(io.Discard, in)
	})
	for _, ending := range []string{"context", "switch"} {
		sw, _ := newSwitch(t)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		end := cancel
		if ending == "switch" {
			end = func() { sw.Close() }
		}
		ended := make(chan error)
		c := caller(sw)
		go func() {
			_, err := c.Socket(ctx, address)
			ended <- err
		}()
		<-entered
		end()
		if err := <-ended; err == nil {
			t.Errorf("no error after the end of the %s", ending)
		}
	}
}

// TestControllerDies: FreeSWITCH goes on with the dialplan.
func TestControllerDies(t *testing.T) {
	sw, _ := newSwitch(t)
	address := controller(t, func(conn net.Conn, in *bufio.Reader) {
		io.WriteString(conn, "connect\n\n")
		readMessage(in)
	})
	c := caller(sw)
	stats, err := c.Socket(context.Background(), address)
	if err == nil || stats.Exit || stats.Commands != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
	if b := ring(c, "1001"); b == nil {
		t.Error("the channel is gone")
	}
}

// TestManyCalls makes the load of `simulate`, while there are other live channels.
func TestManyCalls(t *testing.T) {
	sw, _ := newSwitch(t)
	address := controller(t, polite)
	for range 1000 {
		caller(sw)
	}
	const calls, concurrent = 2000, 64
	work := make(chan int)
	var wg sync.WaitGroup
	for range concurrent {
		wg.Go(func() {
			for range work {
				c := caller(sw)
				if stats, err := c.Socket(context.Background(), address); err != nil || !stats.Exit {
					t.Errorf("%+v, %v", stats, err)
				}
				c.Hangup("")
			}
		})
	}
	for i := range calls {
		work <- i
	}
	close(work)
	wg.Wait()
	if n := len(sw.Channels()); n != 1000 {
		t.Errorf("%d channels are left, want 1000", n)
	}
}
