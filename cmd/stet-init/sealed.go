package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"stet/internal/verity"
)

// checkImage asks the kernel for the digest of a sealed image, and compares it
// with the one that the manifest has. What is sealed cannot change afterwards,
// and every read of it is checked; with verity=require the kernel does the same
// for each object that the image names.
func checkImage(path, tree, digest string) error {
	const other = "Choose another entry in the boot menu. When that one runs, `stet verify` says what else is damaged."
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return remedy{fmt.Errorf("the store has no %s image %s", tree, short(digest)), other}
	}
	if err != nil {
		return remedy{fmt.Errorf("open the %s image: %w", tree, err), other}
	}
	defer file.Close()
	measured, err := verity.Measure(file)
	switch {
	case errors.Is(err, verity.ErrUnsupported):
		return remedy{errors.New("the store is on a file system without fs-verity, so that nothing tells whether its files are whole"),
			"Start another system. There, tune2fs -O verity turns it on, and `stet verify --seal` seals what is there."}
	case errors.Is(err, unix.ENODATA):
		return remedy{fmt.Errorf("the %s image %s is not sealed: something other than Stet wrote it", tree, short(digest)), other}
	case err != nil:
		return remedy{fmt.Errorf("measure the %s image: %w", tree, err), other}
	case measured.String() != digest:
		return remedy{fmt.Errorf("the %s image %s is another one: its digest is %s", tree, short(digest), short(measured.String())), other}
	}
	return nil
}
