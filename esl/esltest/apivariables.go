package esltest

import (
	"fmt"
	"strings"
)

func (s *Switch) apiSetvar(args string) string {
	a := separate(args, ' ', 3)
	if len(a) < 2 || a[0] == "" {
		return "-USAGE: <uuid> <var> [value]\n"
	}
	c := s.channels[a[0]]
	if c == nil {
		return "-ERR No such channel!\n"
	}
	if a[1] == "" {
		return "-ERR No variable specified\n"
	}
	c.vars.set(a[1], strings.Join(a[2:], ""))
	return "+OK\n"
}

func (s *Switch) apiSetvarMulti(args string) string {
	const usage = "-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"
	uuid, list, found := strings.Cut(args, " ")
	if !found && args != "" {
		return "" // the usage is not reached (mod_commands.c, goto done)
	}
	if !found {
		return usage
	}
	c := s.channels[uuid]
	if c == nil {
		return "-ERR No such channel!\n" + usage
	}
	reply, set := "", 0
	for _, part := range separate(list, ';', 64) {
		name, value, _ := strings.Cut(part, "=")
		if name == "" {
			reply += "-ERR No variable specified\n"
			continue
		}
		c.vars.setChecked(name, value)
		set++
	}
	if set > 0 {
		return reply + "+OK\n"
	}
	return reply + usage
}

func (s *Switch) apiGetvar(args string) string {
	a := separate(args, ' ', 4)
	if len(a) < 2 || a[0] == "" {
		return "-USAGE: <uuid> <var>\n"
	}
	c := s.channels[a[0]]
	if c == nil {
		return "-ERR No such channel!\n"
	}
	value, ok := c.lookup(a[1])
	if !ok {
		return "_undef_"
	}
	return value
}

func (s *Switch) apiGlobal(args string) string {
	globals := map[string]string{
		"core_uuid": s.core, "hostname": s.options.Name, "switchname": s.options.Name, "local_ip_v4": "127.0.0.1",
	}
	if args != "" {
		return globals[args]
	}
	var b strings.Builder
	for _, name := range []string{"hostname", "local_ip_v4", "switchname", "core_uuid"} {
		fmt.Fprintf(&b, "%s=%s\n", name, globals[name])
	}
	return b.String()
}
