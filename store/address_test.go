package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestAddressesAccepted(t *testing.T) {
	l := limits{dial: time.Second, wait: time.Second}
	for text, want := range map[string]string{
		"redis://h":                                  "tcp h:6379 0 : false",
		"redis://h:1/2":                              "tcp h:1 2 : false",
		"redis://u:p%40w@h:1/2":                      "tcp h:1 2 u:p@w false",
		"rediss://:p@[::1]:1":                        "tcp [::1]:1 0 :p true",
		"unix:///run/redis.sock?db=3":                "unix /run/redis.sock 3 : false",
		"redis://h:1, redis://i:2":                   "cluster [h:1 i:2] : false",
		"rediss://u:p@h:1,rediss://u:p@i:2":          "cluster [h:1 i:2] u:p true",
		"redis+sentinel://h:1,i/m":                   "tcp FailoverClient 0 : false",
		"rediss+sentinel://u:p@h:1,i:2/m/4":          "tcp FailoverClient 4 u:p true",
		"redis+sentinel://h:1/m?sentinel_password=x": "tcp FailoverClient 0 : false",
	} {
		c, err := newClient(text, l)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got string
		switch c := c.(type) {
		case *redis.Client:
			o := c.Options()
			got = fmt.Sprintf("%s %s %d %s:%s %v", o.Network, o.Addr, o.DB, o.Username, o.Password, o.TLSConfig != nil)
		case *redis.ClusterClient:
			o := c.Options()
			got = fmt.Sprintf("cluster %v %s:%s %v", o.Addrs, o.Username, o.Password, o.TLSConfig != nil)
		}
		if got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
		c.Close()
	}
}

func TestAddressesRefused(t *testing.T) {
	for _, text := range []string{
		"localhost", "localhost:6379", "127.0.0.1:6379", "http://h:1", "redis://", "redis://h:port", "redis://h:1/x", "redis://h:1/1/2",
		"redis://h:1?read_timeout=1h", "redis://h:1,", ",", " ", "redis://h:1,rediss://i:1", "redis://h:1/1,redis://i:1/1",
		"redis://a:secret@h:1,redis://b:secret@i:1", "unix:///a,unix:///b", "unix://", "redis+sentinel://h:1", "redis+sentinel://h:1/",
		"redis+sentinel:///m", "redis+sentinel://h:1/m/x", "redis+sentinel://h:1/m?secret=1", "unix+sentinel://h:1/m",
		"redis://u:secret@h:port", "redis://u:sec,ret@h:1", "redis://u:secret@h:1/x?y=secret", "redis+sentinel://u:secret@h:x/m",
		"redis://u:secret%zz@h:1", "redis://u:secret?@h:1", "u:secret@h",
	} {
		s, err := Open(context.Background(), Config{Redis: text})
		if err == nil {
			s.Close()
			t.Errorf("%q was accepted", text)
			continue
		}
		if got := err.Error(); !strings.Contains(got, addressHelp) || strings.Contains(got, "\n") || !strings.HasPrefix(got, "store: redis address ") {
			t.Errorf("%q: %s", text, got)
		}
		if strings.Contains(strings.ReplaceAll(err.Error(), addressHelp, ""), "secret") && strings.Contains(text, "secret@") {
			t.Errorf("%q: the error shows the password: %s", text, err)
		}
	}
}
