package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrNoSIPp says what to install.
var ErrNoSIPp = errors.New("lab: no sipp: put sipp 3.6 or later into PATH (Debian: sip-tester)")

// SIPPhone is a phone that sipp plays from a scenario file. It does what FreeSWITCH as
// a phone cannot do, such as to go on talking after a refused REFER.
type SIPPhone struct {
	*Process
	log    string
	lab    *Lab
	callID string // of a phone that calls
}

// sippCall is who calls with sipp, or is called.
type sippCall struct {
	context string // in which its requests arrive on the switch under test
	tone    Tone   // what it speaks, from the file voice.ulaw
	port    int    // its own
	args    []string
}

// SIPPhone starts dave's phone. The scenario has the keys user, domain and keys. The
// phone's voice is the file voice.ulaw. pause is how long a <pause/> lasts.
func (l *Lab) SIPPhone(o Org, scenario, dir string, pause time.Duration, keys map[string]string, more ...string) (*SIPPhone, error) {
	as := o.Extension(UserDave)
	return l.sipp(sippCall{"default", Dave, l.own[o], append(more, "-key", "user", as, "-key", "domain", o.Domain(), "-au", as, "-ap", "pw"+as)},
		scenario, dir, pause, keys)
}

// SIPOutside starts the phone of an outside party that calls. The scenario has the keys
// user, which is the caller's number, and keys.
func (l *Lab) SIPOutside(ctx context.Context, context, number, scenario, dir string, pause time.Duration, keys map[string]string) (*SIPPhone, error) {
	port, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	id, err := l.Phones.API(ctx, "create_uuid", "")
	if err != nil {
		return nil, err
	}
	p, err := l.sipp(sippCall{context, Outside, port[0], []string{"-cid_str", id, "-key", "user", number}}, scenario, dir, pause, keys)
	if err == nil {
		p.callID = id
	}
	return p, err
}

func (l *Lab) sipp(as sippCall, scenario, dir string, pause time.Duration, keys map[string]string) (*SIPPhone, error) {
	program, err := exec.LookPath("sipp")
	if err != nil {
		return nil, ErrNoSIPp
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lab: sipp: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "voice.ulaw"), ulawTone(as.tone), 0o644); err != nil {
		return nil, fmt.Errorf("lab: sipp: %w", err)
	}
	media, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	p := &SIPPhone{log: filepath.Join(dir, "said.log"), lab: l}
	args := []string{fmt.Sprintf("127.0.0.1:%d", l.ports[as.context]), "-sf", scenario, "-i", "127.0.0.1", "-mi", "127.0.0.1",
		"-p", strconv.Itoa(as.port), "-mp", strconv.Itoa(media[0] &^ 1), "-m", "1", "-nostdin",
		"-d", strconv.Itoa(int(pause.Milliseconds())), "-trace_logs", "-log_file", p.log, "-trace_err", "-error_file", filepath.Join(dir, "errors.log")}
	for name, value := range keys {
		args = append(args, "-key", name, value)
	}
	p.Process, err = startProcessIn(dir, filepath.Join(dir, "output.log"), program, append(args, as.args...)...)
	if err != nil {
		return nil, err
	}
	return p, p.listening(as.port)
}

// Leg is the UUID of the channel of a phone that calls, on the switch under test.
func (p *SIPPhone) Leg(ctx context.Context) (string, error) { return p.lab.legOf(ctx, p.callID) }

// listening waits until sipp listens on its port. sipp does not say so.
func (p *SIPPhone) listening(port int) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range int(patience / (20 * time.Millisecond)) {
		if !udpFree(port, 1) {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.Done():
			return fmt.Errorf("lab: sipp ended at once: %w\n%s", p.err, tail(filepath.Join(filepath.Dir(p.log), "output.log"), 30))
		}
	}
	return fmt.Errorf("lab: sipp does not listen on port %d", port)
}

// SIPAddress is the address to which the users' phones send a request for a number.
func (l *Lab) SIPAddress(number string) string {
	return fmt.Sprintf("sip:%s@127.0.0.1:%d", number, l.ports["default"])
}

// Finished waits until the scenario has ended and returns what it logged, or an error
// if it did not go as it says.
func (p *SIPPhone) Finished(ctx context.Context) (said []string, err error) {
	select {
	case <-p.Done():
	case <-ctx.Done():
		return nil, fmt.Errorf("lab: sipp: %w", ctx.Err())
	}
	if p.err != nil {
		dir := filepath.Dir(p.log)
		return nil, fmt.Errorf("lab: sipp: %w\n%s\n%s", p.err, tail(filepath.Join(dir, "errors.log"), 30), tail(filepath.Join(dir, "output.log"), 30))
	}
	return p.Said()
}

// Said is what the scenario has logged so far, line by line.
func (p *SIPPhone) Said() (said []string, err error) {
	data, err := os.ReadFile(p.log)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lab: sipp: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		said = append(said, strings.Join(strings.Fields(line), " "))
	}
	return said, nil
}

// ulawTone is two seconds of a tone in G.711 mu-law.
func ulawTone(t Tone) []byte {
	out := make([]byte, 16000)
	for i := range out {
		out[i] = ulaw(int(8000 * math.Sin(2*math.Pi*float64(t)*float64(i)/8000)))
	}
	return out
}

// ulaw encodes one 16-bit sample (ITU-T G.711).
func ulaw(sample int) byte {
	sign := 0
	if sample < 0 {
		sign, sample = 0x80, -sample
	}
	sample = min(sample, 32635) + 132
	exponent := 7
	for mask := 0x4000; exponent > 0 && sample&mask == 0; mask >>= 1 {
		exponent--
	}
	return ^byte(sign | exponent<<4 | sample>>(exponent+3)&0x0f)
}
