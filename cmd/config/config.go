// Package config is the daemon file (docs/design.md, section 6): its settings, their
// defaults, and every mistake in it, with its line.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/store"
)

// DefaultFile is where the commands look for the daemon file if none is named. It
// may be absent.
const DefaultFile = "/etc/tapedeck/tapedeck.yaml"

// Config is what the daemon file says, with the default of every setting that it
// does not name. The yaml tags name the keys; they are not used for reading.
type Config struct {
	Listen   string         `yaml:"listen"`
	Allow    []netip.Prefix `yaml:"allow"`
	Switches []Switch       `yaml:"switches"`
	// SocketSecret is what the dialplan sets as tapedeck_secret; empty: it need not.
	SocketSecret esl.Secret `yaml:"socket_secret"`
	Store        Store      `yaml:"store"`
	Recordings   struct {
		Dir    recording.Dir `yaml:"dir"`
		Stereo bool          `yaml:"stereo"`
		Rate   int           `yaml:"rate"` // samples of one channel in a second; 0: leg, that of the recorded leg
	} `yaml:"recordings"`
	Prompts struct {
		Dir      string `yaml:"dir"`
		Language string `yaml:"language"`
	} `yaml:"prompts"`
	Policy string `yaml:"policy"`
	Audit  struct {
		Dir    string   `yaml:"dir"`    // the folder of the evidence logs
		Key    string   `yaml:"key"`    // signs their checkpoints; the file may be absent
		Copies []string `yaml:"copies"` // where checkpoints are copied to: CopySyslog, a file's path, or an https:// URL
	} `yaml:"audit"`
	HTTP struct {
		Listen         string         `yaml:"listen"` // "": there is no console
		Accounts       string         `yaml:"accounts"`
		Certificate    string         `yaml:"certificate"`
		Key            string         `yaml:"key"`
		TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
	} `yaml:"http"`
	Metrics struct {
		Listen string `yaml:"listen"`
	} `yaml:"metrics"`
	Log struct {
		Level  slog.Level `yaml:"level"`
		Format string     `yaml:"format"`
	} `yaml:"log"`

	PolicyNamed   bool          `yaml:"-"` // the file has the key policy, so the policy should be there
	File          string        `yaml:"-"` // the daemon file's own path
	Workers       bool          `yaml:"-"` // processes of this program work on sounds: it has the command worker
	EntryDeadline time.Duration `yaml:"-"` // call.Config.EntryDeadline; 0: its default
}

// CopySyslog is the word for syslog in audit.copies.
const CopySyslog = "syslog"

// Switch is one FreeSWITCH: where its event socket is, and its password.
type Switch struct {
	Name         string     `yaml:"name"`
	Address      string     `yaml:"address"`
	Password     esl.Secret `yaml:"password"`
	PasswordFile string     `yaml:"password_file"`
}

// Store is the address of Redis. It is a secret, because a URL may contain a
// password. Several addresses are separated by commas, as store.Config takes them.
type Store struct {
	Redis   esl.Secret `yaml:"redis"`
	KeyFile string     `yaml:"key_file"` // authenticates what is read back, see Keys

	KeyNamed bool `yaml:"-"` // the file has the key key_file, so the file has to be there
}

// Embedded reports whether Redis runs inside serve, where no other process can
// reach it.
func (s Store) Embedded() bool { return s.Redis.Reveal() == store.Embedded }

// Default returns the settings of an empty daemon file.
func Default() *Config {
	var c Config
	c.Listen = "127.0.0.1:8084"
	c.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	c.Store.Redis, c.Store.KeyFile = esl.NewSecret(store.Embedded), "/etc/tapedeck/store.key"
	dir, err := recording.NewDir("/var/spool/tapedeck")
	if err != nil {
		panic(err) // the name is a constant
	}
	c.Recordings.Dir, c.Recordings.Stereo = dir, true
	c.Prompts.Dir, c.Prompts.Language = "/usr/local/share/tapedeck/sounds", "en"
	c.Policy = "/etc/tapedeck/policy.yaml"
	c.Audit.Dir, c.Audit.Key = "/var/lib/tapedeck/audit", "/etc/tapedeck/audit.key"
	c.HTTP.Listen, c.HTTP.Accounts = "127.0.0.1:8085", "/etc/tapedeck/accounts.yaml"
	c.Metrics.Listen = "127.0.0.1:9185"
	c.Log.Format = "text"
	return &c
}

// Load reads the daemon file. An empty path means DefaultFile, which may be absent.
// The error about mistakes in the file is a *strictyaml.Report.
func Load(path string) (*Config, error) {
	named := path != ""
	if !named {
		path = DefaultFile
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		text = nil
	} else if err != nil {
		return nil, fmt.Errorf("config: %w: name the daemon file with --config", err)
	}
	return Parse(path, text)
}

// Logger returns a logger that writes to w, with the level and in the format that the
// file names.
func (c *Config) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Log.Level}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
