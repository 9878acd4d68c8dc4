package faults

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// disk is a small file system that can be filled.
type disk struct{ path string }

const diskBytes = 16 << 20

// mountDisk mounts a disk at a folder. The error is errUnfit if that is not permitted.
func mountDisk(path string) (*disk, error) {
	if err := syscall.Mount("tapedeck-faults", path, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes)); err != nil {
		return nil, fmt.Errorf("%w: mount: %w", errUnfit, err)
	}
	return &disk{path}, nil
}

func (d *disk) filler() string { return filepath.Join(d.path, ".filler") }

// fill fills the disk but for so many bytes.
func (d *disk) fill(leave int) error {
	f, err := os.Create(d.filler())
	if err != nil {
		return err
	}
	defer f.Close()
	var size int64
	block := bytes.Repeat([]byte{1}, 4096)
	for {
		n, err := f.Write(block)
		size += int64(n)
		if err != nil {
			break
		}
	}
	return f.Truncate(max(0, size-int64(leave)))
}

func (d *disk) free() { os.Remove(d.filler()) }

func (d *disk) unmount() error { return syscall.Unmount(d.path, syscall.MNT_DETACH) }
