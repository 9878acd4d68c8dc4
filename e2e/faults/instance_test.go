package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// instance is one Tapedeck.
type instance struct {
	process
	link, store *proxy // to FreeSWITCH and to Redis
	id          string // the owner id of its present process
}

// newInstance starts a Tapedeck with its own proxies.
func (s *stage) newInstance(n int) {
	i := &instance{process: process{name: fmt.Sprintf("tapedeck%d", n+1), note: s.note, log: journal{began: s.began}}}
	ip := s.host(2 + n) // the switch knows the instance by it, on the watch link and on the socket
	link := fmt.Sprintf("%s:%d", s.host(10+n), switchPort)
	var err error
	i.link, err = newProxy(link, fmt.Sprintf("%s:%d", s.host(0), switchPort), ip, func(line string) { s.tap.sent(i.name, &i.id, line) })
	s.must(err)
	redis := "embedded"
	if !s.plan.embedded {
		address := fmt.Sprintf("%s:%d", s.host(10+n), redisPort)
		i.store, err = newProxy(address, fmt.Sprintf("%s:%d", s.host(1), redisPort), "", nil)
		s.must(err)
		redis = "redis://" + address
	}
	prompts, err := filepath.Abs("../../freeswitch-conf/sounds")
	s.must(err)
	level := "info"
	if *oneSeed != 0 {
		level = "debug"
	}
	socket := fmt.Sprintf("%s:%d", ip, socketPort)
	config := filepath.Join(s.dir, i.name+".yaml")
	text := fmt.Sprintf("listen: %s\nmetrics: { listen: %s:0 }\nhttp: { listen: off }\npolicy: %s/policy.yaml\nrecordings: { dir: %s }\naudit: { dir: %s/audit }\nprompts: { dir: %s }\n"+
		"store: { redis: '%s' }\nlog: { level: %s }\nswitches:\n  - { name: fs1, address: %q, password: ClueCon }\n",
		socket, ip, s.dir, s.spool, s.dir, prompts, redis, level, link)
	s.must(os.WriteFile(config, []byte(text), 0o600))
	i.command = func() *exec.Cmd { return exec.Command(*binary, "serve", "--config", config) }
	s.must(i.start())
	s.instances = append(s.instances, i)
	s.sockets = append(s.sockets, socket)
}

func (s *stage) startRedis() {
	if s.plan.embedded {
		return
	}
	s.redis = &process{name: "redis", note: s.note, log: journal{began: s.began}}
	s.redis.command = func() *exec.Cmd {
		cmd := exec.Command("redis-server", "--bind", s.host(1), "--port", fmt.Sprint(redisPort), "--save", "", "--dir", s.dir)
		cmd.Stdout = &s.redis.log
		return cmd
	}
	s.must(s.redis.start())
	s.must(s.redis.await("Ready to accept connections", 10*time.Second))
}

// socket is the address of the socket application: every instance, the first one
// first, unless the dialplan balances.
func (s *stage) socket(first int) string {
	if s.plan.balanced && first == 1 && len(s.sockets) == 2 {
		return s.sockets[1] + "|" + s.sockets[0]
	}
	return strings.Join(s.sockets, "|")
}
