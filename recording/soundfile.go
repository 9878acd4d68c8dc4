package recording

import (
	"context"
	"os"

	"tapedeck/recording/sound"
)

// analyse has a workshop analyse the sound file at a path.
func analyse(ctx context.Context, shop Workshop, path string) (sound.Analysis, error) {
	f, err := openRegular(path)
	if err != nil {
		return sound.Analysis{}, err
	}
	defer f.Close()
	return shop.Analyse(ctx, f)
}

// repairHeader finishes the header of a sound file that FreeSWITCH left unfinished, in
// place, and has it on the disk when it returns.
func (d Dir) repairHeader(path string) error {
	f, err := d.openFile(path, os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		_, err = sound.Repair(f, info.Size())
	}
	if err != nil {
		return err
	}
	return f.Sync()
}
