package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"

	"gopkg.in/yaml.v3"

	"tapedeck/esl"
	"tapedeck/recording"
)

// defaultConfig is where serve looks for its file; it may be absent.
const defaultConfig = "/etc/tapedeck/tapedeck.yaml"

// config is the daemon file (design.md section 6).
type config struct {
	Listen     string         `yaml:"listen"`
	Allow      []netip.Prefix `yaml:"allow"`
	Switches   []switchConfig `yaml:"switches"`
	Store      storeConfig    `yaml:"store"`
	Recordings struct {
		Dir    string `yaml:"dir"`
		Stereo bool   `yaml:"stereo"`
	} `yaml:"recordings"`
	Policy string `yaml:"policy"`
	HTTP   struct {
		Listen   string `yaml:"listen"`
		Accounts string `yaml:"accounts"`
	} `yaml:"http"`
	Metrics struct {
		Listen string `yaml:"listen"`
	} `yaml:"metrics"`
	Log struct {
		Level  slog.Level `yaml:"level"`
		Format string     `yaml:"format"`
	} `yaml:"log"`

	policyNamed bool // the file says where the policy is
	dir         recording.Dir
}

type switchConfig struct {
	Name         string     `yaml:"name"`
	Address      string     `yaml:"address"`
	Password     esl.Secret `yaml:"password"`
	PasswordFile string     `yaml:"password_file"`
}

type storeConfig struct {
	Redis redisAddress `yaml:"redis"`
}

// redisAddress is one address or a list of them. It may hold a password, so it
// is kept out of every message.
type redisAddress string

// UnmarshalYAML reads one address or a list.
func (a *redisAddress) UnmarshalYAML(n *yaml.Node) error {
	var many []string
	if n.Kind == yaml.SequenceNode {
		if err := n.Decode(&many); err != nil {
			return err
		}
		*a = redisAddress(strings.Join(many, ","))
		return nil
	}
	var one string
	if err := n.Decode(&one); err != nil {
		return err
	}
	*a = redisAddress(one)
	return nil
}

// defaults is every setting that the file does not name.
func defaults() *config {
	var c config
	c.Listen = "127.0.0.1:8084"
	c.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	c.Store.Redis = "embedded"
	c.Recordings.Dir, c.Recordings.Stereo = "/var/spool/tapedeck", true
	c.Policy = "/etc/tapedeck/policy.yaml"
	c.HTTP.Listen, c.HTTP.Accounts = "127.0.0.1:8085", "/etc/tapedeck/accounts.yaml"
	c.Metrics.Listen = "127.0.0.1:9185"
	c.Log.Format = "text"
	return &c
}

// loadConfig reads the daemon file. Without a name it takes the default one,
// which may be absent. Every mistake is in the one error.
func loadConfig(path string) (*config, error) {
	named := path != ""
	if !named {
		path = defaultConfig
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		text = nil
	} else if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c, err := parseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("config: %s: %w", path, err)
	}
	return c, nil
}

func parseConfig(text []byte) (*config, error) {
	c := defaults()
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	c.policyNamed = c.Policy != defaults().Policy
	return c, errors.Join(c.check()...)
}

// check lists every mistake.
func (c *config) check() []error {
	var mistakes []error
	add := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	for _, l := range []struct{ key, address string }{
		{"listen", c.Listen}, {"http.listen", c.HTTP.Listen}, {"metrics.listen", c.Metrics.Listen}} {
		if _, _, err := net.SplitHostPort(l.address); err != nil {
			add("%s: %q is no HOST:PORT", l.key, l.address)
		}
	}
	if len(c.Allow) == 0 {
		add("allow: nobody may connect: name the networks of your FreeSWITCHes, such as 127.0.0.0/8")
	}
	dir, err := recording.NewDir(c.Recordings.Dir)
	if err != nil {
		add("recordings.dir: %w", err)
	}
	c.dir = dir
	if c.Log.Format != "text" && c.Log.Format != "json" {
		add("log.format: %q is neither text nor json", c.Log.Format)
	}
	seen := map[string]bool{}
	for i := range c.Switches {
		if err := c.Switches[i].complete(seen); err != nil {
			add("switches: entry %d: %w", i+1, err)
		}
	}
	return mistakes
}

// complete checks one switch and reads its password file.
func (s *switchConfig) complete(seen map[string]bool) error {
	switch {
	case s.Name == "":
		return errors.New("give it a name")
	case seen[s.Name]:
		return fmt.Errorf("the name %s is taken", s.Name)
	case !s.Password.IsZero() && s.PasswordFile != "":
		return fmt.Errorf("%s: give password or password_file, not both", s.Name)
	case s.Password.IsZero() && s.PasswordFile == "":
		return fmt.Errorf("%s: give password_file (or password): what event_socket.conf.xml says", s.Name)
	}
	seen[s.Name] = true
	if _, _, err := net.SplitHostPort(s.Address); err != nil {
		return fmt.Errorf("%s: address %q is no HOST:PORT", s.Name, s.Address)
	}
	if s.PasswordFile == "" {
		return nil
	}
	text, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	s.Password = esl.NewSecret(strings.TrimRight(string(text), "\r\n"))
	return nil
}

// logger writes to w what the file asks for.
func (c *config) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Log.Level}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
