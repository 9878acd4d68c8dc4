// Package storetest has what the tests of store and of its subjects share: Redis
// servers that can be stopped and started again, and a spy on what a Conn tells.
package storetest

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/goleak"

	"tapedeck/internal/testkit"
)

// Server is a Redis that a test can stop and start again with its data.
type Server interface {
	URL() string
	Stop()
	Start() error
	// Empty makes a server that is stopped lose its data.
	Empty(testing.TB)
	// DropSubscribers ends the connections of all that subscribe.
	DropSubscribers(testing.TB)
}

// OnServers runs a test on the server that is embedded, and on a real one.
func OnServers(t *testing.T, test func(t *testing.T, srv Server)) {
	t.Run("embedded", func(t *testing.T) {
		testkit.NoLeaks(t)
		test(t, NewMini(t))
	})
	t.Run("redis-server", func(t *testing.T) {
		testkit.NoLeaks(t)
		test(t, NewRedis(t))
	})
}

// Main runs the tests of a package and looks for goroutines that are left. Tests
// that take long because they wait for something run in parallel after the others,
// and their leaks are found at the end.
func Main(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// Mini is the server that Tapedeck embeds, here on a port of its own.
type Mini struct {
	*miniredis.Miniredis
	url string
}

// NewMini starts one; the test's end stops it.
func NewMini(t testing.TB) Mini {
	t.Helper()
	m := Mini{Miniredis: miniredis.NewMiniRedis()}
	if err := m.Miniredis.Start(); err != nil {
		t.Fatal(err)
	}
	m.url = "redis://" + m.Addr()
	t.Cleanup(m.Stop)
	return m
}

// URL is its address for store.Config.
func (m Mini) URL() string { return m.url }

// Stop is Server's.
func (m Mini) Stop() { m.Close() }

// Start is Server's.
func (m Mini) Start() error { return m.Restart() }

// Empty is Server's.
func (m Mini) Empty(testing.TB) { m.FlushAll() }

// DropSubscribers is Server's. It drops the other connections, too.
func (m Mini) DropSubscribers(t testing.TB) {
	t.Helper()
	m.Stop()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
}

// ACL is what Tapedeck's user may do on a Redis, as docs/operate.md has it. All instances
// of the tests are this user, on every real redis-server.
const ACL = "~tapedeck:* &tapedeck:* -@all +get +set +getrange +del +exists +expire +pexpire +persist +pttl" +
	" +hset +hdel +hlen +hmget +hgetall +sadd +srem +smembers" +
	" +zadd +zrem +zcard +zscore +zmscore +zlexcount +zrange +zrangebyscore +zrangebylex +zrevrangebylex +zremrangebyscore" +
	" +eval +evalsha +time +multi +exec +discard +watch +unwatch +publish +subscribe +unsubscribe +ping"

// ClusterACL is what its user needs besides on the nodes of a cluster.
const ClusterACL = "+cluster|slots"

// password is that of the user tapedeck.
const password = "of-the-tests"

// Redis is a real redis-server with the user tapedeck, who may do what ACL says.
type Redis struct{ *testkit.Redis }

// URL is its address for store.Config.
func (r Redis) URL() string { return r.URLOf("127.0.0.1") }

// URLOf is its address under another name of this host.
func (r Redis) URLOf(host string) string {
	return fmt.Sprintf("redis://tapedeck:%s@%s:%d", password, host, r.Port)
}

// NewRedis starts one that keeps its data when it is killed; the test's end stops
// it. The test is skipped where there is none.
func NewRedis(t testing.TB, args ...string) Redis {
	t.Helper()
	user := append([]string{"--user", "tapedeck", "on", ">" + password}, strings.Fields(ACL+" "+ClusterACL)...)
	return Redis{testkit.StartRedis(t, append(append(user, "--appendonly", "yes",
		// While it waits for the disk, Redis answers before it writes; a test that kills it would lose that.
		"--appendfsync", "no"), args...)...)}
}

// Stop is Server's.
func (r Redis) Stop() { r.Kill() }

// DropSubscribers is Server's.
func (r Redis) DropSubscribers(t testing.TB) {
	t.Helper()
	n, err := Client(t, r).(*redis.Client).ClientKillByFilter(t.Context(), "TYPE", "pubsub").Result()
	if err != nil || n == 0 {
		t.Fatalf("killed %d subscribers: %v", n, err)
	}
}

// Client is a plain client for looking into a server. It may do everything.
func Client(t testing.TB, srv interface{ URL() string }) redis.UniversalClient {
	t.Helper()
	o, err := redis.ParseURL(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	o.Username, o.Password = "", ""
	o.MaxRetries, o.DialerRetries, o.Protocol, o.DisableIdentity = -1, 1, 2, true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = testkit.Patience, testkit.Patience, testkit.Patience, testkit.Patience
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	c := redis.NewClient(o)
	t.Cleanup(func() { c.Close() })
	return c
}

// Swallower accepts connections and never answers. It returns its address for
// store.Config.
func Swallower(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				_, _ = io.Copy(io.Discard, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	return "redis://" + l.Addr().String()
}
