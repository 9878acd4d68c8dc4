package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/ask"
	"tapedeck/store/calls"
	"tapedeck/store/index"
	"tapedeck/store/storetest"
)

// useAll does everything that an instance does, with two instances.
func useAll(t *testing.T, a, b *party) {
	t.Helper()
	for i := range 3 {
		p := storetest.Policy(t, i, 20, 10)
		apply(t, a, p)
		b.tell.Await(t, "the other instance to follow", func() bool { return b.policy.Policy().Revision == p.Revision })
		mustHave(t, b, p)
	}
	for i := range 40 {
		a.calls.Save(call(fmt.Sprintf("org-%d", i%20), i, calls.On))
	}
	a.written(t)
	for i := range 38 {
		a.calls.End(fmt.Sprintf("org-%d", i%20), fmt.Sprintf("call-%d", i))
	}
	a.written(t)
	seen, err := b.calls.List(t.Context())
	if err != nil || len(seen) != 2 || seen[0].ID != "call-38" || seen[1].ID != "call-39" {
		t.Fatalf("live calls %v: %v", seen, err)
	}
	mine := claim(t, b, seen[0])
	a.calls.Save(call("org-18", 38, calls.Paused))
	a.awaitLost(t, "org-18/call-38")
	mustList(t, a, mine, seen[1])

	mustAsk(t, a, "b", "hello", "HELLO")
	mustAsk(t, b, "a", "hello", "HELLO")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := a.peers.Ask(ctx, "nobody", []byte("x")); !errors.Is(err, ask.ErrNoAnswer) {
		t.Errorf("nobody answers %q: %v", got, err)
	}
	for i := range 3 {
		signIn(t, a, "anna", i)
	}
	if n, err := b.sessions.EndAll(t.Context(), "anna"); n != 3 || err != nil {
		t.Errorf("%d sessions ended: %v", n, err)
	}

	var files []index.Recording
	for i := range 100 {
		files = append(files, recorded(fmt.Sprintf("org-%d", i%20), i))
		a.index.Save(files[i])
	}
	a.index.Delete("org-0", "rec-0000")
	a.written(t)
	if got := ids(t, b, index.Query{Limit: 7}); len(got) != 99 || got[0] != "org-19/rec-0099" || !slices.IsSorted(got[:1]) {
		t.Errorf("recordings %v", got)
	}
	if got, err := b.index.Find(t.Context(), "rec-0042"); err != nil || !reflect.DeepEqual(got, files[42]) {
		t.Errorf("recording %+v: %v", got, err)
	}
	if kept, removed := reindex(t, b, files[:50]...); kept != 50 || removed != 50 {
		t.Errorf("%d kept, %d removed", kept, removed)
	}
	if got := ids(t, a, index.Query{}); len(got) != 50 || got[49] != "org-0/rec-0000" {
		t.Errorf("recordings %v", got)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	first := storetest.Client(t, nodes[0])
	if err := first.MGet(t.Context(), "a", "b").Err(); err == nil || !strings.Contains(err.Error(), "CROSSSLOT") {
		t.Fatalf("this is no cluster: %v", err)
	}
	for _, key := range []string{store.Key("a}:call:{b", "live:"+store.Escape("x y")), store.Key("acme", "recording:1"), "tapedeck:{policy}:current"} {
		if n := first.ClusterKeySlot(t.Context(), key).Val(); int(n) != slot(key) {
			t.Errorf("slot of %s is %d, computed %d", key, n, slot(key))
		}
	}
	address := nodes[0].URL() + "," + nodes[1].URLOf("localhost")
	a, b := openAt(t, address, "a").run(t), openAt(t, address, "b").run(t)
	if _, ok := a.Client().(*redis.ClusterClient); !ok {
		t.Fatalf("client %T", a.Client())
	}
	useAll(t, a, b)
	for i, n := range nodes {
		if storetest.Client(t, n).DBSize(t.Context()).Val() == 0 {
			t.Errorf("node %d has nothing to do", i)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if got := b.awaitOrphans(t); len(got) != 1 || got[0].Owner != "a" {
		t.Errorf("orphans %v", got)
	}
}

// startCluster makes a cluster of three masters.
func startCluster(t *testing.T) (nodes []storetest.Redis) {
	t.Helper()
	for i, slots := range [][2]int{{0, 5460}, {5461, 10922}, {10923, 16383}} {
		n := storetest.NewRedis(t, "--cluster-enabled", "yes")
		nodes = append(nodes, n)
		c := storetest.Client(t, n)
		for _, command := range [][]any{
			{"CLUSTER", "SET-CONFIG-EPOCH", i + 1},
			{"CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]},
			{"CLUSTER", "MEET", "127.0.0.1", nodes[0].Port},
		} {
			if err := c.Do(t.Context(), command...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	end := time.Now().Add(testkit.Patience)
	for _, n := range nodes {
		c := storetest.Client(t, n)
		for info := ""; !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:3\r") ||
			!strings.Contains(info, "cluster_slots_ok:16384"); info = c.ClusterInfo(t.Context()).Val() {
			if time.Now().After(end) {
				t.Fatalf("the cluster does not come up:\n%s", info)
			}
			time.Sleep(20 * time.Millisecond) // Redis does not tell
		}
	}
	return nodes
}

// The master dies and the replica takes its place. What was queued meanwhile is
// written there.
func TestSentinel(t *testing.T) {
	t.Parallel()
	master := storetest.NewRedis(t)
	replica := storetest.NewRedis(t, "--replicaof", fmt.Sprintf("127.0.0.1 %d", master.Port))
	onReplica := storetest.Client(t, replica)
	testkit.Until(t, "the replica finds its master", func() bool {
		return strings.Contains(onReplica.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	address := startSentinel(t, master)
	a, b := openAt(t, address, "a").run(t), openAt(t, address, "b").run(t)
	useAll(t, a, b)
	direct := open(t, master)
	mustHave(t, direct, a.policy.Policy())

	master.Stop()
	a.tell.Await(t, "Redis to be missed", func() bool { return !a.Up() })
	a.calls.Save(call("org-19", 39, calls.Paused))
	a.calls.Save(call("org-0", 50, calls.On))
	a.index.Save(recorded("org-0", 777))
	begin := time.Now()
	a.tell.Await(t, "the replica to be found", func() bool { return a.Up() && a.calls.Queued() == 0 && a.index.Queued() == 0 })
	t.Logf("the failover took %s", time.Since(begin))
	b.tell.Await(t, "the replica to be found", b.Up)
	a.tell.Await(t, "a to hold its calls", func() bool { return a.calls.Holds() && a.calls.Queued() == 0 })
	direct = open(t, replica)
	mustHave(t, direct, a.policy.Policy())
	got, err := direct.calls.List(t.Context())
	if err != nil || len(got) != 3 || got[1].State != calls.Paused || got[1].Owner != "a" || got[2].ID != "call-50" || got[0].Owner != "b" {
		t.Errorf("live calls %v: %v", got, err)
	}
	if got := ids(t, direct, index.Query{}); len(got) != 51 || got[0] != "org-0/rec-0777" {
		t.Errorf("recordings %v", got)
	}
	paused := got[1]
	mine := claim(t, b, paused)
	a.calls.Save(paused)
	a.awaitLost(t, "org-18/call-38", "org-19/call-39")
	if mine.Token != paused.Token+1 || mine.Owner != "b" {
		t.Errorf("claimed %+v", mine)
	}
	if n := a.tellings() + b.tellings(); n != 0 {
		t.Errorf("calls of the living are orphans")
	}
}

// startSentinel watches a master and returns the address for a Conn.
func startSentinel(t *testing.T, master storetest.Redis) (address string) {
	t.Helper()
	port := testkit.FreePort(t)
	// A sentinel writes into its configuration, so it has a file.
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf(`port %d
bind 127.0.0.1
sentinel monitor tape 127.0.0.1 %d 1
sentinel down-after-milliseconds tape 500
sentinel failover-timeout tape 5000
`, port, master.Port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", file, "--sentinel")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	node := fmt.Sprintf("127.0.0.1:%d", port)
	c := redis.NewSentinelClient(&redis.Options{Addr: node})
	defer c.Close()
	testkit.Until(t, "the sentinel sees the replica", func() bool {
		replicas, err := c.Replicas(t.Context(), "tape").Result()
		return err == nil && len(replicas) == 1 && replicas[0]["master-link-status"] == "ok"
	})
	user, _, _ := strings.Cut(strings.TrimPrefix(master.URL(), "redis://"), "@")
	return "redis+sentinel://" + user + "@" + node + "/tape"
}
