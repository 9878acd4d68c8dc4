package store

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// openAt makes a running instance by an address, as a user would write it.
func openAt(t *testing.T, address, name string) *party {
	t.Helper()
	p := &party{tell: newSpy()}
	cfg := p.tell.config()
	cfg.Redis, cfg.Instance, cfg.OnAsk = address, name, shout
	cfg.OnLost = func(o, id string) { p.tell.note(func() { p.lost = append(p.lost, o+"/"+id) }) }
	cfg.OnOrphans = func(calls []Call) { p.tell.note(func() { p.orphans = append(p.orphans, calls) }) }
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	run(t, s)
	p.Store = s
	return p
}

// useAll does everything that a Store does, with two instances.
func useAll(t *testing.T, a, b *party) {
	t.Helper()
	for i := range 3 {
		p := policy(t, i, 20, 10)
		apply(t, a.Store, p)
		b.tell.await(t, "the other Store to follow", func() bool { return b.Policy().Revision == p.Revision })
		mustHave(t, b.Store, p)
	}
	hears := watchCalls(t, b.Store)
	hears.await(t, "")
	for i := range 40 {
		a.SaveCall(call(fmt.Sprintf("org-%d", i%20), i, On))
	}
	a.written(t)
	hears.await(t, "org-0", "org-19")
	for i := range 38 {
		a.EndCall(fmt.Sprintf("org-%d", i%20), fmt.Sprintf("call-%d", i))
	}
	a.written(t)
	seen, err := b.Calls(t.Context())
	if err != nil || len(seen) != 2 || seen[0].ID != "call-38" || seen[1].ID != "call-39" {
		t.Fatalf("live calls %v: %v", seen, err)
	}
	mine := claim(t, b.Store, seen[0])
	a.SaveCall(call("org-18", 38, Paused))
	a.awaitLost(t, "org-18/call-38")
	mustCalls(t, a.Store, mine, seen[1])

	awaitListening(t, a)
	awaitListening(t, b)
	mustAsk(t, a, "b", "hello", "HELLO")
	mustAsk(t, b, "a", "hello", "HELLO")
	if _, cluster := a.client.(*redis.ClusterClient); cluster {
		mustNotAnswer(t, a, "nobody", 50*time.Millisecond) // no node knows who listens at another
	} else {
		mustNotAnswer(t, a, "nobody", patience)
	}
	for i := range 3 {
		saveSession(t, a.Store, signedIn("anna", i), time.Hour)
	}
	if n, err := b.DropSessions(t.Context(), "anna"); n != 3 || err != nil {
		t.Errorf("%d sessions ended: %v", n, err)
	}

	var files []Recording
	for i := range 100 {
		files = append(files, recorded(fmt.Sprintf("org-%d", i%20), i))
		a.SaveRecording(files[i])
	}
	a.DeleteRecording("org-0", "rec-0000")
	indexedAll(t, a.Store, a.tell)
	if got := ids(t, b.Store, Query{Limit: 7}); len(got) != 99 || got[0] != "org-19/rec-0099" || !slices.IsSorted(got[:1]) {
		t.Errorf("recordings %v", got)
	}
	if got, err := b.Recording(t.Context(), "rec-0042"); err != nil || !reflect.DeepEqual(got, files[42]) {
		t.Errorf("recording %+v: %v", got, err)
	}
	if kept, removed := reindex(t, b.Store, each(files[:50]...)); kept != 50 || removed != 50 {
		t.Errorf("%d kept, %d removed", kept, removed)
	}
	if got := ids(t, a.Store, Query{}); len(got) != 50 || got[49] != "org-0/rec-0000" {
		t.Errorf("recordings %v", got)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	first := rawClient(t, nodes[0])
	if err := first.MGet(t.Context(), "a", "b").Err(); err == nil || !strings.Contains(err.Error(), "CROSSSLOT") {
		t.Fatalf("this is no cluster: %v", err)
	}
	for _, key := range []string{callKey("a}:call:{b", "x y"), policyKey("acme", "1"), recordingKey("acme", "1"), currentKey} {
		if n := first.ClusterKeySlot(t.Context(), key).Val(); int(n) != slot(key) {
			t.Errorf("slot of %s is %d, computed %d", key, n, slot(key))
		}
	}
	address := fmt.Sprintf("%s,redis://localhost:%d", nodes[0].address(), nodes[1].port)
	a, b := openAt(t, address, "a"), openAt(t, address, "b")
	if _, ok := a.client.(*redis.ClusterClient); !ok {
		t.Fatalf("client %T", a.client)
	}
	useAll(t, a, b)
	for i, n := range nodes {
		if rawClient(t, n).DBSize(t.Context()).Val() == 0 {
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
func startCluster(t *testing.T) (nodes []*realRedis) {
	t.Helper()
	for i, slots := range [][2]int{{0, 5460}, {5461, 10922}, {10923, 16383}} {
		n := startRedis(t, "--cluster-enabled", "yes")
		nodes = append(nodes, n)
		c := rawClient(t, n)
		for _, command := range [][]any{
			{"CLUSTER", "SET-CONFIG-EPOCH", i + 1},
			{"CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]},
			{"CLUSTER", "MEET", "127.0.0.1", nodes[0].port},
		} {
			if err := c.Do(t.Context(), command...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	end := time.Now().Add(patience)
	for _, n := range nodes {
		c := rawClient(t, n)
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

// The master dies, and the replica takes its place: what was queued meanwhile
// is written there.
func TestSentinel(t *testing.T) {
	t.Parallel()
	master := startRedis(t)
	replica := startRedis(t, "--replicaof", fmt.Sprintf("127.0.0.1 %d", master.port))
	onReplica := rawClient(t, replica)
	for end := time.Now().Add(patience); !strings.Contains(onReplica.Info(t.Context(), "replication").Val(), "master_link_status:up"); {
		if time.Now().After(end) {
			t.Fatal("the replica does not find its master")
		}
		time.Sleep(20 * time.Millisecond) // Redis does not tell
	}
	address := startSentinel(t, master)
	a, b := openAt(t, address, "a"), openAt(t, address, "b")
	useAll(t, a, b)
	direct := openOn(t, master, newSpy())
	mustHave(t, direct, a.Policy())

	master.stop()
	a.tell.await(t, "Redis to be missed", func() bool { return !a.Up() })
	a.SaveCall(call("org-19", 39, Paused))
	a.SaveCall(call("org-0", 50, On))
	a.SaveRecording(recorded("org-0", 777))
	begin := time.Now()
	a.tell.await(t, "the replica to be found", func() bool { return a.Up() && a.Queued() == 0 && a.QueuedRecordings() == 0 })
	t.Logf("the failover took %s", time.Since(begin))
	b.tell.await(t, "the replica to be found", b.Up)
	a.tell.await(t, "a to hold its calls", func() bool { return a.Holds() && a.Queued() == 0 })
	direct = openOn(t, replica, newSpy())
	mustHave(t, direct, a.Policy())
	got, err := direct.Calls(t.Context())
	if err != nil || len(got) != 3 || got[1].State != Paused || got[1].Owner != "a" || got[2].ID != "call-50" || got[0].Owner != "b" {
		t.Errorf("live calls %v: %v", got, err)
	}
	if got := ids(t, direct, Query{}); len(got) != 51 || got[0] != "org-0/rec-0777" {
		t.Errorf("recordings %v", got)
	}
	paused := got[1]
	mine := claim(t, b.Store, paused)
	a.SaveCall(paused)
	a.awaitLost(t, "org-18/call-38", "org-19/call-39")
	if mine.Token != paused.Token+1 || mine.Owner != "b" {
		t.Errorf("claimed %+v", mine)
	}
	if n := a.tellings() + b.tellings(); n != 0 {
		t.Errorf("calls of the living are orphans")
	}
}

// startSentinel watches a master and gives the address for a Store.
func startSentinel(t *testing.T, master *realRedis) (address string) {
	t.Helper()
	port := freePort(t)
	// A sentinel writes into its configuration, so it has a file.
	file := writeFile(t, t.TempDir(), "sentinel.conf", fmt.Sprintf(`port %d
bind 127.0.0.1
sentinel monitor tape 127.0.0.1 %d 1
sentinel down-after-milliseconds tape 500
sentinel failover-timeout tape 5000
`, port, master.port))
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
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // it does not tell
		replicas, err := c.Replicas(t.Context(), "tape").Result()
		if err == nil && len(replicas) == 1 && replicas[0]["master-link-status"] == "ok" {
			return "redis+sentinel://" + net.JoinHostPort("127.0.0.1", fmt.Sprint(port)) + "/tape"
		}
		if time.Now().After(end) {
			t.Fatalf("the sentinel does not see the replica: %v %v", replicas, err)
		}
	}
}
