package esltest

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
)

// maxPacket is the longest command in bytes (mod_event_socket.c, read_packet:
// max_len).
const maxPacket = 10485760

// packet is one command with its headers.
type packet struct {
	command string
	headers []header
	body    string
}

func (p packet) get(name string) string {
	for _, h := range p.headers {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

// readPacket reads a command: lines up to an empty one, and a body if there is a
// Content-Length (mod_event_socket.c, read_packet).
func readPacket(in *bufio.Reader) (packet, error) {
	var p packet
	size := 0
	for {
		line, err := readLine(in, maxPacket-size)
		if err != nil {
			return p, err
		}
		size += len(line)
		if line == "" {
			if size == 0 {
				continue // empty lines before a command are skipped
			}
			break
		}
		if p.command == "" {
			p.command = line
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok {
			p.headers = append(p.headers, header{name, strings.TrimLeft(value, " ")})
		}
	}
	return p, p.readBody(in)
}

func (p *packet) readBody(in io.Reader) error {
	n, err := strconv.Atoi(p.get("Content-Length"))
	if err != nil || n <= 0 {
		return nil
	}
	if n > maxPacket {
		return errTooLong
	}
	b := make([]byte, n)
	_, err = io.ReadFull(in, b)
	p.body = string(b)
	return err
}

var errTooLong = errors.New("packet too long")

func readLine(in *bufio.Reader, max int) (string, error) {
	var b []byte
	for {
		part, err := in.ReadSlice('\n')
		b = append(b, part...)
		if len(b) > max {
			return "", errTooLong
		}
		if err == nil {
			return strings.TrimRight(string(b), "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
}
