package esltest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
)

// Stranger is whoever connects to a controller's outbound socket and is no FreeSWITCH. It
// poses as a leg: it answers `connect` with channel data of its own making, and every
// other command with +OK.
type Stranger struct {
	Leg       string            // the UUID that it claims
	Core      string            // the Core-UUID that it claims
	Variables map[string]string // channel variables that it claims
	Headers   map[string]string // other headers

	Silent bool // it answers nothing but connect, and leaves at the first command
}

// Visit connects to a controller and stays until the controller leaves. It returns the
// commands that it was sent after `connect`.
func (s Stranger) Visit(ctx context.Context, address string) (commands []string, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("esltest: stranger: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	in := textproto.NewReader(bufio.NewReader(conn))
	for n := 0; ; n++ {
		command, err := readCommand(in)
		if err != nil || command == "exit" {
			if command == "exit" {
				_, _ = io.WriteString(conn, "Content-Type: command/reply\nReply-Text: +OK bye\n\n")
			} else if !errors.Is(err, io.EOF) && ctx.Err() != nil {
				return commands, fmt.Errorf("esltest: stranger: %w", err)
			}
			return commands, nil
		}
		reply := []byte("Content-Type: command/reply\nReply-Text: +OK\n\n")
		if n == 0 {
			reply = s.data()
		} else if commands = append(commands, command); s.Silent {
			return commands, nil
		}
		if _, err := conn.Write(reply); err != nil {
			return commands, nil // the controller has closed the connection
		}
	}
}

// readCommand reads lines up to a blank one.
func readCommand(in *textproto.Reader) (string, error) {
	var lines []string
	for {
		line, err := in.ReadLine()
		if err != nil {
			return "", err
		}
		if line == "" {
			return strings.Join(lines, "\n"), nil
		}
		lines = append(lines, line)
	}
}

// data is the forged answer to `connect`.
func (s Stranger) data() []byte {
	e := &event{name: "CHANNEL_DATA"}
	e.add("Event-Name", "CHANNEL_DATA")
	e.add("Core-UUID", s.Core)
	e.add("Unique-ID", s.Leg)
	e.add("Content-Type", "command/reply")
	e.add("Reply-Text", "+OK\n")
	for name, value := range s.Headers {
		e.add(name, value)
	}
	for name, value := range s.Variables {
		e.add("variable_"+name, value)
	}
	return e.plain()
}
