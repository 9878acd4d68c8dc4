package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrLink is the error for a name that is a symbolic link, or another thing than was
// expected: somebody else who may write there could have put it there.
var ErrLink = errors.New("it is a symbolic link, or no regular file or folder: somebody put it there, remove it")

// Folder is an open folder into which others may write, too. What is done in it is done
// in this folder, whatever becomes of its path, and never through a symbolic link. The
// names that its methods take are those of files in it, not paths.
type Folder struct {
	path string
	root *os.Root
}

// OpenFolder opens a folder that is top or below it. Top is the administrator's and may be
// a link; below it a link is ErrLink.
func OpenFolder(top, dir string) (*Folder, error) { return openFolder(top, dir, (*Folder).enter) }

// MakeFolders is OpenFolder, and makes the folders below top that are missing, with the
// owner and mode of top.
func MakeFolders(top, dir string) (*Folder, error) {
	like, err := os.Stat(top)
	if err != nil {
		return nil, err
	}
	return openFolder(top, dir, func(d *Folder, name string) (*Folder, error) {
		next, err := d.enter(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return next, err
		}
		return d.Make(name, like, like.Mode().Perm()|like.Mode()&fs.ModeSetgid)
	})
}

// MakeFolder makes a folder that is missing, with a mode and the owner of another, if one
// is given.
func MakeFolder(path string, like fs.FileInfo, mode fs.FileMode) error {
	above, err := OpenFolder(filepath.Dir(path), filepath.Dir(path))
	if err != nil {
		return err
	}
	defer above.Close()
	made, err := above.Make(filepath.Base(path), like, mode)
	if err != nil {
		return err
	}
	made.Close()
	return nil
}

// openFolder goes down from top, one folder after the other.
func openFolder(top, dir string, step func(d *Folder, name string) (*Folder, error)) (*Folder, error) {
	below, err := filepath.Rel(top, dir)
	if err != nil || !filepath.IsLocal(below) {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: errors.New("it is not below " + top)}
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, err
	}
	d := &Folder{top, root}
	if below == "." {
		return d, nil
	}
	for name := range strings.SplitSeq(below, string(filepath.Separator)) {
		next, err := step(d, name)
		d.Close()
		if err != nil {
			return nil, err
		}
		d = next
	}
	return d, nil
}

// enter opens a folder in this one.
func (d *Folder) enter(name string) (*Folder, error) {
	named, err := d.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !named.IsDir() {
		return nil, d.failed("open", name, ErrLink)
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, d.whole(err)
	}
	opened, err := root.Stat(".")
	if err == nil && !os.SameFile(named, opened) { // it was replaced meanwhile
		err = d.failed("open", name, ErrLink)
	}
	if err != nil {
		root.Close()
		return nil, d.whole(err)
	}
	return &Folder{filepath.Join(d.path, name), root}, nil
}

// Make makes a folder in this one, with the owner of another and a mode, and opens it. If
// somebody else has made it meanwhile, it stays as it is.
func (d *Folder) Make(name string, like fs.FileInfo, mode fs.FileMode) (*Folder, error) {
	made := d.root.Mkdir(name, 0o700)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return nil, d.whole(made)
	}
	next, err := d.enter(name)
	if err != nil || made != nil {
		return next, err
	}
	err = next.own(like, mode)
	if err != nil {
		next.Close()
		return nil, err
	}
	return next, nil
}

// own gives a folder that this process has made an owner and a mode. One of somebody else
// that is in its place now keeps its own.
func (d *Folder) own(like fs.FileInfo, mode fs.FileMode) error {
	f, err := d.root.Open(".")
	if err != nil {
		return d.whole(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if ours, ok := info.Sys().(*syscall.Stat_t); ok && int(ours.Uid) != os.Geteuid() {
		return nil
	}
	if like != nil {
		chown(f, like)
	}
	return f.Chmod(mode)
}

// Close closes the folder.
func (d *Folder) Close() { d.root.Close() }

// mostReplaced is how often Open tries a file that others replace meanwhile.
const mostReplaced = 100

// Open opens a regular file that is there, and no pipe, which could block.
func (d *Folder) Open(name string, flag int) (*os.File, error) {
	for range mostReplaced {
		named, err := d.Lstat(name)
		if err != nil {
			return nil, err
		}
		if !named.Mode().IsRegular() {
			break
		}
		f, err := d.root.OpenFile(name, flag&^(os.O_CREATE|os.O_TRUNC)|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, d.whole(err)
		}
		opened, err := f.Stat()
		if err == nil && os.SameFile(named, opened) {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, d.failed("open", name, ErrLink)
}

func openFile(path string, flag int) (*os.File, error) {
	d, err := OpenFolder(filepath.Dir(path), filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Open(filepath.Base(path), flag)
}

// Create makes a file that is not there yet, for reading and writing.
func (d *Folder) Create(name string) (*os.File, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, FileMode)
	return f, d.whole(err)
}

// Lstat tells what a name is, without following a link.
func (d *Folder) Lstat(name string) (fs.FileInfo, error) {
	info, err := d.root.Lstat(name)
	return info, d.whole(err)
}

// Stat tells what the folder is.
func (d *Folder) Stat() (fs.FileInfo, error) {
	info, err := d.root.Stat(".")
	return info, d.whole(err)
}

// Chtimes sets when a file was last written to. A link leads to nothing but another file
// in this folder.
func (d *Folder) Chtimes(name string, at time.Time) error {
	return d.whole(d.root.Chtimes(name, at, at))
}

// Rename gives a file another name in this folder.
func (d *Folder) Rename(name, to string) error { return d.whole(d.root.Rename(name, to)) }

// Remove removes a file. One that is not there is no error.
func (d *Folder) Remove(name string) error {
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.whole(err)
	}
	return nil
}

// RemoveFolder removes an empty folder.
func (d *Folder) RemoveFolder(name string) error {
	info, err := d.Lstat(name)
	if err == nil && !info.IsDir() {
		err = d.failed("remove", name, ErrLink)
	}
	if err != nil {
		return err
	}
	return d.whole(d.root.Remove(name))
}

// Names returns the names of all that is in the folder.
func (d *Folder) Names() ([]string, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, d.whole(err)
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// Sync has the names in the folder on the disk when it returns.
func (d *Folder) Sync() error {
	f, err := d.root.Open(".")
	if err != nil {
		return d.whole(err)
	}
	defer f.Close()
	return f.Sync()
}

// whole returns an error with the whole path of the file that it names.
func (d *Folder) whole(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok && !filepath.IsAbs(e.Path) {
		return d.failed(e.Op, e.Path, e.Err)
	}
	return err
}

func (d *Folder) failed(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: filepath.Join(d.path, name), Err: err}
}
