package esltest_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"tapedeck/internal/wire"
)

// message is one frame: its headers, and its body if it has one.
type message struct {
	raw     string
	headers []pair
	body    string
}

type pair struct{ name, value string }

func (m message) get(name string) string { return lookup(m.headers, name) }

func lookup(headers []pair, name string) string {
	for _, h := range headers {
		if h.name == name {
			return h.value
		}
	}
	return ""
}

// readMessage is the tests' own reader of the protocol. The first colon and space
// separate a name from its value; a name may contain a colon.
func readMessage(in *bufio.Reader) (message, error) {
	var m message
	var raw strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return m, err
		}
		raw.WriteString(line)
		if line == "\n" {
			break
		}
		name, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if !found {
			return m, fmt.Errorf("a header without a colon: %q", line)
		}
		m.headers = append(m.headers, pair{name, value})
	}
	if n, _ := strconv.Atoi(m.get("Content-Length")); n > 0 {
		b := make([]byte, n)
		if _, err := io.ReadFull(in, b); err != nil {
			return m, err
		}
		m.body = string(b)
		raw.Write(b)
	}
	m.raw = raw.String()
	return m, nil
}

// happened are the decoded headers of an event.
type happened []pair

func (h happened) get(name string) string { return lookup(h, name) }

func (h happened) String() string {
	return h.get("Event-Name") + " of " + h.get("Channel-Name")
}

func decodeEvent(body string) happened {
	var h happened
	for _, line := range strings.Split(strings.TrimRight(body, "\n"), "\n") {
		name, value, _ := strings.Cut(line, ": ")
		decoded, err := url.PathUnescape(value)
		if err != nil {
			panic(err)
		}
		h = append(h, pair{name, decoded})
	}
	return h
}

// capture is a session recorded from a real FreeSWITCH.
type capture struct {
	sent    []string // what the controller wrote, in order
	replies []message
	events  []happened
	uuids   []string // of the channels, in the order of CHANNEL_CREATE
}

// readCapture parses a session of internal/wire.
func readCapture(t *testing.T, name string) capture {
	t.Helper()
	recorded := wire.Read(t, name)
	c := capture{sent: recorded.Sent()}
	in := bufio.NewReader(bytes.NewReader(recorded.Received()))
	for {
		m, err := readMessage(in)
		if err == io.EOF {
			return c
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.add(m)
	}
}

func (c *capture) add(m message) {
	if m.get("Content-Type") != "text/event-plain" {
		c.replies = append(c.replies, m)
		return
	}
	e := decodeEvent(m.body)
	c.events = append(c.events, e)
	if e.get("Event-Name") == "CHANNEL_CREATE" {
		c.uuids = append(c.uuids, e.get("Unique-ID"))
	}
}
