package store_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	public, err := x509.CreateCertificate(rand.Reader, form, form, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("redis.crt", "CERTIFICATE", public), write("redis.key", "PRIVATE KEY", secret)
}

// TestTLS: everything works over rediss://, and a server whose certificate nobody vouches
// for is not used.
func TestTLS(t *testing.T) {
	t.Parallel()
	certificate, key := selfSigned(t)
	port := testkit.FreePort(t)
	srv := storetest.NewRedis(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", certificate, "--tls-key-file", key,
		"--tls-ca-cert-file", certificate, "--tls-auth-clients", "no")
	plain := srv.URL()
	secure := "rediss" + plain[len("redis"):len(plain)-len(fmt.Sprint(srv.Port))] + fmt.Sprint(port)
	useAll(t, openAt(t, secure+"?skip_verify=true", "a").run(t), openAt(t, secure+"?skip_verify=true", "b").run(t))

	stranger := storetest.OpenWith(t, store.Config{Redis: secure, Timeout: time.Second})
	if stranger.Up() {
		t.Error("a certificate that nobody vouches for is believed")
	}
}
