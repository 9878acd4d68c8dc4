package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"

	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/store"
)

// defaultConfig is where serve looks for its file; it may be absent.
const defaultConfig = "/etc/tapedeck/tapedeck.yaml"

// config is the daemon file (docs/design.md, section 6).
type config struct {
	Listen     string         `yaml:"listen"`
	Allow      []netip.Prefix `yaml:"allow"`
	Switches   []switchConfig `yaml:"switches"`
	Store      storeConfig    `yaml:"store"`
	Recordings struct {
		Dir    string `yaml:"dir"`
		Stereo bool   `yaml:"stereo"`
	} `yaml:"recordings"`
	Prompts struct {
		Dir      string `yaml:"dir"`
		Language string `yaml:"language"`
	} `yaml:"prompts"`
	Policy string `yaml:"policy"`
	HTTP   struct {
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

	policyNamed bool // the file says where the policy is
	dir         recording.Dir
}

type switchConfig struct {
	Name         string     `yaml:"name"`
	Address      string     `yaml:"address"`
	Password     esl.Secret `yaml:"password"`
	PasswordFile string     `yaml:"password_file"`
}

// storeConfig has the address as a secret, because a URL may hold a password;
// several addresses have commas between them, as store.Config wants them.
type storeConfig struct {
	Redis esl.Secret `yaml:"redis"`
}

// defaults is every setting that the file does not name.
func defaults() *config {
	var c config
	c.Listen = "127.0.0.1:8084"
	c.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	c.Store.Redis = esl.NewSecret(store.Embedded)
	c.Recordings.Dir, c.Recordings.Stereo = "/var/spool/tapedeck", true
	c.Prompts.Dir, c.Prompts.Language = "/usr/local/share/tapedeck/sounds", "en"
	c.Policy = "/etc/tapedeck/policy.yaml"
	c.HTTP.Listen, c.HTTP.Accounts = "127.0.0.1:8085", "/etc/tapedeck/accounts.yaml"
	c.Metrics.Listen = "127.0.0.1:9185"
	c.Log.Format = "text"
	return &c
}

// loadConfig reads the daemon file. Without a name it takes the default one,
// which may be absent. Its mistakes are a *strictyaml.Report.
func loadConfig(path string) (*config, error) {
	named := path != ""
	if !named {
		path = defaultConfig
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		text = nil
	} else if err != nil {
		return nil, fmt.Errorf("config: %w: name the daemon file with --config", err)
	}
	return parseConfig(path, text)
}

// logger writes to w what the file asks for.
func (c *config) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Log.Level}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
