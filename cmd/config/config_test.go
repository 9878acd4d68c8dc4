package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"tapedeck/esl"
	"tapedeck/internal/strictyaml"
	"tapedeck/recording"
)

// write makes a file in a new folder and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// documented is the daemon file that a document shows below a heading, without its switch,
// whose password file is not here.
func documented(t *testing.T, document, heading string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + document)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n"+heading+"\n")
	_, block, _ := strings.Cut(section, "\n```yaml\n")
	block, _, found := strings.Cut(block, "\n```\n")
	if !found {
		t.Fatalf("%s shows no YAML below %q", document, heading)
	}
	lines := slices.DeleteFunc(strings.Split(block, "\n"), func(l string) bool { return strings.HasPrefix(l, "  - {") })
	return []byte(strings.Join(lines, "\n"))
}

// same compares configurations by what they say, secrets included.
func same(a, b *Config) bool {
	ar, br := a.Store.Redis.Reveal(), b.Store.Redis.Reveal()
	x, y := *a, *b
	x.Store.Redis, y.Store.Redis = esl.Secret{}, esl.Secret{}
	x.PolicyNamed, y.PolicyNamed = false, false
	x.Store.KeyNamed, y.Store.KeyNamed = false, false
	return ar == br && reflect.DeepEqual(x, y)
}

// TestDefaults: the documents show the defaults, and every key at the top.
func TestDefaults(t *testing.T) {
	for _, c := range []struct{ document, heading string }{{"design.md", "## 6. Daemon file"}, {"configuration.md", "## The daemon file"}} {
		text := documented(t, c.document, c.heading)
		written, err := Parse("f", text)
		if err != nil {
			t.Fatal(err)
		}
		if !written.PolicyNamed {
			t.Errorf("%s names a policy", c.document)
		}
		for _, text := range []string{"", "# nothing\n", "---\n", "{}\n", "log:\nhttp: {}\n"} {
			c, err := Parse("f", []byte(text))
			if err != nil || !same(c, written) {
				t.Errorf("%q: %v\n%+v\n%+v", text, err, c, written)
			}
			if c.PolicyNamed {
				t.Errorf("%q names no policy", text)
			}
		}
		var shown map[string]any
		if err := yaml.Unmarshal(text, &shown); err != nil {
			t.Error(err)
		}
		for i := range reflect.TypeFor[Config]().NumField() {
			key := reflect.TypeFor[Config]().Field(i).Tag.Get("yaml")
			if _, ok := shown[key]; !ok && key != "-" {
				t.Errorf("%s does not show %s", c.document, key)
			}
			delete(shown, key)
		}
		if len(shown) > 0 {
			t.Errorf("%s shows %v, which there is not", c.document, shown)
		}
	}
}

func TestConfigIsRead(t *testing.T) {
	password := write(t, "password", "from a file\n")
	c, err := Parse("f", []byte(`
listen: "[::1]:18084"
allow: ["2001:db8::/32", 10.1.2.3/32]
switches:
  - { name: fs1, address: "[2001:db8::5]:8021", password: ClueCon }
  - name: fs2
    address: switch.example.net:8021
    password_file: `+password+`
socket_secret: a-secret-of-the-dialplan
store: { redis: [redis://:pw@a:1, "redis://:pw@b:2"] }
recordings: { dir: /srv/calls, stereo: false, rate: 16000 }
prompts: { dir: /srv/sounds, language: es }
policy: p
audit: { dir: /srv/audit/, key: k.pem, copies: [syslog, /mnt/worm/checkpoints, "https://log.example.net/c"] }
http: { listen: ":0", accounts: a, certificate: c, key: k, trusted_proxies: 10.0.0.0/8 }
metrics: { listen: localhost:1 }
log: { level: debug, format: json }
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{Listen: "[::1]:18084", Policy: "p", PolicyNamed: true, File: "f"}
	want.Allow = []netip.Prefix{netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("10.1.2.3/32")}
	if want.Recordings.Dir, err = recording.NewDir("/srv/calls"); err != nil {
		t.Fatal(err)
	}
	want.Recordings.Rate = 16000
	want.Audit.Dir, want.Audit.Key, want.Audit.Copies = "/srv/audit", "k.pem", []string{CopySyslog, "/mnt/worm/checkpoints", "https://log.example.net/c"}
	want.HTTP.Listen, want.HTTP.Accounts = ":0", "a"
	want.HTTP.Certificate, want.HTTP.Key, want.HTTP.TrustedProxies = "c", "k", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	want.Prompts.Dir, want.Prompts.Language = "/srv/sounds", "es"
	want.Metrics.Listen, want.Log.Level, want.Log.Format = "localhost:1", slog.LevelDebug, "json"
	want.SocketSecret = esl.NewSecret("a-secret-of-the-dialplan")
	want.Store.KeyFile = Default().Store.KeyFile
	want.Store.Redis = esl.NewSecret("redis://:pw@a:1,redis://:pw@b:2")
	want.Switches = []Switch{{Name: "fs1", Address: "[2001:db8::5]:8021", Password: esl.NewSecret("ClueCon")},
		{Name: "fs2", Address: "switch.example.net:8021", Password: esl.NewSecret("from a file"), PasswordFile: password}}
	if !same(c, &want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	for i, s := range want.Switches {
		if c.Switches[i].Password.Reveal() != s.Password.Reveal() {
			t.Errorf("password of %s", s.Name)
		}
	}
}

// TestConfigMistakes: each value that cannot be, alone; every report has the
// line, and says what to write.
func TestConfigMistakes(t *testing.T) {
	empty, long := write(t, "password", "\n"), write(t, "password", "one\ntwo\n")
	sw := func(rest string) string { return "switches:\n- {name: fs1, address: 'h:1', " + rest + "}\n" }
	for _, c := range []struct {
		text string
		line int
		says string
	}{
		{"lsten: x\n", 1, `unknown key "lsten": use allow, audit, http, listen,`},
		{"log:\n  colour: red\n", 2, `unknown key "colour" in log: use format, level`},
		{"listen: 'a:1'\nlisten: 'a:2'\n", 2, "listen is said twice: remove this one or that of line 1"},
		{"listen: 8084\n", 1, "write HOST:PORT, such as 127.0.0.1:8084"},
		{"listen: ::1:8084\n", 1, `"[::1]:8084"`},
		{"listen: 127.0.0.1:http\n", 1, "no number from 0 to 65535"},
		{"listen: 127.0.0.1:70000\n", 1, "no number from 0 to 65535"},
		{"listen: [a, b]\n", 1, "write one value"},
		{"listen:\n", 1, "listen has no value"},
		{"http: {listen: x}\n", 1, "such as 127.0.0.1:8085"},
		{"http: {certificate: x}\n", 1, "write both http.certificate and http.key"},
		{"\nhttp: {trusted_proxies: [10.0.0.1]}\n", 2, "http.trusted_proxies: 10.0.0.1 is one address"},
		{"http: {trusted_proxies: []}\n", 1, "http.trusted_proxies: it is empty"},
		{"metrics: {listen: x}\n", 1, "such as 127.0.0.1:9185"},
		{"allow: []\n", 1, "nobody may connect"},
		{"allow:\n", 1, "nobody may connect"},
		{"allow:\n- 10.0.0.5\n", 2, "write 10.0.0.5/32"},
		{"allow: ['::1']\n", 1, "write ::1/128"},
		{"allow:\n- 127.0.0.0/8\n- lan\n", 3, "write address/bits"},
		{"allow: ['::ffff:10.0.0.0/104']\n", 1, "write the IPv4 network"},
		{"store:\n  redis:\n", 2, "write embedded, or a redis:// URL"},
		{"\nstore: { redis: http://x }\n", 2, "store.redis is \"http://x\": redis: invalid URL scheme: http: write embedded; redis://"},
		{"store:\n  redis:\n  - redis://a:1\n  - redis://b\n  - c\n", 3, "store.redis is \"redis://a:1,redis://b,c\": no host"},
		{"store: embedded\n", 1, "write keys and values"},
		{"recordings: {dir: spool}\n", 1, "not absolute"},
		{"recordings: {dir: /a b}\n", 1, "use letters, digits"},
		{"audit: {dir: audit}\n", 1, "not absolute"},
		{"recordings: {dir: /srv/calls}\naudit: {dir: /srv/calls/audit}\n", 1, "where FreeSWITCH may write"},
		{"audit: {copies: [http://example.net/c]}\n", 1, "https://"},
		{"audit: {copies: https://u:pw@example.net/c}\n", 1, "has no password"},
		{"recordings: {stereo: maybe}\n", 1, "write true or false"},
		{"recordings: {rate: 44100}\n", 1, "write 8000 or 16000 or leg"},
		{"policy: {a: b}\n", 1, "write one value"},
		{"log: {level: loud}\n", 1, "write debug or info or warn or error"},
		{"log: {format: xml}\n", 1, "write text or json"},
		{"switches: fs1\n", 1, "write keys and values"},
		{"switches:\n-\n", 2, "is empty"},
		{"socket_secret: short\n", 1, "write 16 to 128 letters"},
		{"socket_secret: '${expanded by FreeSWITCH}'\n", 1, "write 16 to 128 letters"},
		{"socket_secret_file: /nowhere/at/all\n", 1, "write the secret into that file, or name another"},
		{"socket_secret_file: " + long + "\n", 1, "more than one line"},
		{"socket_secret: hunter2hunter2hunter2\nsocket_secret_file: " + write(t, "secret", "hunter2hunter2hunter2\n") + "\n", 2, "remove one of them"},
		{"switches:\n- {address: 'h:1', password: x}\n", 2, "entry 1 has no name"},
		{"switches:\n- {name: fs1, password: x}\n", 2, "switch fs1 has no address"},
		{"switches:\n- {name: fs1, address: 8021, password: x}\n", 2, "write HOST:PORT"},
		{"switches:\n- {name: fs1, address: ':8021', password: x}\n", 2, "it has no host"},
		{sw(""), 2, "write password_file (or password), what its event_socket.conf.xml says"},
		{sw("password: x, password_file: y"), 2, "remove one of them"},
		{sw("password_file: /nowhere/at/all"), 2, "write the password into that file, or name another"},
		{sw("password_file: " + empty), 2, "is empty"},
		{sw("password_file: " + long), 2, "more than one line"},
		{sw("password: x") + "- {name: fs1, address: 'h:2', password: x}\n", 3, "the name fs1 is taken by the switch of line 2"},
		{"- a\n", 1, "the file: write keys and values"},
		{"listen: 'a:1'\n\tlog: x\n", 2, "not valid YAML"},
		{"log: {}\n---\nlog: {}\n", 2, "a second document begins here"},
		{"<<: {listen: x}\n", 1, "unknown key"},
	} {
		_, err := Parse("t.yaml", []byte(c.text))
		report, ok := errors.AsType[*strictyaml.Report](err)
		if !ok || len(report.Mistakes) != 1 {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		m := report.Mistakes[0]
		if m.File != "t.yaml" || m.Line != c.line || !strings.Contains(m.Text, c.says) {
			t.Errorf("%q: %v, want line %d, %q", c.text, m, c.line, c.says)
		}
	}
}

// TestConfigMistakesTogether: mistakes of every kind are in one report.
func TestConfigMistakesTogether(t *testing.T) {
	path := write(t, "tapedeck.yaml", `listen: 8084
colour: red
allow: [lan]
switches:
  - { name: fs1, adress: 127.0.0.1:8021 }
log: { level: loud, format: xml }
recordings: { dir: spool, stereo: 7 }
`)
	_, err := Load(path)
	lines := strings.Split(fmt.Sprint(err), "\n")
	if len(lines) != 10 {
		t.Fatalf("the report is\n%v", err)
	}
	for i, line := range []int{1, 2, 3, 5, 5, 5, 6, 6, 7, 7} {
		if !strings.HasPrefix(lines[i], fmt.Sprintf("%s:%d: ", path, line)) {
			t.Errorf("line %d of the report is %q, want line %d of the file", i+1, lines[i], line)
		}
	}
}

func TestConfigFileMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.yaml")
	_, err := Load(path)
	if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

// TestConfigShowsNoSecret prints a configuration in every way, and the mistakes
// of files whose secrets are in the wrong place.
func TestConfigShowsNoSecret(t *testing.T) {
	const word = "hunter2hunter2"
	file := write(t, "password", word+"\n")
	c, err := Parse("f", []byte("switches:\n- {name: a, address: 'h:1', password: "+word+"}\n"+
		"- {name: b, address: 'h:1', password_file: "+file+"}\nsocket_secret: "+word+word+"\nstore: {redis: 'redis://user:"+word+"@h:1/0'}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	for _, v := range []any{c, *c, c.Switches, c.Switches[0], &c.Switches[1], c.Store, &c.Store, c.SocketSecret} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&shown, format+"\n", v)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(&shown, nil), slog.NewJSONHandler(&shown, nil)} {
			slog.New(h).Info("x", "value", v, slog.Group("in", "v", v))
		}
		j, jsonErr := json.Marshal(v)
		y, yamlErr := yaml.Marshal(v)
		if jsonErr != nil || yamlErr != nil {
			t.Fatal(jsonErr, yamlErr)
		}
		shown.Write(j)
		shown.Write(y)
	}
	for _, text := range []string{
		"switches:\n- " + word + "\n", "switches: " + word + "\n", "switches:\n- {name: a, password: [" + word + "]}\n",
		"switches:\n- {name: a, password: {" + word + ": x}}\n", "store: 'redis://:" + word + "@h'\n",
		"store: {redis: {url: 'redis://:" + word + "@h'}}\n", "store: {redis: ['redis://:" + word + "@h', [x]]}\n",
		"switches:\n- {name: a, password: " + word + ", address: x, password: " + word + "}\n",
		"socket_secret: [" + word + "]\n", "socket_secret: '" + word + " '\n",
		"switches:\n- {name: a, password: '" + word + ", address: x}\n",
	} {
		_, err := Parse("f", []byte(text))
		if err == nil {
			t.Errorf("%q is taken", text)
		}
		fmt.Fprintln(&shown, err)
	}
	for _, url := range []string{"redis://:" + word + "@", "redis://:" + word + "@h:x", "rdis://:" + word + "@h:1", "redis://:" + word + "@h:1?pool=" + word} {
		_, err := Parse("f", []byte("store: {redis: '"+url+"'}\n"))
		if err == nil || !strings.Contains(err.Error(), "write embedded; redis://") {
			t.Errorf("%v", err)
		}
		fmt.Fprintln(&shown, err)
	}
	for _, form := range []string{word, fmt.Sprintf("%x", word), fmt.Sprintf("%v", []byte(word))} {
		if i := strings.Index(shown.String(), form); i >= 0 {
			t.Errorf("shown: …%s…", shown.String()[max(0, i-200):i+len(form)+50])
		}
	}
}

func TestPasswordFileKeepsSpaces(t *testing.T) {
	path := write(t, "password", "  spaces stay  \r\n")
	c, err := Parse("f", []byte("switches:\n- {name: a, address: 'h:1', password_file: "+path+"}\n"))
	if err != nil || c.Switches[0].Password.Reveal() != "  spaces stay  " {
		t.Errorf("%v", err)
	}
}
