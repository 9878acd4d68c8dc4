package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"tapedeck/esl"
)

// Config is what Start needs.
type Config struct {
	FreeSWITCH string // the program
	Dir        string // an empty folder for everything that is written
	ConfDir    string // the repository's freeswitch-conf
	Socket     string // Tapedeck's outbound socket, host:port
	Recordings string // Tapedeck's folder of recordings
	Orgs       []Org
	Log        *slog.Logger
}

// Lab is the two running switches.
type Lab struct {
	Switch *Switch // the one under test
	Phones *Phones
	ESL    int // event socket port of Switch

	ports map[string]int // SIP ports of Switch by context
	own   map[Org]int    // by organisation: SIP port of dave's phone, which sipp plays
}

// Start configures and starts both switches. Stop ends them.
func Start(ctx context.Context, c Config) (*Lab, error) {
	p, err := FreePorts(4 + len(contexts) + len(c.Orgs))
	if err != nil {
		return nil, err
	}
	esl1, esl2, phones, nobody := p[0], p[1], p[2], p[3]
	l := &Lab{ESL: esl1, ports: map[string]int{}, own: map[Org]int{}}
	for i, o := range c.Orgs {
		l.own[o] = p[4+len(contexts)+i]
	}
	under := switchConfig{
		Name: "fs1", Base: filepath.Join(c.Dir, "fs1"), Modules: modules, ESL: esl1, Password: Password,
		Domain: Org(0).Domain(), Phones: phones, Domains: l.directory(c.Orgs),
	}
	for i, ctx := range contexts {
		l.ports[ctx.name] = p[4+i]
		pr := profile{Name: ctx.name, Port: p[4+i], Context: ctx.name}
		switch ctx.name {
		case "default":
			pr.Name, pr.Auth, pr.Keys = "internal", true, true
		case "public":
			pr.Name, pr.Carrier, pr.Late = "external", phones, "proxy"
		case "strict":
			pr.Late = "true"
		}
		under.Profiles = append(under.Profiles, pr)
	}
	files, err := confFiles(c, fmt.Sprintf("127.0.0.1:%d", nobody), phones)
	if err != nil {
		return nil, err
	}
	played := c.played(esl2, phones)
	if under.RTP, played.RTP, err = freeRTP(); err != nil {
		return nil, err
	}
	if l.Switch, err = configureAndStart(ctx, c, under, files); err != nil {
		return nil, err
	}
	return l.startPhones(ctx, c, played)
}

// played is the switch that plays phones and outside parties, with its ports.
func (c Config) played(eventSocket, sip int) switchConfig {
	return switchConfig{
		Name: "phones", Base: filepath.Join(c.Dir, "phones"), Modules: modules, ESL: eventSocket, Password: Password, Domain: "phones.lab",
		Profiles: []profile{{Name: "phones", Port: sip, Context: "phones"}},
	}
}

// startPhones starts the switch that plays the phones beside the one under test. If it
// fails, it ends both.
func (l *Lab) startPhones(ctx context.Context, c Config, played switchConfig) (*Lab, error) {
	s, err := configureAndStart(ctx, c, played, map[string]string{"dialplan/phones.xml": phoneDialplan})
	if err != nil {
		l.Switch.Stop()
		return nil, err
	}
	l.Phones = &Phones{Switch: s, lab: l, taken: map[string]bool{}}
	if err := l.warmUp(ctx); err != nil {
		l.Stop()
		return nil, err
	}
	return l, nil
}

func configureAndStart(ctx context.Context, c Config, sc switchConfig, files map[string]string) (*Switch, error) {
	sc.RTPEnd = sc.RTP + rtpBlock - 1
	if err := sc.write(files); err != nil {
		return nil, err
	}
	return startSwitch(ctx, c.FreeSWITCH, sc, c.Log)
}

func (l *Lab) directory(orgs []Org) map[string][]user {
	d := map[string][]user{}
	for _, o := range orgs {
		for _, p := range []Person{UserAlice, UserBob, UserCarol, UserDave} {
			u := user{Extension: o.Extension(p), Domain: o.Domain(), Shows: o.Number(ToAlice)}
			if p == UserDave {
				u.Port = l.own[o]
			}
			d[o.Domain()] = append(d[o.Domain()], u)
		}
	}
	return d
}

// warmUp makes the switch under test start its presence thread. It starts it at the
// first presence event, and delays every event by half a second meanwhile
// (mod_sofia, sofia_presence_event_handler).
func (l *Lab) warmUp(ctx context.Context) error {
	seen := l.Switch.Seen()
	for _, who := range []string{"first@warm.lab", "second@warm.lab"} {
		if _, err := l.Switch.API(ctx, "presence", "in "+who+" unknown closed"); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := l.Switch.WaitSince(ctx, seen, "presence event", func(e *esl.Event) bool {
		return e.Name() == "PRESENCE_IN" && e.Get("from") == "second@warm.lab"
	})
	return err
}

// RestartSwitch starts the switch under test again after its Kill.
func (l *Lab) RestartSwitch(ctx context.Context) error {
	if err := l.Switch.Restart(ctx); err != nil {
		return err
	}
	return l.warmUp(ctx)
}

// HangUpAll ends all calls.
func (l *Lab) HangUpAll(ctx context.Context) error {
	_, err := l.Phones.API(ctx, "hupall", "NORMAL_CLEARING")
	_, also := l.Switch.API(ctx, "hupall", "NORMAL_CLEARING")
	return errors.Join(err, also)
}

// Stop ends both switches.
func (l *Lab) Stop() {
	l.Phones.Stop()
	l.Switch.Stop()
}

// LegOf is the UUID of the channel at the other end of a telephone's call, on the
// switch under test. The telephone must have sent or got its INVITE.
func (l *Lab) LegOf(ctx context.Context, t *Telephone) (string, error) {
	id, err := t.callID(ctx)
	if err != nil {
		return "", err
	}
	return l.legOf(ctx, id)
}

func (l *Lab) legOf(ctx context.Context, id string) (string, error) {
	e, err := l.Switch.Wait(ctx, "leg of "+id, func(e *esl.Event) bool { return e.Variable("sip_call_id") == id })
	if err != nil {
		return "", err
	}
	return e.Get("Unique-ID"), nil
}
