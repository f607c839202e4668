package archive

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"stet/internal/durable"
	"stet/internal/ledger"
)

// Take archives what is at a path of the machine's state, and removes it. It leaves
// everything as it was when it fails, and when somebody uses what is there: a
// [HeldError]. Problems are sentences for a person about what earlier failures left.
func (s Shelf) Take(ctx context.Context, name string) (a Archive, problems []string, err error) {
	place, _ := ledger.Place(name)
	if !canGo(name) {
		return a, nil, fmt.Errorf("take %s away: it is no part of a machine's state", name)
	}
	unlock, problems, err := s.open()
	if err != nil {
		return a, problems, err
	}
	defer unlock()
	at, here := "/"+place, filepath.Join(s.State, place)
	if err := s.free(name, func(held string) bool { return isBelow(held, at) || isBelow(held, here) }); err != nil {
		return a, problems, err
	}
	a, err = s.take(ctx, name, place)
	if err != nil {
		return a, problems, fmt.Errorf("take %s away: %w", name, err)
	}
	return a, problems, nil
}

// isBelow reports whether name is at or below a directory.
func isBelow(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }

// free fails when somebody has something that matches.
func (s Shelf) free(name string, matches func(held string) bool) error {
	by, err := s.Holders(matches)
	if err != nil {
		return fmt.Errorf("look who uses %s: %w", name, err)
	}
	if len(by) > 0 {
		return &HeldError{name, by}
	}
	return nil
}

func (s Shelf) take(ctx context.Context, name, place string) (a Archive, err error) {
	id, err := s.id(place)
	if err != nil {
		return a, err
	}
	taking := filepath.Join(s.dir(), takingPrefix+id)
	if err := s.moveAway(taking, place); err != nil {
		return a, errors.Join(err, os.RemoveAll(taking))
	}
	// From now on nobody gets there by its path. Who was faster holds it still.
	err = s.free(name, func(held string) bool { return strings.Contains(held, "/"+takingPrefix+id+"/") })
	final := filepath.Join(s.dir(), id+suffix)
	if err == nil {
		err = s.write(ctx, filepath.Join(taking, partDir), place, id)
	}
	if err != nil {
		if back := s.putBack(taking, place); back != nil {
			return a, errors.Join(err, fmt.Errorf("and it is in %s now: %w", filepath.Join(taking, partDir), back))
		}
		return a, err
	}
	// Its archive is on the disk under its name: now, and not before, it may go.
	gone := filepath.Join(s.dir(), gonePrefix+id)
	if err := os.Rename(taking, gone); err != nil {
		return a, err
	}
	if err := os.RemoveAll(gone); err != nil {
		return a, fmt.Errorf("it is archived in %s, but not all of it could be removed: %w", final, err)
	}
	return read(final)
}

// id is the name of a new archive: when it is made, and of what.
func (s Shelf) id(place string) (string, error) {
	words := strings.Map(func(r rune) rune {
		switch {
		case r == '/':
			return '-'
		case r < 0x80 && (r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'):
			return r
		}
		return '_'
	}, place)
	if len(words) > 100 {
		words = words[:100]
	}
	base := s.Now().UTC().Format(stamp) + "-" + words
	for n := 1; n < 1000; n++ {
		id := base
		if n > 1 {
			id += "-" + strconv.Itoa(n)
		}
		_, err := os.Lstat(filepath.Join(s.dir(), id+suffix))
		if errors.Is(err, os.ErrNotExist) {
			_, err = os.Lstat(filepath.Join(s.dir(), takingPrefix+id))
		}
		if errors.Is(err, os.ErrNotExist) {
			return id, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("there are too many archives of that name in %s", s.dir())
}

// moveAway moves a part from its place to the shelf, and notes before where it
// belongs.
func (s Shelf) moveAway(taking, place string) error {
	to := filepath.Join(taking, partDir, path.Dir(place))
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	if err := durable.Write(filepath.Join(taking, placeFile), []byte(place)); err != nil {
		return err
	}
	for _, dir := range []string{taking, s.dir()} {
		if err := durable.Sync(dir); err != nil {
			return err
		}
	}
	parent, err := s.parent(place)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	err = unix.Renameat2(parent, path.Base(place), unix.AT_FDCWD, filepath.Join(to, path.Base(place)), unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EXDEV) {
		return errors.New("something is mounted there")
	}
	return err
}

// write makes the archive of what is at place below dir.
func (s Shelf) write(ctx context.Context, dir, place, id string) error {
	making := filepath.Join(s.dir(), makingPrefix+id)
	file, err := os.OpenFile(making, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	packed, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
	if err == nil {
		err = runTar(ctx, dir, nil, packed, "--create", "--sparse", "--one-file-system", "--", place)
	}
	if err == nil {
		err = packed.Close()
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(making, filepath.Join(s.dir(), id+suffix))
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(making))
	}
	return durable.Sync(s.dir())
}

// runTar runs GNU tar, which knows holes, access control lists and attributes. What
// it warns of is not in the archive as it is on the disk, so it is an error.
func runTar(ctx context.Context, dir string, in io.Reader, out io.Writer, args ...string) error {
	args = append([]string{"--format=posix", "--numeric-owner", "--acls", "--xattrs", "--xattrs-include=*", "--file=-"}, args...)
	command := exec.CommandContext(ctx, "tar", args...)
	command.Dir, command.Stdin, command.Stdout = dir, in, out
	command.Env = []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	var said bytes.Buffer
	command.Stderr = &said
	err := command.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return fmt.Errorf("tar: %w: %s", err, line)
	}
	return nil
}
