package esltest

import (
	"fmt"
	"strings"
)

// api runs an API command and returns its whole output. The switch's lock is held.
// An unknown command gets FreeSWITCH's error text.
func (s *Switch) api(name, args string) string {
	reply, intercept := s.intercepted(name, args)
	if intercept {
		s.toldNothing(name, args)
	} else {
		do, known := apiCommands[strings.ToLower(name)]
		if !known {
			return fmt.Sprintf("-ERR %s Command not found!\n", name)
		}
		reply = do(s, args)
	}
	if reply == "" {
		return "-ERR no reply\n"
	}
	return reply
}

var apiCommands map[string]func(s *Switch, args string) string

func init() { // because the commands use the map
	apiCommands = map[string]func(s *Switch, args string) string{
		"uuid_record":       (*Switch).apiRecord,
		"uuid_setvar":       (*Switch).apiSetvar,
		"uuid_setvar_multi": (*Switch).apiSetvarMulti,
		"uuid_getvar":       (*Switch).apiGetvar,
		"uuid_exists":       (*Switch).apiExists,
		"uuid_dump":         (*Switch).apiDump,
		"uuid_buglist":      (*Switch).apiBuglist,
		"uuid_kill":         (*Switch).apiKill,
		"uuid_answer":       (*Switch).apiAnswer,
		"uuid_displace":     (*Switch).apiDisplace,
		"uuid_broadcast":    (*Switch).apiBroadcast,
		"show":              (*Switch).apiShow,
		"global_getvar":     (*Switch).apiGlobal,
		"status":            (*Switch).apiStatus,
		"version":           (*Switch).apiVersion,
		"hostname":          func(s *Switch, _ string) string { return s.options.Name },
		"switchname":        func(s *Switch, _ string) string { return s.options.Name },
		"create_uuid":       func(*Switch, string) string { return newUUID() },
		"reloadxml":         func(*Switch, string) string { return "+OK [Success]\n" },
	}
}

const release = "1.10.12-release"

func (s *Switch) apiStatus(string) string {
	return fmt.Sprintf("UP 0 years, 0 days, 0 hours, 0 minutes, 1 second, 0 milliseconds, 0 microseconds\n"+
		"FreeSWITCH (Version %s  64bit) is ready\n%d session(s) since startup\n%d session(s) - peak %d, last 5min %d \n"+
		"0 session(s) per Sec out of max 1000, peak 0, last 5min 0 \n5000 session(s) max\nmin idle cpu 0.00/100.00\n"+
		"Current Stack Size/Max 240K/8192K\n",
		release, s.sessions, len(s.order), len(s.order), len(s.order))
}

func (s *Switch) apiVersion(args string) string {
	if strings.Contains(args, "short") {
		return release + "\n"
	}
	return "FreeSWITCH Version " + release + "~64bit (-release 64bit)\n"
}
