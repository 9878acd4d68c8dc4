package store

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Embedded is the address of the server inside this process.
const Embedded = "embedded"

// addressHelp is the end of every complaint about an address.
const addressHelp = "write embedded; redis://[user:password@]host:port[/db] (rediss:// with TLS, unix:///path for a socket);" +
	" several of these with commas between them for a cluster; or redis+sentinel://[user:password@]host:port,host:port/master[/db]"

// poolSize is how many connections to one node may be open. A Conn has few and
// short operations; the room is for dials that hang.
const poolSize = 16

// limits are the times that a client keeps. go-redis's own repetitions are
// off: the Conn decides when an operation is tried again.
type limits struct {
	dial time.Duration // one connection
	wait time.Duration // one read or write, where the operation's context does not say less
}

// newClient makes the client for an address. It does not dial.
func newClient(text string, l limits) (redis.UniversalClient, error) {
	client, err := parseAddress(text, l)
	if err != nil {
		return nil, fmt.Errorf("store: redis address %w", notAddress(text, err))
	}
	return client, nil
}

func notAddress(text string, err error) error {
	return fmt.Errorf("%q: %w: %s", redact(text), plain(err), addressHelp)
}

// CheckAddress says what is wrong with an address for Config.Redis, without what
// could be a secret in it.
func CheckAddress(text string) error {
	if text == Embedded {
		return nil
	}
	client, err := parseAddress(text, limits{})
	if err != nil {
		return notAddress(text, err)
	}
	return client.Close()
}

func parseAddress(text string, l limits) (redis.UniversalClient, error) {
	if scheme, rest, ok := strings.Cut(text, "+sentinel://"); ok {
		return newSentinelClient(scheme, rest, l)
	}
	var nodes []*redis.Options
	for part := range strings.SplitSeq(text, ",") {
		o, err := parseNode(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, o)
	}
	if len(nodes) > 1 {
		return newClusterClient(nodes, l)
	}
	o := nodes[0]
	o.MaxRetries, o.DialerRetries = -1, 1
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = l.dial, l.wait, l.wait, l.wait
	o.ContextTimeoutEnabled = true
	o.PoolSize, o.PipelinePoolSize = poolSize, -1
	o.Protocol, o.DisableIdentity = 2, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o), nil
}

// parseNode reads the URL of one server. Of go-redis's many options in the
// query only these are taken: the others would undo the limits of a Conn.
func parseNode(text string) (*redis.Options, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "unix" && u.Host == "" {
		return nil, errors.New("no host")
	}
	for key := range u.Query() {
		switch key {
		case "db", "skip_verify", "client_name":
		default:
			return nil, fmt.Errorf("unknown option %q", key)
		}
	}
	return redis.ParseURL(text)
}

// newClusterClient takes one set of credentials and of TLS settings for all
// nodes, as a cluster has them.
func newClusterClient(nodes []*redis.Options, l limits) (redis.UniversalClient, error) {
	first := nodes[0]
	o := &redis.ClusterOptions{
		Username: first.Username, Password: first.Password, ClientName: first.ClientName,
		MaxRetries: -1, DialerRetries: 1,
		DialTimeout: l.dial, ReadTimeout: l.wait, WriteTimeout: l.wait, PoolTimeout: l.wait,
		ContextTimeoutEnabled: true,
		PoolSize:              poolSize, PipelinePoolSize: -1,
		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if first.TLSConfig != nil {
		o.TLSConfig = first.TLSConfig.Clone()
		o.TLSConfig.ServerName = "" // each node is verified by its own name
	}
	for _, n := range nodes {
		switch {
		case n.Network != "tcp":
			return nil, errors.New("a cluster node needs a host and a port")
		case n.DB != 0:
			return nil, errors.New("a cluster has database 0 only")
		case n.Username != first.Username || n.Password != first.Password || (n.TLSConfig == nil) != (first.TLSConfig == nil):
			return nil, errors.New("the nodes of a cluster need the same scheme, user and password")
		}
		o.Addrs = append(o.Addrs, n.Addr)
	}
	return redis.NewClusterClient(o), nil
}

// newSentinelClient reads [user:password@]host:port,…/master[/db]. The user and
// the password are those of Redis; sentinels with another have
// ?sentinel_username= and ?sentinel_password=.
func newSentinelClient(scheme, rest string, l limits) (redis.UniversalClient, error) {
	hosts, path, _ := strings.Cut(rest, "/")
	user := ""
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		user, hosts = hosts[:at+1], hosts[at+1:]
	}
	o := &redis.FailoverOptions{
		MaxRetries: -1, DialerRetries: 1,
		DialTimeout: l.dial, ReadTimeout: l.wait, WriteTimeout: l.wait, PoolTimeout: l.wait,
		ContextTimeoutEnabled: true,
		PoolSize:              poolSize, PipelinePoolSize: -1,
		Protocol: 2, DisableIdentity: true,
	}
	for i, host := range strings.Split(hosts, ",") {
		n, err := parseNode(scheme + "://" + user + host)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			o.Username, o.Password = n.Username, n.Password
			if n.TLSConfig != nil {
				o.TLSConfig = n.TLSConfig.Clone()
				o.TLSConfig.ServerName = ""
			}
		}
		o.SentinelAddrs = append(o.SentinelAddrs, n.Addr)
	}
	if err := sentinelMaster(o, path); err != nil {
		return nil, err
	}
	return redis.NewFailoverClient(o), nil
}

// sentinelMaster reads master[/db][?options].
func sentinelMaster(o *redis.FailoverOptions, text string) error {
	path, query, _ := strings.Cut(text, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the options after ? cannot be read")
	}
	for key := range values {
		switch key {
		case "sentinel_username":
			o.SentinelUsername = values.Get(key)
		case "sentinel_password":
			o.SentinelPassword = values.Get(key)
		default:
			return fmt.Errorf("unknown option %q", key)
		}
	}
	master, db, more := strings.Cut(path, "/")
	if master == "" {
		return errors.New("the name of the master is missing")
	}
	o.MasterName = master
	if more {
		if o.DB, err = strconv.Atoi(db); err != nil || o.DB < 0 {
			return fmt.Errorf("invalid database number %q", db)
		}
	}
	return nil
}

// redact is an address without what could be a secret in it.
func redact(text string) string {
	if !strings.ContainsAny(text, "@?") {
		return text
	}
	scheme, _, found := strings.Cut(text, "://")
	if !found {
		return "…"
	}
	return scheme + "://…"
}

// plain is an error without the address that url.Parse quotes in its text.
func plain(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
