package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/syslog"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/internal/durable"
	"tapedeck/recording/chain"
)

// copyPatience is how long one copy of a checkpoint may take.
const copyPatience = 5 * time.Second

// copyTo copies the line of a checkpoint to every place of audit.copies. The error
// names each that failed.
func copyTo(ctx context.Context, places []string, line []byte) error {
	ctx, cancel := context.WithTimeout(ctx, copyPatience)
	defer cancel()
	var failed []error
	for _, place := range places {
		var err error
		switch {
		case place == config.CopySyslog:
			err = toSyslog("", "", line)
		case strings.HasPrefix(place, "https://"):
			err = put(ctx, place, line)
		default:
			err = appendTo(place, line)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", place, err))
		}
	}
	return errors.Join(failed...)
}

// appendTo adds a line to a file. A line before it that has no end, because the disk was
// full, gets one: the file may be one to which this host can only add.
func appendTo(path string, line []byte) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, durable.FileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	last := []byte{'\n'}
	if size > 0 {
		if _, err := f.ReadAt(last, size-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.Write(line); err != nil {
		return err
	}
	return f.Sync()
}

// toSyslog sends a line to syslog (authpriv.notice), without its end. An empty network
// means the syslog of this host.
func toSyslog(network, address string, line []byte) error {
	w, err := syslog.Dial(network, address, syslog.LOG_AUTHPRIV|syslog.LOG_NOTICE, "tapedeck")
	if err != nil {
		return err
	}
	_, err = w.Write(bytes.TrimSuffix(line, []byte("\n")))
	return errors.Join(err, w.Close())
}

// put sends a checkpoint as <url>/<log>/<number>.json.
func put(ctx context.Context, place string, line []byte) error {
	e, err := chain.Decode(bytes.TrimSuffix(line, []byte("\n")))
	if err != nil {
		return err
	}
	address := fmt.Sprintf("%s/%s/%d.json", strings.TrimSuffix(place, "/"), e.Log, e.Seq)
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, address, bytes.NewReader(line))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the server answered %s", answer.Status)
	}
	return nil
}
