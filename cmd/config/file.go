package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"tapedeck/esl"
	"tapedeck/internal/strictyaml"
	"tapedeck/recording"
	"tapedeck/store"
)

// reader reads the daemon file node by node, so that every mistake is found and has its
// line.
type reader struct {
	strictyaml.Reader
}

// rules are those of the daemon file. No mistake shows a value, because it may be a
// secret that stands in the wrong place.
var rules = strictyaml.Rules{
	Aliases: true, Tags: true, Merge: true, Secret: true,
	NotMapping: `{what}: write keys and values, "key: value": {a, b}`,
	NotText:    "{what}: write one value, not a list or a mapping",
	NoValue:    "{what} has no value: write one, or remove the key (# begins a comment unless it is in quotes)",
	Twice:      "{name} is said twice{in what}: remove this one or that of line {line}",
	Unknown:    "unknown key {key}{in what}: use {a, b}",
	BadKey:     "a key{in what} is no plain text: write a name before the colon",
}

// Parse reads the text of a daemon file over the defaults. The error is a
// *strictyaml.Report with every mistake; file is the name that it shows.
func Parse(file string, text []byte) (*Config, error) {
	r := &reader{strictyaml.Reader{Rules: &rules}}
	c := Default()
	c.File = file
	if doc := r.Open(strictyaml.Source{Name: file, Text: text}); doc != nil {
		top := doc.Content[0]
		r.config(top, c)
		if below(c.Audit.Dir, c.Recordings.Dir.String()) {
			r.Mistake(top, "audit.dir %s is in the folder of the recordings, where FreeSWITCH may write: name another", c.Audit.Dir)
		}
		if (c.HTTP.Certificate == "") != (c.HTTP.Key == "") {
			r.Mistake(top, "http: a certificate needs its key, and a key its certificate: write both http.certificate and http.key")
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// read reads the value of one key.
type read = func(n *yaml.Node)

func (r *reader) config(n *yaml.Node, c *Config) {
	r.Fields(n, "", map[string]read{
		"listen":             r.address("listen", "127.0.0.1:8084", &c.Listen),
		"allow":              r.networks("allow", "nobody may connect: write the networks of your FreeSWITCHes, such as [127.0.0.0/8]", &c.Allow),
		"switches":           func(n *yaml.Node) { r.switches(n, c) },
		"socket_secret":      func(n *yaml.Node) { r.socketSecretText(n, &c.SocketSecret) },
		"socket_secret_file": func(n *yaml.Node) { r.socketSecretFile(n, &c.SocketSecret) },
		"store": r.section("store", map[string]read{
			"redis":    func(n *yaml.Node) { r.redis(n, &c.Store.Redis) },
			"key_file": func(n *yaml.Node) { c.Store.KeyNamed = r.path(n, "store.key_file", &c.Store.KeyFile) },
		}),
		"recordings": r.section("recordings", map[string]read{
			"dir": func(n *yaml.Node) {
				if _, dir, ok := r.folder(n, "recordings.dir"); ok {
					c.Recordings.Dir = dir
				}
			},
			"stereo": r.word("recordings.stereo", []string{"true", "false"},
				func(s string) { c.Recordings.Stereo = s == "true" }),
			"rate": r.word("recordings.rate", []string{"8000", "16000", "leg"},
				func(s string) { c.Recordings.Rate, _ = strconv.Atoi(s) }), // leg: 0
		}),
		"prompts": r.section("prompts", map[string]read{
			"dir": func(n *yaml.Node) {
				if text, _, ok := r.folder(n, "prompts.dir"); ok {
					c.Prompts.Dir = text
				}
			},
			"language": func(n *yaml.Node) { r.language(n, &c.Prompts.Language) },
		}),
		"policy": func(n *yaml.Node) { c.PolicyNamed = r.path(n, "policy", &c.Policy) },
		"audit": r.section("audit", map[string]read{
			"dir":    func(n *yaml.Node) { r.absolute(n, "audit.dir", &c.Audit.Dir) },
			"key":    func(n *yaml.Node) { r.path(n, "audit.key", &c.Audit.Key) },
			"copies": func(n *yaml.Node) { r.copies(n, &c.Audit.Copies) },
		}),
		"http": r.section("http", map[string]read{
			"listen":      r.addressOrOff("http.listen", "127.0.0.1:8085", &c.HTTP.Listen),
			"accounts":    func(n *yaml.Node) { r.path(n, "http.accounts", &c.HTTP.Accounts) },
			"certificate": func(n *yaml.Node) { r.path(n, "http.certificate", &c.HTTP.Certificate) },
			"key":         func(n *yaml.Node) { r.path(n, "http.key", &c.HTTP.Key) },
			"trusted_proxies": r.networks("http.trusted_proxies", "it is empty: write the networks of your proxies, or remove the key",
				&c.HTTP.TrustedProxies),
		}),
		"metrics": r.section("metrics", map[string]read{
			"listen": r.address("metrics.listen", "127.0.0.1:9185", &c.Metrics.Listen),
		}),
		"log": r.section("log", map[string]read{
			"level": r.word("log.level", []string{"debug", "info", "warn", "error"},
				func(s string) { _ = c.Log.Level.UnmarshalText([]byte(s)) }), // one of these four: it can
			"format": r.word("log.format", []string{"text", "json"}, func(s string) { c.Log.Format = s }),
		}),
	})
}

func (r *reader) section(name string, known map[string]read) read {
	return func(n *yaml.Node) { r.Fields(n, name, known) }
}

// items returns the entries of a list. A value that is no list counts as its only entry.
func (r *reader) items(n *yaml.Node) []*yaml.Node {
	n = strictyaml.Target(n)
	switch {
	case strictyaml.IsNull(n):
		return nil
	case n.Kind == yaml.SequenceNode:
		return n.Content
	}
	return []*yaml.Node{n}
}

func (r *reader) word(key string, words []string, take func(string)) read {
	return func(n *yaml.Node) {
		text, _, ok := r.Text(n, key)
		if ok && !slices.Contains(words, text) {
			r.Mistake(n, "%s is %.60q: write %s", key, text, strings.Join(words, " or "))
		} else if ok {
			take(text)
		}
	}
}

// path reads a file's name and reports whether there is one.
func (r *reader) path(n *yaml.Node, key string, value *string) bool {
	text, _, ok := r.Text(n, key)
	if ok {
		*value = text
	}
	return ok
}

// absolute reads the name of a folder, from the root on.
func (r *reader) absolute(n *yaml.Node, key string, value *string) {
	text, _, ok := r.Text(n, key)
	if ok && !filepath.IsAbs(text) {
		r.Mistake(n, "%s is %.200q: it is not absolute: begin with /", key, text)
	} else if ok {
		*value = filepath.Clean(text)
	}
}

// below reports whether a folder is another one, or in it.
func below(dir, other string) bool {
	within, err := filepath.Rel(other, dir)
	return err == nil && within != ".." && !strings.HasPrefix(within, "../")
}

// copies reads where checkpoints are copied to.
func (r *reader) copies(n *yaml.Node, value *[]string) {
	*value = nil
	for _, item := range r.items(n) {
		text, _, ok := r.Text(item, "audit.copies")
		if !ok {
			continue
		}
		if u, err := url.Parse(text); text == CopySyslog || filepath.IsAbs(text) || err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil {
			*value = append(*value, text)
			continue
		}
		r.Mistake(item, "audit.copies: write syslog, the path of a file from / on, or a URL that begins with https:// and has no password")
	}
}

// address reads an address to listen on. Without a host it means every address of the
// machine, with port 0 any free port.
func (r *reader) address(key, example string, value *string) read {
	return func(n *yaml.Node) {
		text, _, ok := r.Text(n, key)
		if !ok {
			return
		}
		if _, err := SplitAddress(text); err != nil {
			r.Mistake(n, "%s is %.80q, %v: write HOST:PORT, such as %s or \"[::1]:%s\"", key, text, err, example, portOf(example))
			return
		}
		*value = text
	}
}

// SplitAddress checks HOST:PORT and returns its host.
func SplitAddress(text string) (host string, err error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		if e, ok := errors.AsType[*net.AddrError](err); ok {
			err = errors.New(e.Err)
		}
		return "", err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", errors.New("its port is no number from 0 to 65535")
	}
	return host, nil
}

func portOf(address string) string {
	_, port, _ := strings.Cut(address, ":")
	return port
}

// addressOrOff reads what address reads, or the word off, which becomes "".
func (r *reader) addressOrOff(key, example string, value *string) read {
	address := r.address(key, example, value)
	return func(n *yaml.Node) {
		if strictyaml.Target(n).Value == "off" {
			*value = ""
			return
		}
		address(n)
	}
}

// networks reads a list of networks. An empty list is a mistake, with the text empty.
func (r *reader) networks(key, empty string, value *[]netip.Prefix) read {
	return func(n *yaml.Node) {
		*value = nil
		items := r.items(n)
		if len(items) == 0 {
			r.Mistake(n, "%s: %s", key, empty)
		}
		for _, item := range items {
			text, _, ok := r.Text(item, key)
			if !ok {
				continue
			}
			prefix, err := netip.ParsePrefix(text)
			if addr, bare := netip.ParseAddr(text); bare == nil {
				r.Mistake(item, "%s: %s is one address: write %s/%d", key, text, text, addr.BitLen())
			} else if err != nil {
				r.Mistake(item, "%s: %.60q is no network: write address/bits, such as 127.0.0.0/8 or \"::1/128\"", key, text)
			} else if prefix.Addr().Is4In6() {
				r.Mistake(item, "%s: %s is IPv4 in IPv6 dress: write the IPv4 network", key, text)
			} else {
				*value = append(*value, prefix)
			}
		}
	}
}

// redis reads the address of Redis, or a list of addresses.
func (r *reader) redis(n *yaml.Node, value *esl.Secret) {
	var all []string
	for _, item := range r.items(n) {
		if text, _, ok := r.Text(item, "store.redis"); ok {
			all = append(all, text)
		}
	}
	if len(r.items(n)) == 0 {
		r.Mistake(n, "store.redis has no value: write embedded, or a redis:// URL")
		return
	}
	address := strings.Join(all, ",")
	if err := store.CheckAddress(address); err != nil && len(all) == len(r.items(n)) {
		r.Mistake(n, "store.redis is %v", err)
		return
	}
	*value = esl.NewSecret(address)
}

// folder reads the name of a folder that FreeSWITCH uses. FreeSWITCH has to take a path
// below it as one argument (recording.NewDir).
func (r *reader) folder(n *yaml.Node, key string) (text string, dir recording.Dir, ok bool) {
	if text, _, ok = r.Text(n, key); !ok {
		return "", dir, false
	}
	dir, err := recording.NewDir(text)
	if err != nil {
		r.Mistake(n, "%s: %v", key, err)
		return "", dir, false
	}
	return text, dir, true
}

// language reads the name of a folder of prompts.
func (r *reader) language(n *yaml.Node, value *string) {
	text, _, ok := r.Text(n, "prompts.language")
	if ok && (text == "" || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz-") != "") {
		r.Mistake(n, "prompts.language is %.60q: write the folder of a language, such as en", text)
	} else if ok {
		*value = text
	}
}

func (r *reader) switches(n *yaml.Node, c *Config) {
	taken := map[string]int{}
	for i, item := range r.items(n) {
		item = strictyaml.Target(item)
		what := fmt.Sprintf("switches, entry %d", i+1)
		var s Switch
		at := map[string]*yaml.Node{}
		value := func(key string) read {
			return func(n *yaml.Node) {
				if _, _, ok := r.Text(n, what+": "+key); ok {
					at[key] = strictyaml.Target(n)
				}
			}
		}
		r.Fields(item, what, map[string]read{"name": value("name"), "address": value("address"),
			"password": value("password"), "password_file": value("password_file")})
		if item.Kind == yaml.MappingNode {
			r.oneSwitch(item, what, at, taken, &s)
			c.Switches = append(c.Switches, s)
		} else if strictyaml.IsNull(item) {
			r.Mistake(item, "%s is empty: remove it, or give it name, address and password_file", what)
		}
	}
}

// oneSwitch checks what an entry of switches says and reads its password file.
func (r *reader) oneSwitch(item *yaml.Node, what string, at map[string]*yaml.Node, taken map[string]int, s *Switch) {
	name, address, password, file := at["name"], at["address"], at["password"], at["password_file"]
	if name == nil {
		r.Mistake(item, "%s has no name: give it one, such as fs1", what)
	} else {
		s.Name, what = name.Value, "switch "+name.Value
		if line, twice := taken[s.Name]; twice {
			r.Mistake(name, "the name %s is taken by the switch of line %d: give each its own", s.Name, line)
		}
		taken[s.Name] = name.Line
	}
	if address == nil {
		r.Mistake(item, "%s has no address: write listen-ip:listen-port of its event_socket.conf.xml, such as 127.0.0.1:8021", what)
	} else if host, err := SplitAddress(address.Value); err != nil || host == "" {
		if err == nil {
			err = errors.New("it has no host")
		}
		r.Mistake(address, "%s: address is %.80q, %v: write HOST:PORT, such as 127.0.0.1:8021 or \"[::1]:8021\"", what, address.Value, err)
	} else {
		s.Address = address.Value
	}
	switch {
	case password != nil && file != nil:
		r.Mistake(file, "%s has a password and a password_file: remove one of them", what)
	case password != nil:
		s.Password = esl.NewSecret(password.Value)
	case file != nil:
		s.PasswordFile = file.Value
		if text, ok := r.secretFile(file, what+": password_file", "password", s.PasswordFile); ok {
			s.Password = esl.NewSecret(text)
		}
	default:
		r.Mistake(item, "%s has no password: write password_file (or password), what its event_socket.conf.xml says", what)
	}
}

// secretFile reads a file that holds a secret and nothing else. noun says what it is.
func (r *reader) secretFile(n *yaml.Node, key, noun, file string) (text string, ok bool) {
	bytes, err := os.ReadFile(file)
	text = strings.TrimRight(string(bytes), "\r\n")
	switch {
	case err != nil:
		r.Mistake(n, "%s: %v: write the %s into that file, or name another", key, err, noun)
	case text == "":
		r.Mistake(n, "%s %s is empty: write the %s into it", key, file, noun)
	case strings.ContainsAny(text, "\r\n\x00"):
		r.Mistake(n, "%s %s has more than one line: leave the %s alone in it", key, file, noun)
	default:
		return text, true
	}
	return "", false
}

// socketSecretText reads the secret itself; an empty text is none.
func (r *reader) socketSecretText(n *yaml.Node, to *esl.Secret) {
	if t := strictyaml.Target(n); t.Kind == yaml.ScalarNode && t.Tag == "!!str" && t.Value == "" {
		return
	}
	if text, _, ok := r.Text(n, "socket_secret"); ok {
		r.socketSecret(n, "socket_secret", text, to)
	}
}

func (r *reader) socketSecretFile(n *yaml.Node, to *esl.Secret) {
	if file, _, ok := r.Text(n, "socket_secret_file"); ok {
		if text, ok := r.secretFile(n, "socket_secret_file", "secret", file); ok {
			r.socketSecret(n, "socket_secret_file", text, to)
		}
	}
}

// socketSecret takes the secret of the dialplan. FreeSWITCH must hand it on unchanged: in
// the dialplan, $ and & mean something.
func (r *reader) socketSecret(n *yaml.Node, key, text string, value *esl.Secret) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
	switch {
	case len(text) < 16 || len(text) > 128 || strings.Trim(text, letters) != "":
		r.Mistake(n, "%s: write 16 to 128 letters, digits, -, _ and ., such as those of `openssl rand -hex 24`", key)
	case value.Reveal() != "":
		r.Mistake(n, "there is a socket_secret and a socket_secret_file: remove one of them")
	default:
		*value = esl.NewSecret(text)
	}
}
