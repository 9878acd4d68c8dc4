package esltest_test

import (
	"syscall"
	"testing"
)

// TestFullDisk fills a real disk.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no tmpfs of 64 KB: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	sw, l := realFiles(t)
	refused(t, l, fillUp(t, sw, l, dir+"/a.wav"), dir+"/b.wav")
}
