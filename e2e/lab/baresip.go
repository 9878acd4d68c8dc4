package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tapedeck/esl"
)

// ErrNoBaresip says what to install.
var ErrNoBaresip = errors.New("lab: no baresip: put baresip 1.0 into PATH (Debian: baresip-core)")

// Baresip is a telephone that the program baresip plays. It speaks its tone while it
// is in a call, whatever else it sends, as many phones do. Close ends it.
type Baresip struct {
	Extension string // what it is called; empty for an outside party
	lab       *Lab
	port      int // of the switch under test, to which it sends
	process   *Process
	conn      net.Conn
	reading   sync.WaitGroup
	log       string

	events inbox[baresipEvent]

	mu    sync.Mutex
	asked int // commands so far
	taken map[string]bool
}

// baresipEvent is what baresip tells on its control connection (modules/ctrl_tcp): an
// event, or the answer to a command.
type baresipEvent struct {
	Response  bool
	OK        bool
	Token     string // of the command
	Data      string // the answer's text
	Type      string // of the event
	Direction string // incoming or outgoing
	ID        string // Call-ID
	Param     string
}

// BaresipUser starts the phone of a user of the sample configuration, and waits until
// it is registered. dir is an empty folder.
func (l *Lab) BaresipUser(ctx context.Context, extension string, tone Tone, dir string) (*Baresip, error) {
	p, err := l.baresip(ctx, extension, "default", tone, dir)
	if err != nil {
		return nil, err
	}
	if err := p.registered(ctx); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// BaresipOutside starts the phone of an outside party, whose number is the user of its
// address. dir is an empty folder.
func (l *Lab) BaresipOutside(ctx context.Context, number, dir string) (*Baresip, error) {
	return l.baresip(ctx, number, "public", Outside, dir)
}

const baresipConfig = `sip_listen 127.0.0.1:%d
net_interface 127.0.0.1
rtp_ports %d-%d
audio_source aufile,%s
audio_player aubridge,nobody
audio_alert aubridge,nobody
ausrc_srate 8000
auplay_srate 8000
module_path %s
module g711.so
module aufile.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:%d
`

// baresipModules are the folders in which baresip's modules may be.
var baresipModules = []string{"/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules", "/usr/lib64/baresip/modules"}

// talksFor is how long a phone's tone lasts: baresip ends the call after it.
const talksFor = 60 * time.Second

func (l *Lab) baresip(ctx context.Context, user, profile string, tone Tone, dir string) (*Baresip, error) {
	program, err := exec.LookPath("baresip")
	if err != nil {
		return nil, ErrNoBaresip
	}
	p, err := FreePorts(3)
	if err != nil {
		return nil, err
	}
	account := fmt.Sprintf("<sip:%s@127.0.0.1:%d>;auth_user=%s;auth_pass=%s;regint=%d;answermode=manual\n",
		user, l.ports[profile], user, VanillaPassword, map[string]int{"default": 600}[profile])
	if err := configureBaresip(dir, account, tone, p); err != nil {
		return nil, err
	}
	b := &Baresip{Extension: user, lab: l, port: l.ports[profile], log: filepath.Join(dir, "baresip.log"), taken: map[string]bool{}}
	if b.process, err = StartProcess(b.log, program, "-4", "-f", dir); err != nil {
		return nil, err
	}
	if err := b.connect(ctx, p[1]); err != nil {
		_ = b.process.Stop(time.Second)
		return nil, fmt.Errorf("%w\n%s", err, tail(b.log, 20))
	}
	return b, nil
}

// configureBaresip writes baresip's configuration. ports are those of SIP, control and
// media.
func configureBaresip(dir, account string, tone Tone, ports []int) error {
	found := slices.IndexFunc(baresipModules, func(folder string) bool {
		_, err := os.Stat(filepath.Join(folder, "ctrl_tcp.so"))
		return err == nil
	})
	if found < 0 {
		return fmt.Errorf("%w: its modules are in none of %q", ErrNoBaresip, baresipModules)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("lab: baresip: %w", err)
	}
	voice := filepath.Join(dir, "voice.wav")
	if err := writeTone(voice, tone, int(talksFor/time.Second)); err != nil {
		return err
	}
	media := ports[2] &^ 1
	for name, text := range map[string]string{
		"config":   fmt.Sprintf(baresipConfig, ports[0], media, media+10, voice, baresipModules[found], ports[1]),
		"accounts": account, "contacts": "", "uuid": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("lab: baresip: %w", err)
		}
	}
	return nil
}

// connect opens the control connection. baresip does not say when it listens.
func (p *Baresip) connect(ctx context.Context, port int) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if p.conn, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			p.reading.Go(p.read)
			return nil
		}
		select {
		case <-tick.C:
		case <-p.process.Done():
			return fmt.Errorf("lab: baresip %s ended at once", p.Extension)
		case <-ctx.Done():
			return fmt.Errorf("lab: baresip %s: %w", p.Extension, err)
		}
	}
}

// registered waits until the switch under test knows where the phone is. It may have
// registered before it took the control connection: then no event says so.
func (p *Baresip) registered(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		contact, err := p.lab.Switch.API(ctx, "sofia_contact", p.Extension+"@"+VanillaDomain)
		if err == nil && strings.HasPrefix(contact, "sofia/") {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("lab: baresip %s is not registered: %q, %w\n%s", p.Extension, contact, ctx.Err(), tail(p.log, 20))
		}
	}
}

// read reads netstrings of JSON until the connection is closed.
func (p *Baresip) read() {
	r := bufio.NewReader(p.conn)
	for {
		length, err := r.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
		if err != nil || n < 0 || n > 1<<20 {
			return
		}
		text := make([]byte, n+1) // with the comma
		if _, err := io.ReadFull(r, text); err != nil {
			return
		}
		var e baresipEvent
		if json.Unmarshal(text[:n], &e) == nil {
			p.events.add(e)
		}
	}
}

// Close ends the phone, which hangs up and unregisters.
func (p *Baresip) Close() {
	_ = p.process.Stop(5 * time.Second) // how baresip ends is not tested
	p.conn.Close()
	p.reading.Wait()
}

// wait returns the first event that matches, of those that have come already or come
// within patience.
func (p *Baresip) wait(ctx context.Context, what string, match func(baresipEvent) bool) (baresipEvent, error) {
	e, err := p.events.wait(ctx, 0, p.process.Done(), match)
	if err != nil {
		return e, fmt.Errorf("lab: baresip %s: no %s: %w\n%s", p.Extension, what, err, tail(p.log, 20))
	}
	return e, nil
}

// do gives baresip a command of its menu (modules/menu).
func (p *Baresip) do(ctx context.Context, command, params string) error {
	p.mu.Lock()
	p.asked++
	token := strconv.Itoa(p.asked)
	p.mu.Unlock()
	text, err := json.Marshal(map[string]string{"command": command, "params": params, "token": token})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(p.conn, "%d:%s,", len(text), text); err != nil {
		return fmt.Errorf("lab: baresip %s: %s: %w", p.Extension, command, err)
	}
	e, err := p.wait(ctx, "answer to "+command, func(e baresipEvent) bool { return e.Response && e.Token == token })
	if err == nil && !e.OK {
		err = fmt.Errorf("lab: baresip %s: %s %s: %s", p.Extension, command, params, e.Data)
	}
	return err
}

// take waits for the first event of a type whose call no earlier take of that type has
// returned.
func (p *Baresip) take(ctx context.Context, kind string) (id string, err error) {
	e, err := p.wait(ctx, kind, func(e baresipEvent) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if e.Type != kind || p.taken[kind+e.ID] {
			return false
		}
		p.taken[kind+e.ID] = true
		return true
	})
	return e.ID, err
}

// BaresipCall is one call of such a phone.
type BaresipCall struct {
	Phone *Baresip
	ID    string // Call-ID
}

// Dial calls a number on the switch under test and returns when somebody has answered.
func (p *Baresip) Dial(ctx context.Context, number string) (*BaresipCall, error) {
	if err := p.Call(ctx, number); err != nil {
		return nil, err
	}
	return p.Answered(ctx)
}

// Call calls a number on the switch under test.
func (p *Baresip) Call(ctx context.Context, number string) error {
	return p.do(ctx, "dial", p.address(number))
}

// Answered waits until somebody has answered a call of Call.
func (p *Baresip) Answered(ctx context.Context) (*BaresipCall, error) {
	id, err := p.take(ctx, "CALL_ESTABLISHED")
	return &BaresipCall{Phone: p, ID: id}, err
}

// Ringing waits until the phone rings.
func (p *Baresip) Ringing(ctx context.Context) (*BaresipCall, error) {
	id, err := p.take(ctx, "CALL_INCOMING")
	return &BaresipCall{Phone: p, ID: id}, err
}

// Answer answers the call that rings.
func (c *BaresipCall) Answer(ctx context.Context) error {
	if err := c.Phone.do(ctx, "accept", ""); err != nil {
		return err
	}
	_, err := c.Phone.take(ctx, "CALL_ESTABLISHED")
	return err
}

// Press sends digits as RFC 4733 while the phone's voice goes on.
func (c *BaresipCall) Press(ctx context.Context, digits string) error {
	return c.Phone.do(ctx, "sndcode", digits)
}

// Pressed waits until the switch under test has seen so many digits of a leg.
func (l *Lab) Pressed(ctx context.Context, leg string, digits int) error {
	n := 0
	_, err := l.Switch.Wait(ctx, "digits of "+leg, func(e *esl.Event) bool {
		if Is("DTMF", leg)(e) {
			n++
		}
		return n == digits
	})
	return err
}

// Hold puts the other party on hold, until Resume.
func (c *BaresipCall) Hold(ctx context.Context) error { return c.Phone.do(ctx, "hold", "") }

// Resume ends Hold.
func (c *BaresipCall) Resume(ctx context.Context) error { return c.Phone.do(ctx, "resume", "") }

// Transfer sends the other party to an extension (REFER). The phone leaves the call
// when the switch says that the transfer has succeeded.
func (c *BaresipCall) Transfer(ctx context.Context, to string) error {
	return c.Phone.do(ctx, "transfer", c.Phone.address(to))
}

// HangUp ends the call.
func (c *BaresipCall) HangUp(ctx context.Context) error { return c.Phone.do(ctx, "hangup", "") }

// HangUpAll ends up to three calls of the phone.
func (p *Baresip) HangUpAll(ctx context.Context) error {
	var err error
	for range 3 {
		err = errors.Join(err, p.do(ctx, "hangup", ""))
	}
	return err
}

// Ended waits until the call has ended on the phone.
func (c *BaresipCall) Ended(ctx context.Context) error {
	_, err := c.Phone.wait(ctx, "end of the call", func(e baresipEvent) bool { return e.Type == "CALL_CLOSED" && e.ID == c.ID })
	return err
}

func (p *Baresip) address(number string) string {
	return fmt.Sprintf("sip:%s@127.0.0.1:%d", number, p.port)
}

// Leg is the UUID of the call's channel on the switch under test.
func (c *BaresipCall) Leg(ctx context.Context) (string, error) {
	return c.Phone.lab.legOf(ctx, c.ID)
}
