package esltest

import (
	"slices"
	"strings"
	"time"
)

// displacement is a file that is played to one leg. Only that leg hears it, so it is
// in no recording here.
type displacement struct {
	path  string
	order int // among the channel's bugs
	end   *alarm
}

// apiDisplace is mod_commands.c, session_displace_function. It refuses to start a
// file that is missing or plays already, and to stop one that does not play. An
// unanswered leg is pre-answered (switch_ivr_async.c, switch_ivr_displace_session).
func (s *Switch) apiDisplace(args string) string {
	const usage = "-USAGE: <uuid> [start|stop] <path> [<limit>] [mux]\n"
	a := separate(args, ' ', 5)
	if len(a) < 3 {
		return usage
	}
	c := s.channels[a[0]]
	if c == nil {
		return "-ERR Cannot locate session!\n"
	}
	switch strings.ToLower(a[1]) {
	case "start":
		if !c.displace(a[2]) {
			return "-ERR Cannot displace session!\n"
		}
	case "stop":
		if !c.stopDisplacing(a[2]) {
			return "-ERR Cannot stop displace session!\n"
		}
	default:
		return usage
	}
	return "+OK Success\n"
}

func (c *Channel) displacing(path string) int {
	return slices.IndexFunc(c.displaced, func(d *displacement) bool { return d.path == path })
}

func (c *Channel) displace(path string) bool {
	length, err := Length(path)
	if err != nil || c.displacing(path) >= 0 || !c.preAnswer() {
		return false
	}
	d := &displacement{path: path, order: c.nextBug()}
	c.displaced = append(c.displaced, d)
	c.fire("MEDIA_BUG_START", bug(path)...)
	c.toldBy(path)
	d.end = c.sw.after(length.Round(time.Millisecond), func() { c.stopDisplacing(path) })
	return true
}

func (c *Channel) stopDisplacing(path string) bool {
	i := c.displacing(path)
	if i < 0 {
		return false
	}
	c.sw.cancel(c.displaced[i].end)
	c.displaced = slices.Delete(c.displaced, i, i+1)
	c.fire("MEDIA_BUG_STOP", bug(path)...)
	return true
}

func bug(path string) []header {
	return []header{{"Media-Bug-Function", "displace"}, {"Media-Bug-Target", path}}
}

// Hears returns the files that are being played to the leg.
func (c *Channel) Hears() []string {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	var paths []string
	for _, d := range c.displaced {
		paths = append(paths, d.path)
	}
	return paths
}
