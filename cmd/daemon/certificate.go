package daemon

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// certificate is a TLS certificate in two files. They may be replaced while the console
// serves. Its methods may be called by any number of goroutines.
type certificate struct {
	cert, key string // file names
	log       *slog.Logger

	mu     sync.Mutex
	pair   *tls.Certificate
	seen   string    // fingerprint of the files that pair was read from
	looked time.Time // when the fingerprint was taken last
}

// certificateEvery is how often a handshake looks for new files.
const certificateEvery = 10 * time.Second

func newCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("http.certificate in the daemon file: %w", err)
	}
	return c, nil
}

func (c *certificate) read() error {
	c.looked = time.Now()
	seen := ""
	for _, name := range []string{c.cert, c.key} {
		file, err := fingerprint(name)
		if err != nil {
			return err
		}
		seen += file
	}
	if seen == c.seen {
		return nil
	}
	c.seen = seen
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.pair = &pair
	return nil
}

// get returns the certificate; it is tls.Config's GetCertificate. New files that cannot be
// used are logged once, and the old certificate stays.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) > certificateEvery {
		if err := c.read(); err != nil {
			c.log.Error("new certificate not taken: the old one stays", "error", err)
		}
	}
	return c.pair, nil
}
