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

// apiShow is `show channels [count] [as json]`; nothing else is shown.
func (s *Switch) apiShow(args string) string {
	words := strings.Fields(args)
	if len(words) == 0 || !strings.EqualFold(words[0], "channels") {
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
		return fmt.Sprintf("\n%d total.\n", len(s.order))
	case format == "":
		return s.channelList()
	case format == "json" && count:
		return fmt.Sprintf("{\"row_count\":%d,\"rows\":[]}", len(s.order))
	case format == "json":
		return s.channelJSON()
	}
	return "-ERR Cannot find format " + format + "\n"
}

// channelList is the comma-separated form, without any quoting.
func (s *Switch) channelList() string {
	var b strings.Builder
	for i, c := range s.order {
		var names, values []string
		for _, column := range c.row() {
			names, values = append(names, column.name), append(values, column.value)
		}
		if i == 0 {
			b.WriteString(strings.Join(names, ",") + "\n")
		}
		b.WriteString(strings.Join(values, ",") + "\n")
	}
	fmt.Fprintf(&b, "\n%d total.\n", len(s.order))
	return b.String()
}

func (s *Switch) channelJSON() string {
	if len(s.order) == 0 {
		return "{\"row_count\": 0}\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "{\"row_count\":%d,\"rows\":[", len(s.order))
	for i, c := range s.order {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, column := range c.row() {
			b.WriteByte("{,"[min(j, 1)])
			b.WriteString(quote(column.name) + ":" + quote(column.value))
		}
		b.WriteByte('}')
	}
	return b.String() + "]}"
}

// quote writes a JSON string as cJSON does: `<` stays.
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
	call := ""
	if c.partner != nil {
		call = get("call_uuid")
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
		{"callee_name", p.calleeName}, {"callee_num", p.calleeNumber}, {"callee_direction", ""}, {"call_uuid", call},
		{"sent_callee_name", ""}, {"sent_callee_num", ""},
		{"initial_cid_name", p.originalName}, {"initial_cid_num", p.originalNumber}, {"initial_ip_addr", p.address},
		{"initial_dest", p.destination}, {"initial_dialplan", "XML"}, {"initial_context", p.context},
	}
}
