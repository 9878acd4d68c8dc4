package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"tapedeck/internal/testkit"
)

// terminal opens a pseudo-terminal: what is written to keys is typed at tty, and
// what tty shows is read from keys (pty(7)).
func terminal(t *testing.T) (keys, tty *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	var number, unlocked uint32
	for request, value := range map[uintptr]*uint32{syscall.TIOCSPTLCK: &unlocked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, keys.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return keys, tty
}

// prompted types each answer when it is asked for one more, and the terminal does
// not show it.
type prompted struct {
	bytes.Buffer
	keys    *os.File
	answers []string
}

// silent waits until a terminal does not show what is typed.
func silent(tty *os.File) {
	testkit.Happens(testkit.Patience, func() bool {
		var state syscall.Termios
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, tty.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&state)))
		return errno != 0 || state.Lflag&syscall.ECHO == 0
	})
}

func (p *prompted) Write(b []byte) (int, error) {
	if strings.HasSuffix(string(b), ": ") && len(p.answers) > 0 {
		answer := p.answers[0]
		p.answers = p.answers[1:]
		go func() {
			silent(p.keys)
			_, _ = p.keys.WriteString(answer)
		}()
	}
	return p.Buffer.Write(b)
}

func TestPasswordPrompt(t *testing.T) {
	for _, c := range []struct {
		answers   []string
		want, err string
	}{
		{[]string{goodPassword + "\r", goodPassword + "\r"}, goodPassword, ""},
		{[]string{goodPassword + "\r", goodPassword + "!\r"}, "", "not the same"},
		{[]string{"short\r"}, "", "too short"},
	} {
		keys, tty := terminal(t)
		screen := &prompted{keys: keys, answers: c.answers}
		got, err := typedPassword(tty, "anna", screen)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %q, %v; want %q, %q", c.answers, got, err, c.want, c.err)
		}
		// What the terminal has shown: everything typed would be there by now.
		if _, err := tty.WriteString("end"); err != nil {
			t.Fatal(err)
		}
		if shown := readUntil(t, keys, "end"); strings.Contains(shown, "battery") || strings.Contains(shown, "short") {
			t.Errorf("the terminal shows what is typed: %q", shown)
		}
	}
}

// readUntil reads what a terminal shows, up to an end.
func readUntil(t *testing.T, f *os.File, end string) string {
	t.Helper()
	read := make(chan string, 1)
	go func() {
		var all []byte
		for b := make([]byte, 256); !strings.HasSuffix(string(all), end); {
			n, err := f.Read(b)
			if all = append(all, b[:n]...); err != nil {
				break
			}
		}
		read <- string(all)
	}()
	select {
	case text := <-read:
		return text
	case <-time.After(testkit.Patience):
		t.Fatal("the terminal shows nothing")
		return ""
	}
}
