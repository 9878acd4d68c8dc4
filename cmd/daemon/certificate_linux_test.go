package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// writePair writes a new certificate and its key.
func writePair(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	public, err := x509.CreateCertificate(rand.Reader, about, about, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: public}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := errors.Join(os.RemoveAll(name), os.WriteFile(name, pem.EncodeToMemory(block), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCertificateRenewed: new files count, also when they can be read only after
// a chown.
func TestCertificateRenewed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file away")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "tapedeck-certificate-") // t.TempDir is for its owner alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	give := func() {
		if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(cert, nobody, nobody), os.Chown(key, nobody, nobody)); err != nil {
			t.Fatal(err)
		}
	}
	writePair(t, cert, key, 1)
	give()
	runtime.LockOSThread() // and never unlocked: the thread, which is nobody's, ends with the test
	var c *certificate
	serial := func() int64 {
		t.Helper()
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer syscall.Setfsuid(0)
		if c == nil {
			if c, err = newCertificate(cert, key, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
		}
		c.looked = time.Time{}
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Fatalf("certificate %d, want 1", n)
	}
	writePair(t, cert, key, 2)
	if n := serial(); n != 1 {
		t.Errorf("certificate %d, although the new one is root's", n)
	}
	give()
	if n := serial(); n != 2 {
		t.Errorf("certificate %d after chown, want 2", n)
	}
}
