package esltest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const showUsage = "-USAGE: codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]|" +
	"calls|detailed_calls|bridged_calls|detailed_bridged_calls|aliases|complete|chat|management|modules|nat_map|say|" +
	"interfaces|interface_types|tasks|limits|status\n"

// apiShow is `show channels|calls|bridged_calls [count] [as json]`. Other tables are
// not simulated.
func (s *Switch) apiShow(args string) string {
	words := strings.Fields(args)
	if len(words) == 0 {
		return showUsage
	}
	var rows [][]header
	switch t := s.tables(); strings.ToLower(words[0]) {
	case "channels":
		rows = t.channels
	case "calls":
		rows = t.calls
	case "bridged_calls":
		rows = t.bridged
	default:
		return showUsage
	}
	words = words[1:]
	count := len(words) > 0 && strings.EqualFold(words[0], "count")
	if count {
		words = words[1:]
	}
	format := ""
	if len(words) > 1 && strings.EqualFold(words[0], "as") {
		format = words[1]
	}
	switch {
	case format == "" && count:
		return fmt.Sprintf("\n%d total.\n", len(rows))
	case format == "":
		return list(rows)
	case format == "json" && count:
		return fmt.Sprintf("{\"row_count\":%d,\"rows\":[]}", len(rows))
	case format == "json":
		return listJSON(rows)
	}
	return "-ERR Cannot find format " + format + "\n"
}

// tables are what `show` reads: the core's database, not the channels themselves.
type tables struct{ channels, calls, bridged [][]header }

func (s *Switch) tables() tables {
	if s.now().Before(s.faults.staleTo) {
		return s.faults.stale
	}
	return s.readTables()
}

func (s *Switch) readTables() (t tables) {
	for _, c := range s.order {
		t.channels = append(t.channels, c.row())
		if c.partner == nil || c.isA {
			call := c.callRow()
			t.calls = append(t.calls, call)
			if c.partner != nil {
				t.bridged = append(t.bridged, call)
			}
		}
	}
	return t
}

// list is the comma-separated form, which has no quoting.
func list(rows [][]header) string {
	var b strings.Builder
	for i, row := range rows {
		var names, values []string
		for _, column := range row {
			names, values = append(names, column.name), append(values, column.value)
		}
		if i == 0 {
			b.WriteString(strings.Join(names, ",") + "\n")
		}
		b.WriteString(strings.Join(values, ",") + "\n")
	}
	fmt.Fprintf(&b, "\n%d total.\n", len(rows))
	return b.String()
}

func listJSON(rows [][]header) string {
	if len(rows) == 0 {
		return "{\"row_count\": 0}\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "{\"row_count\":%d,\"rows\":[", len(rows))
	for i, row := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, column := range row {
			b.WriteByte("{,"[min(j, 1)])
			b.WriteString(quote(column.name) + ":" + quote(column.value))
		}
		b.WriteByte('}')
	}
	return b.String() + "]}"
}

// quote writes a JSON string as cJSON does: it does not escape `<`.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // strings always encode
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// row is the channel's row of the table `channels`, in its columns' order
// (switch_core_sqldb.c).
func (c *Channel) row() []header {
	p := &c.profile
	get := func(name string) string { value, _ := c.vars.get(name); return value }
	call, direction, sent := "", "", c.calleeSent()
	if c.partner != nil {
		call, direction = get("call_uuid"), "SEND"
	}
	return []header{
		{"uuid", c.uuid}, {"direction", p.direction},
		{"created", p.times.created.Format(time.DateTime)}, {"created_epoch", fmt.Sprint(p.times.created.Unix())},
		{"name", p.channelName}, {"state", c.state},
		{"cid_name", p.callerName}, {"cid_num", p.callerNumber}, {"ip_addr", p.address}, {"dest", p.destination},
		{"application", get("current_application")}, {"application_data", get("current_application_data")},
		{"dialplan", "XML"}, {"context", p.context},
		{"read_codec", "PCMU"}, {"read_rate", "8000"}, {"read_bit_rate", "64000"},
		{"write_codec", "PCMU"}, {"write_rate", "8000"}, {"write_bit_rate", "64000"},
		{"secure", ""}, {"hostname", c.sw.options.Name}, {"presence_id", get("presence_id")}, {"presence_data", ""},
		{"accountcode", get("accountcode")}, {"callstate", c.callState},
		{"callee_name", p.calleeName}, {"callee_num", p.calleeNumber}, {"callee_direction", direction}, {"call_uuid", call},
		{"sent_callee_name", sent}, {"sent_callee_num", sent},
		{"initial_cid_name", p.originalName}, {"initial_cid_num", p.originalNumber}, {"initial_ip_addr", p.address},
		{"initial_dest", p.destination}, {"initial_dialplan", "XML"}, {"initial_context", p.context},
	}
}

// calleeSent is the number that the phone of a bridged leg shows as the other
// party's.
func (c *Channel) calleeSent() string {
	switch {
	case c.partner == nil:
		return ""
	case c.isA:
		return c.profile.calleeNumber
	}
	return c.profile.callerNumber
}

// callRow is the channel's row of the view basic_calls: its own columns, then those
// of Bridge-B, which are empty if it is not bridged (switch_core_sqldb.c,
// basic_calls_sql).
func (c *Channel) callRow() []header {
	own, other := c.row(), map[string]string{}
	created := ""
	if c.partner != nil {
		for _, column := range c.partner.row() {
			other[column.name] = column.value
		}
		created = fmt.Sprint(c.profile.times.bridged.Unix())
	}
	var row []header
	for _, name := range callColumns {
		for _, column := range own {
			if column.name == name {
				row = append(row, column)
			}
		}
	}
	for _, name := range callColumns {
		if name != "call_uuid" && name != "hostname" { // these two are of the whole call
			row = append(row, header{"b_" + name, other[name]})
		}
	}
	return append(row, header{"call_created_epoch", created})
}

var callColumns = strings.Fields(`uuid direction created created_epoch name state cid_name cid_num ip_addr dest presence_id
	presence_data accountcode callstate callee_name callee_num callee_direction call_uuid hostname sent_callee_name sent_callee_num`)
