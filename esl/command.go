package esl

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/percipia/eslgo/command"
)

// A Command is one command on the wire. Only the constructors of this package
// make one, and they check every argument. If FreeSWITCH would read a value as two
// lines or two words, the Command's Validate returns an error, and Send refuses the
// Command before it writes anything. The zero Command is refused too.
//
// A Command prints only as its Name, because its text may hold a password.
type Command struct {
	name string
	text *string // without the blank line at the end; a pointer for the same reason as Secret.text
	err  error
}

// maxCommand is the longest command in bytes. FreeSWITCH accepts 10 MB
// (mod_event_socket.c, read_packet, max_len).
const maxCommand = 64 << 10

// Name is what the command does, in one word: the api command, the application,
// or the event socket's own verb.
func (c Command) Name() string { return c.name }

// Validate returns nil, or an ErrRefused that says why the command is refused.
func (c Command) Validate() error {
	if c.err != nil {
		return c.err
	}
	if c.text == nil {
		return fmt.Errorf("%w: empty", ErrRefused)
	}
	return nil
}

// wire is the command's text without the blank line that ends it; "" if the
// command is refused.
func (c Command) wire() string {
	if c.Validate() != nil {
		return ""
	}
	return *c.text
}

// String is the name.
func (c Command) String() string { return c.name }

// Format prints the name under every verb.
func (c Command) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.name) }

// LogValue logs the name.
func (c Command) LogValue() slog.Value { return slog.StringValue(c.name) }

// Connect asks for the channel's data. It is the first command on an outbound
// socket.
func Connect() Command { return build("connect", command.Connect{}) }

// Exit leaves an outbound socket, after which the dialplan goes on.
func Exit() Command { return build("exit", command.Exit{}) }

// Auth logs in on an inbound connection. FreeSWITCH's password is the rest of
// the line and may hold spaces.
func Auth(password Secret) Command {
	return build("auth", command.Auth{Password: password.Reveal()},
		check{"the password", password.Reveal(), filled})
}

// API runs an api command whose arguments are one word each. A word with a
// space, a quote or a backslash is refused, because FreeSWITCH would split it or
// change it (switch_utils.c, separate_string_blank_delim). API commands do not
// expand ${variables}.
func API(cmd string, words ...string) Command {
	checks := []check{{"the api command", cmd, word}}
	for i, w := range words {
		checks = append(checks, check{fmt.Sprintf("argument %d", i+1), w, word})
	}
	return api(cmd, strings.Join(words, " "), checks...)
}

func api(cmd, arguments string, checks ...check) Command {
	c := build(cmd, command.API{Command: cmd, Arguments: arguments}, checks...)
	if c.err == nil && arguments == "" {
		*c.text = "api " + cmd
	}
	return c
}

// SetVar sets a variable of any channel to exactly this value; an empty value
// unsets it. The reply is -ERR if there is no such channel.
func SetVar(uuid, name, value string) Command {
	arguments := uuid + " " + name
	if value != "" {
		arguments += " " + escape(value)
	}
	return api("uuid_setvar", arguments,
		check{"the uuid", uuid, word}, check{"the variable", name, word}, check{"the value", value, line})
}

// RecordAction is what Record does.
type RecordAction string

// The actions of uuid_record that Tapedeck uses. From RecordMask to RecordUnmask
// the file gets silence.
const (
	RecordStart  RecordAction = "start"
	RecordStop   RecordAction = "stop"
	RecordMask   RecordAction = "mask"
	RecordUnmask RecordAction = "unmask"
)

// A RecordVar is a variable of one recording (RECORD_STEREO=true). The events
// RECORD_START and RECORD_STOP have it as Recording-Variable-<name>.
type RecordVar struct{ Name, Value string }

// Record is `uuid_record`. The path may have spaces and quotes. Only RecordStart
// takes vars; a name or value is refused if it has a character that FreeSWITCH
// interprets between braces.
func Record(uuid string, action RecordAction, path string, vars ...RecordVar) Command {
	checks := []check{{"the uuid", uuid, word}, {"the action", string(action), recordAction}, {"the path", path, recordPath}}
	arguments := uuid + " " + string(action) + " " + quote(path)
	if len(vars) > 0 {
		arguments += " 0 " + braces(vars)
		if action != RecordStart {
			checks = append(checks, check{"the action", string(action), noVars})
		}
	}
	for _, v := range vars {
		checks = append(checks, check{"the variable", v.Name, braceWord}, check{"the value of " + v.Name, v.Value, braceWord})
	}
	return api("uuid_record", arguments, checks...)
}

// braces writes {a=b,c=d}.
func braces(vars []RecordVar) string {
	pairs := make([]string, len(vars))
	for i, v := range vars {
		pairs[i] = v.Name + "=" + v.Value
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

// Execute runs a dialplan application on the outbound socket's own channel. On
// a synchronous socket the reply comes when the application has ended.
// FreeSWITCH expands ${variables} and ${functions()} in arg and drops spaces at
// its start: never put text there that the caller of the call can choose.
func Execute(app, arg string) Command {
	return execute("", app, arg)
}

// ExecuteOn runs a dialplan application on a channel. The reply says only that
// it was queued. Execute's warning about arg is true here too.
func ExecuteOn(uuid, app, arg string) Command {
	return execute(uuid, app, arg, check{"the uuid", uuid, word})
}

func execute(uuid, app, arg string, checks ...check) Command {
	var b strings.Builder
	fmt.Fprintf(&b, "sendmsg %s\ncall-command: execute\nexecute-app-name: %s", uuid, app)
	if arg != "" {
		b.WriteString("\nexecute-app-arg: " + arg)
	}
	return build(app, text(b.String()),
		append(checks, check{"the application", app, word}, check{"the argument", arg, line})...)
}

// Events subscribes to events, in plain format. A name that is not in capitals is
// the subclass of a CUSTOM event. The subclasses are written last, because
// FreeSWITCH reads every word after CUSTOM as one (mod_event_socket.c,
// parse_command).
func Events(names ...string) Command {
	list, checks := eventList(names)
	return build("event", command.Event{Format: "plain", Listen: list}, checks...)
}

func eventList(names []string) (list []string, checks []check) {
	var custom []string
	checks = []check{{"the list of events", strings.Join(names, " "), filled}}
	wanted := false
	for _, name := range names {
		checks = append(checks, check{"the event", name, word})
		switch {
		case name == "CUSTOM":
			wanted = true
		case strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "":
			list = append(list, name)
		default:
			wanted = true
			custom = append(custom, name)
		}
	}
	if wanted {
		list = append(append(list, "CUSTOM"), custom...)
	}
	return list, checks
}

// A Header is one line of an event that SendEvent makes.
type Header struct{ Name, Value string }

// SendEvent makes an event that every subscriber gets (mod_event_socket.c,
// parse_command, "sendevent"). A CUSTOM event's subclass is its header
// Event-Subclass. Subscribers get the values exactly as given: SendEvent escapes
// what FreeSWITCH would percent-decode.
func SendEvent(name string, headers ...Header) Command {
	var b strings.Builder
	b.WriteString("sendevent " + name)
	checks := []check{{"the event", name, word}}
	for _, h := range headers {
		b.WriteString("\n" + h.Name + ": " + strings.ReplaceAll(h.Value, "%", "%25"))
		checks = append(checks, check{"the header", h.Name, eventHeader}, check{"the value of " + h.Name, h.Value, line})
	}
	return build("sendevent", text(b.String()), checks...)
}

// text is a command for which eslgo has no type, or whose text eslgo writes in
// another order each time (SendMessage).
type text string

func (t text) BuildMessage() string { return string(t) }

// build makes a Command of the text that c writes, if every check passes.
func build(name string, c command.Command, checks ...check) Command {
	for _, k := range checks {
		if complaint := k.rule(k.value); complaint != "" {
			return refuse(name, k.what+" "+complaint)
		}
	}
	wire := c.BuildMessage()
	if len(wire) > maxCommand {
		return refuse(name, fmt.Sprintf("longer than %d bytes", maxCommand))
	}
	if unloads(wire) {
		return refuse(name, `FreeSWITCH reads any command that contains "mod_event_socket" and "unload" or "reload" as an order to unload that module`)
	}
	return Command{name: name, text: &wire}
}

// refuse makes a Command that Send will not write. If the name itself breaks the
// rules, the error does not repeat it.
func refuse(name, why string) Command {
	if word(name) != "" {
		name = "command"
	}
	return Command{name: name, err: fmt.Errorf("%w: %s: %s", ErrRefused, name, why)}
}
