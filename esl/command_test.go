package esl

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tapedeck/internal/wire"
)

const someUUID = "65aca76e-95f6-423f-b420-05f63341293c"

func TestCommands(t *testing.T) {
	tests := []struct {
		command Command
		name    string
		want    string
	}{
		{Connect(), "connect", "connect"},
		{Exit(), "exit", "exit"},
		{Auth(NewSecret("Clue Con")), "auth", "auth Clue Con"},
		{API("status"), "status", "api status"},
		{API("uuid_kill", someUUID, "USER_BUSY"), "uuid_kill", "api uuid_kill " + someUUID + " USER_BUSY"},
		{SetVar("u", "a[0]", `it's "x" \ y`), "uuid_setvar", `api uuid_setvar u a[0] it\'s "x" \\ y`},
		{SetVar("u", "a", "  x "), "uuid_setvar", `api uuid_setvar u a \s\sx\s`},
		{SetVar("u", "a", " "), "uuid_setvar", `api uuid_setvar u a \s`},
		{SetVar("u", "a", ""), "uuid_setvar", "api uuid_setvar u a"},
		{Record("u", RecordStart, "/a/b.wav"), "uuid_record", "api uuid_record u start /a/b.wav"},
		{Record("u", RecordMask, "/a b/it's.wav"), "uuid_record", `api uuid_record u mask '/a b/it\'s.wav'`},
		{Record("u", RecordStart, "/a.wav", RecordVar{"RECORD_STEREO", "true"}, RecordVar{"RECORD_MIN_SEC", "0"}), "uuid_record",
			"api uuid_record u start /a.wav 0 {RECORD_STEREO=true,RECORD_MIN_SEC=0}"},
		{Execute("park", ""), "park", "sendmsg \ncall-command: execute\nexecute-app-name: park"},
		{Execute("set", "a=b: c"), "set",
			"sendmsg \ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: a=b: c"},
		{ExecuteOn("u", "set", "a=b"), "set", "sendmsg u\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: a=b"},
		{Events("sofia::register", "CHANNEL_ANSWER", "a::b", "DTMF"), "event", "event plain CHANNEL_ANSWER DTMF CUSTOM sofia::register a::b"},
		{Events("CUSTOM", "DTMF"), "event", "event plain DTMF CUSTOM"},
	}
	for _, test := range tests {
		if err := test.command.Validate(); err != nil {
			t.Errorf("%q: %v", test.want, err)
		}
		if got := test.command.wire(); got != test.want || test.command.Name() != test.name {
			t.Errorf("%s: %q, want %s: %q", test.command.Name(), got, test.name, test.want)
		}
	}
}

func TestRefused(t *testing.T) {
	tests := map[string]Command{
		"zero":                     {},
		"newline in a word":        API("uuid_kill", "u\nexit"),
		"CR in a word":             API("uuid_kill", "u\rexit"),
		"NUL in a word":            API("uuid_kill", "u\x00"),
		"space in a word":          API("uuid_kill", "u v"),
		"tab in a word":            API("uuid_kill", "u\tv"),
		"quote in a word":          API("uuid_kill", "u'"),
		"backslash in a word":      API("uuid_kill", `u\`),
		"empty word":               API("uuid_kill", "", "u"),
		"empty command":            API(""),
		"space in the command":     API("uuid_kill u"),
		"newline in the command":   API("a\n\nexit"),
		"newline in a value":       SetVar("u", "a", "b\nc"),
		"CR in a value":            SetVar("u", "a", "b\rc"),
		"NUL in a value":           SetVar("u", "a", "b\x00c"),
		"space in a variable":      SetVar("u", "a b", "c"),
		"no variable":              SetVar("u", "", "c"),
		"space in a uuid":          SetVar("u v", "a", "c"),
		"no uuid":                  SetVar("", "a", "c"),
		"newline in a path":        Record("u", RecordStart, "/a\n"),
		"no path":                  Record("u", RecordStart, ""),
		"parameters before a path": Record("u", RecordStart, "{a=b}/c.wav"),
		"unknown action":           Record("u", "pause", "/a.wav"),
		"variables with mask":      Record("u", RecordMask, "/a.wav", RecordVar{"A", "b"}),
		"brace in a variable":      Record("u", RecordStart, "/a.wav", RecordVar{"A", "b}"}),
		"comma in a variable":      Record("u", RecordStart, "/a.wav", RecordVar{"A", "b,c=d"}),
		"percent in a variable":    Record("u", RecordStart, "/a.wav", RecordVar{"A", "%2C"}),
		"no variable's name":       Record("u", RecordStart, "/a.wav", RecordVar{"", "b"}),
		"newline in an argument":   Execute("set", "a=b\nexecute-app-name: system"),
		"newline in an app":        Execute("set\nx: y", ""),
		"no app":                   Execute("", "x"),
		"no uuid to execute on":    ExecuteOn("", "set", "a=b"),
		"newline in that uuid":     ExecuteOn("u\ncontent-length: 5", "set", "a=b"),
		"newline in a password":    Auth(NewSecret("a\nb")),
		"no password":              Auth(Secret{}),
		"no events":                Events(),
		"space in an event":        Events("DTMF ALL"),
		"empty event":              Events(""),
		"too long":                 SetVar("u", "a", strings.Repeat("x", maxCommand)),
		"unloads the event socket": SetVar("u", "a", "Mod_Event_Socket UNLOAD"),
		"reloads the event socket": Execute("log", "reload mod_event_socket"),
	}
	for name, c := range tests {
		if err := c.Validate(); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		} else if strings.ContainsAny(err.Error(), "\n\r\x00") {
			t.Errorf("%s: error of several lines: %q", name, err)
		}
		if c.wire() != "" || strings.ContainsAny(c.Name(), " \n\r\x00") {
			t.Errorf("%s: text %q, name %q", name, c.wire(), c.Name())
		}
	}
}

// TestCapturedCommands builds the commands of the captured sessions: the same bytes.
func TestCapturedCommands(t *testing.T) {
	built := 0
	for _, c := range wire.Captures(t) {
		for _, text := range c.Commands() {
			cmd, ok := rebuild(text)
			if !ok {
				continue
			}
			built++
			if got := cmd.wire(); got != text {
				t.Errorf("%s: built %q (%v), captured %q", c.Name, got, cmd.Validate(), text)
			}
		}
	}
	if built < 80 {
		t.Errorf("only %d captured commands were built", built)
	}
}

// rebuild makes the Command of a captured text.
func rebuild(text string) (Command, bool) {
	words := strings.Split(text, " ")
	switch {
	case text == "connect":
		return Connect(), true
	case text == "exit":
		return Exit(), true
	case words[0] == "auth":
		return Auth(NewSecret(words[1])), true
	case words[0] == "event":
		return Events(words[2:]...), true
	case words[0] == "sendmsg":
		lines := strings.Split(text, "\n")
		app := strings.TrimPrefix(lines[2], "execute-app-name: ")
		arg := ""
		if len(lines) > 3 {
			arg = strings.TrimPrefix(lines[3], "execute-app-arg: ")
		}
		if uuid := strings.TrimPrefix(lines[0], "sendmsg "); uuid != "" {
			return ExecuteOn(uuid, app, arg), true
		}
		return Execute(app, arg), true
	case strings.HasPrefix(text, "api uuid_setvar "):
		value := strings.Join(words[4:], " ")
		return SetVar(words[2], words[3], value), !strings.ContainsAny(value, `\'`)
	case strings.HasPrefix(text, "api uuid_record ") && len(words) == 5:
		return Record(words[2], RecordAction(words[3]), words[4]), true
	case words[0] == "api":
		cmd := API(words[1], words[2:]...)
		return cmd, cmd.Validate() == nil
	}
	return Command{}, false
}

// freeswitchCommands reads a stream as FreeSWITCH does (mod_event_socket.c,
// read_packet): it skips line ends before a command, a command ends with two line ends
// in a row (not counting CR), and a content-length adds a body.
func freeswitchCommands(stream string) (commands []string, rest string) {
	for {
		stream = strings.TrimLeft(stream, "\r\n")
		ends, at := 0, 0
		for ; at < len(stream) && ends < 2; at++ {
			if stream[at] == '\n' {
				ends++
			} else if stream[at] != '\r' {
				ends = 0
			}
		}
		if ends < 2 {
			return commands, stream
		}
		commands, stream = append(commands, stream[:at]), stream[at:]
	}
}

// freeswitchHeaders is the first line and the headers of a command, as read_packet
// reads them.
func freeswitchHeaders(cmd string) (first string, headers []string) {
	lines := strings.FieldsFunc(cmd, func(r rune) bool { return r == '\r' || r == '\n' })
	return lines[0], lines[1:]
}

// freeswitchSplit is switch_separate_string with ' ' (switch_utils.c,
// separate_string_blank_delim and cleanup_separated_string).
func freeswitchSplit(s string, most int) (words []string) {
	for len(words) < most && s != "" {
		if len(words) == most-1 {
			words, s = append(words, s), ""
			break
		}
		lead := len(s) - len(strings.TrimLeft(s, " "))
		i, quoted := lead, false
		for i < len(s) && (s[i] != ' ' || quoted) {
			if s[i] == '\\' {
				i++
			} else if s[i] == '\'' {
				quoted = !quoted
			}
			i++
		}
		i = min(i, len(s))
		words, s = append(words, s[:i]), strings.TrimLeft(s[i:], " ")
	}
	for i, w := range words {
		words[i] = freeswitchClean(w)
	}
	return words
}

func freeswitchClean(s string) string {
	s = strings.TrimLeft(s, " ")
	var out []byte
	end, quoted := 0, false
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if e, ok := map[byte]byte{'\'': '\'', '"': '"', '\\': '\\', 'n': '\n', 'r': '\r', 't': '\t', 's': ' '}[s[i+1]]; ok {
				i++
				out = append(out, e)
				end = len(out)
				continue
			}
		}
		if s[i] == '\'' && (quoted || strings.Contains(s[i+1:], "'")) {
			if quoted = !quoted; quoted {
				end = len(out)
			}
			continue
		}
		out = append(out, s[i])
		if s[i] != ' ' || quoted {
			end = len(out)
		}
	}
	if end > 0 {
		out = out[:end]
	}
	return string(out)
}

// FuzzCommand: with any arguments, a command is refused, or FreeSWITCH reads exactly
// one command with exactly these arguments.
func FuzzCommand(f *testing.F) {
	f.Add("u", "set", "a=b")
	f.Add("u v", "a\nb", "x\n\nexit\n\n")
	f.Add("u", "/tmp/it's a \\ file.wav", " \\n ' x ' ")
	f.Add("u\r", "content-length: 5", "mod_event_socket unload")
	f.Add("", "\x00", "'")
	f.Add("CUSTOM", "Content-Length", "5")
	f.Add("CUSTOM", "a", "100%\n")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		api := func(words ...string) []string { return words }
		if c != "" {
			checkCommand(t, SetVar(a, b, c), "uuid_setvar", 3, api(a, b, c))
		}
		checkCommand(t, SetVar(a, b, ""), "uuid_setvar", 3, api(a, b))
		checkCommand(t, Record(a, RecordMask, b), "uuid_record", 5, api(a, "mask", b))
		checkCommand(t, Record(a, RecordStart, b, RecordVar{c, a}), "uuid_record", 5, api(a, "start", b, "0", "{"+c+"="+a+"}"))
		checkCommand(t, API("uuid_kill", a, b, c), "uuid_kill", 9, api(a, b, c))
		checkCommand(t, API(a), a, 9, nil)
		checkOne(t, Auth(NewSecret(a)), "auth "+a)
		checkOne(t, Events(a, b, c), "")
		checkOne(t, Execute(b, c), "sendmsg ", "call-command: execute", "execute-app-name: "+b, "execute-app-arg: "+c)
		checkOne(t, SendEvent(a, Header{b, c}), "sendevent "+a, b+": "+strings.ReplaceAll(c, "%", "%25"))
		checkOne(t, ExecuteOn(a, b, c), "sendmsg "+a, "call-command: execute", "execute-app-name: "+b, "execute-app-arg: "+c)
	})
}

// checkCommand asserts that c is refused, or is one api command with these words.
func checkCommand(t *testing.T, c Command, name string, most int, words []string) {
	t.Helper()
	first := checkOne(t, c, "")
	if first == "" {
		return
	}
	got := freeswitchSplit(strings.TrimPrefix(first, "api "+name+" "), most)
	if len(words) == 0 {
		got = nil
	}
	if !slices.Equal(got, words) {
		t.Fatalf("%q is read as %q, want %q", first, got, words)
	}
}

// checkOne asserts that c is refused, or is one command with this line and these
// headers. It returns the line.
func checkOne(t *testing.T, c Command, line string, headers ...string) string {
	t.Helper()
	if c.Validate() != nil {
		if c.wire() != "" {
			t.Fatalf("refused, and yet %q", c.wire())
		}
		return ""
	}
	commands, rest := freeswitchCommands(c.wire() + "\n\nexit\n\n")
	if len(commands) != 2 || commands[1] != "exit\n\n" || rest != "" {
		t.Fatalf("%q is read as %q, %q", c.wire(), commands, rest)
	}
	if strings.ContainsRune(commands[0], 0) {
		t.Fatalf("NUL in %q", commands[0])
	}
	first, got := freeswitchHeaders(commands[0])
	if line != "" && first != line && strings.TrimRight(line, " ") != first {
		t.Fatalf("first line %q, want %q", first, line)
	}
	headers = slices.DeleteFunc(headers, func(h string) bool { return h == "execute-app-arg: " })
	if !slices.Equal(got, headers) {
		t.Fatalf("headers %q, want %q", got, headers)
	}
	return first
}

// TestEventHeaders: an event cannot announce a body. FreeSWITCH would read the next
// commands as that body.
func TestEventHeaders(t *testing.T) {
	for name, refused := range map[string]bool{"Event-Subclass": false, "Content-Length": true, "content-LENGTH": true, "a: b": true, "a:b": true, "": true} {
		if err := SendEvent("CUSTOM", Header{name, "5"}).Validate(); (err != nil) != refused {
			t.Errorf("header %q: %v", name, err)
		}
	}
}

// TestEscapeExactly writes every short text of characters that FreeSWITCH interprets,
// and reads it as FreeSWITCH does.
func TestEscapeExactly(t *testing.T) {
	texts := []string{""}
	for from := 0; len(texts[from]) < 6; from++ {
		for _, c := range `a '\s"` {
			texts = append(texts, texts[from]+string(c))
		}
	}
	for _, text := range texts[1:] {
		arguments := strings.TrimPrefix(SetVar("u", "v", text).wire(), "api uuid_setvar ")
		if got := freeswitchSplit(arguments, 3); !slices.Equal(got, []string{"u", "v", text}) {
			t.Fatalf("%q is written %q and read %q", text, arguments, got)
		}
		path := "/" + text + "."
		arguments = strings.TrimPrefix(Record("u", RecordStart, path, RecordVar{"a", "b"}).wire(), "api uuid_record ")
		if got := freeswitchSplit(arguments, 5); !slices.Equal(got, []string{"u", "start", path, "0", "{a=b}"}) {
			t.Fatalf("%q is written %q and read %q", path, arguments, got)
		}
	}
}
