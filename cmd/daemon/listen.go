package daemon

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"tapedeck/cmd/config"
)

// listeners are the sockets that a daemon listens on.
type listeners struct {
	outbound, metrics net.Listener
	console           net.Listener // nil: there is no console
}

// listen opens every socket, or none.
func listen(cfg *config.Config) (l listeners, err error) {
	if l.outbound, err = net.Listen("tcp", cfg.Listen); err != nil {
		return l, cannotListen("listen", err)
	}
	if l.metrics, err = net.Listen("tcp", cfg.Metrics.Listen); err != nil {
		l.close()
		return l, cannotListen("metrics.listen", err)
	}
	if cfg.HTTP.Listen == "" {
		return l, nil
	}
	if l.console, err = net.Listen("tcp", cfg.HTTP.Listen); err != nil {
		l.close()
		return l, cannotListen("http.listen", err)
	}
	return l, nil
}

// addresses returns where the listeners are.
func (l listeners) addresses() Addresses {
	a := Addresses{Socket: l.outbound.Addr(), Metrics: l.metrics.Addr()}
	if l.console != nil {
		a.Console = l.console.Addr()
	}
	return a
}

// close closes them; closing one twice does nothing.
func (l listeners) close() {
	for _, ln := range []net.Listener{l.outbound, l.metrics, l.console} {
		if ln != nil {
			_ = ln.Close()
		}
	}
}

// cannotListen adds to an error the key of the daemon file that names the address, and what
// to do.
func cannotListen(key string, err error) error {
	hint := "choose another address"
	if errors.Is(err, syscall.EADDRINUSE) {
		hint = "stop the program that has it (another tapedeck?), or choose another address"
	}
	return fmt.Errorf("%s in the daemon file: %w: %s", key, err, hint)
}
