package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrNoRedis says what to install.
var ErrNoRedis = errors.New("lab: no redis-server: put it into PATH (Debian: redis-server)")

// Redis is a redis-server that keeps every write when it is killed.
type Redis struct {
	*Process
	dir  string
	port int
}

// StartRedis starts a redis-server with its files in a folder.
func StartRedis(ctx context.Context, dir string) (*Redis, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lab: redis: %w", err)
	}
	ports, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	r := &Redis{dir: dir, port: ports[0]}
	return r, r.Restart(ctx)
}

// URL is its address for Tapedeck.
func (r *Redis) URL() string { return fmt.Sprintf("redis://127.0.0.1:%d", r.port) }

// Restart starts a Redis that has ended, with its data, and waits until it answers.
func (r *Redis) Restart(ctx context.Context) error {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return ErrNoRedis
	}
	r.Process, err = StartProcess(filepath.Join(r.dir, "redis.log"), program, "--port", strconv.Itoa(r.port), "--bind", "127.0.0.1",
		"--dir", r.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if r.Command(ctx, "PING") == "+PONG" {
			return nil
		}
		select {
		case <-tick.C:
		case <-r.Done():
			return fmt.Errorf("lab: redis: it ended at once\n%s", tail(filepath.Join(r.dir, "redis.log"), 20))
		case <-ctx.Done():
			return fmt.Errorf("lab: redis: it does not answer: %w", ctx.Err())
		}
	}
}

// Command sends a command and returns the first line of the reply, or the text of the
// error.
func (r *Redis) Command(ctx context.Context, words ...string) string {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprintf(conn, "%s\r\n", strings.Join(words, " ")); err != nil {
		return err.Error()
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(line)
}
