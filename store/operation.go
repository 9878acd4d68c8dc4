package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Errors that a caller may want to tell apart, with errors.Is.
var (
	// ErrAway: Redis cannot be reached, does not answer in time, or refuses to
	// serve. What was to be written is kept and written when it is back.
	ErrAway = errors.New("redis is away")
	// ErrCorrupt: what is in Redis is not what a Tapedeck of this version
	// writes, or not the whole of it.
	ErrCorrupt = errors.New("corrupt")
)

// Timeout is how long an operation may take that a call's state waits for.
func (c *Conn) Timeout() time.Duration { return c.cfg.Timeout }

// ConnectTimeout is how long an operation may take that may have to connect
// first, or that a person waits for, and no call's state.
func (c *Conn) ConnectTimeout() time.Duration { return connectFactor * c.cfg.Timeout }

// BulkTimeout is how long an operation may take that reads or writes very much.
func (c *Conn) BulkTimeout() time.Duration { return bulkFactor * c.cfg.Timeout }

// Do runs one operation on Redis within its time, tells Config.Observe, and notes
// when Redis is away. Its errors are redis.Nil, redis.TxFailedErr, ErrCorrupt,
// the end of ctx itself, and else ErrAway with the cause.
func (c *Conn) Do(ctx context.Context, operation string, limit time.Duration, f func(context.Context) error) error {
	err := c.Try(ctx, operation, limit, f)
	if errors.Is(err, ErrAway) {
		c.setUp(false, err)
	}
	return err
}

// Try is Do for an operation whose failure says nothing about whether Redis is
// there.
func (c *Conn) Try(ctx context.Context, operation string, limit time.Duration, f func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	err := classify(ctx, f(limited))
	if c.cfg.Observe != nil {
		seen := err
		if errors.Is(err, redis.Nil) {
			seen = nil
		}
		c.cfg.Observe(operation, time.Since(begin), seen)
	}
	return err
}

func classify(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, redis.Nil), errors.Is(err, redis.TxFailedErr), errors.Is(err, ErrCorrupt):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case WrongType(err):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}

// WrongType reports whether Redis says that a key is of a type that no Tapedeck
// gave it; in the error of a script, the word is somewhere in the message.
func WrongType(err error) bool { return err != nil && strings.Contains(err.Error(), "WRONGTYPE") }

// Complain logs an error of something that nobody waits for and that is tried
// again and again: once, until the error is another one. A nil error ends that.
// That Redis is away is logged when it is noticed, and not here. Only whoever opens
// a subject and the functions of a Subject may call it.
func (c *Conn) Complain(message string, err error) {
	switch {
	case err == nil:
		c.complaint = ""
	case errors.Is(err, ErrAway), errors.Is(err, context.Canceled), c.complaint == message+err.Error():
	default:
		c.complaint = message + err.Error()
		c.log.Error(message, "error", err)
	}
}

// RunScript adds a script to a pipeline.
type RunScript func(script *redis.Script, keys []string, args ...any) *redis.Cmd

// Scripts runs a pipeline of scripts that may run twice. It is sent with their
// hashes, and once more with their texts when a server does not know one.
func (c *Conn) Scripts(ctx context.Context, add func(RunScript)) error {
	cmds, err := c.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		add(func(script *redis.Script, keys []string, args ...any) *redis.Cmd {
			return script.EvalSha(ctx, pipe, keys, args...)
		})
		return nil
	})
	if !slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return redis.HasErrorPrefix(c.Err(), "NOSCRIPT") }) {
		return err
	}
	_, err = c.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		add(func(script *redis.Script, keys []string, args ...any) *redis.Cmd {
			return script.Eval(ctx, pipe, keys, args...)
		})
		return nil
	})
	return err
}

// Script runs one script whose answer is a number. It may run twice.
func (c *Conn) Script(ctx context.Context, script *redis.Script, keys []string, args ...any) (int, error) {
	var reply *redis.Cmd
	err := c.Scripts(ctx, func(run RunScript) { reply = run(script, keys, args...) })
	if err != nil {
		return 0, err
	}
	return reply.Int()
}
