package activate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"stet/internal/fault"
	"stet/internal/mount"
	"stet/internal/state"
)

// The places in the staging directory.
func (s *switching) next(name string) string {
	return filepath.Join(s.Machine.run(stageDir), "new", name)
}
func (s *switching) last(name string) string {
	return filepath.Join(s.Machine.run(stageDir), "old", name)
}

func (m Machine) readBoot() (state.Boot, error) {
	text, err := os.ReadFile(m.at(state.BootFile))
	if err != nil {
		return state.Boot{}, fmt.Errorf("what runs is not known: %w", err)
	}
	return state.ParseBoot(text)
}

// writeBoot records what runs.
func (s *switching) writeBoot(b state.Boot) error {
	err := errors.Join(
		writeFile(s.at(state.BootFile), b.Bytes(), 0o644),
		writeFile(s.at(state.SystemFile), []byte(b.System+"\n"), 0o644),
	)
	if err != nil {
		return fmt.Errorf("record what runs: %w", err)
	}
	return nil
}

func (m Machine) mounts() ([]mount.Info, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return mount.ParseInfo(string(text))
}

// checkMounts refuses when something else is mounted in a tree that is replaced:
// it would be gone without a word.
func (s *switching) checkMounts() error {
	all, err := s.mounts()
	if err != nil {
		return err
	}
	for name, replaced := range map[string]bool{"usr": s.replacesUsr(), "etc": s.replaces("etc")} {
		if !replaced {
			continue
		}
		place := s.at(name)
		for _, m := range all {
			if strings.HasPrefix(m.Point, place+"/") {
				return fmt.Errorf("%s is mounted inside /%s, which is to be replaced: unmount it, or `stet boot` changes the system at the next start", m.Point, name)
			}
		}
	}
	return nil
}

// composefs describes the mount of an image.
func (m Machine) composefs(tree, image string) mount.Composefs {
	return mount.Composefs{
		Image:   filepath.Join(m.Store, "images", image),
		Objects: filepath.Join(m.Store, "objects"),
		Source:  "stet:" + tree + ":" + image,
	}
}

// usr describes the mount of /usr: the image of its tree, and one of modules
// beneath it.
func (m Machine) usr(image, modules string) mount.Composefs {
	c := m.composefs("usr", image)
	if modules != "" {
		c.Beneath = m.composefs("modules", modules).Image
	}
	return c
}

func (m Machine) upperOf(number int) state.Upper {
	dir := filepath.Join(m.State, "etc", strconv.Itoa(number))
	if number == 0 {
		dir = m.run("stet/etc/1") // the disk took nothing more when the machine started
	}
	return state.Upper{Number: number, Directory: dir}
}

// stage mounts the new trees beside the old ones, and the old ones once more, to
// come back to. The staging directory is private: what hangs there can be moved,
// and nobody else sees it.
func (s *switching) stage(context.Context) error {
	dir := s.Machine.run(stageDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := mount.Tmpfs(dir, unix.MS_NOSUID|unix.MS_NODEV, "mode=0700,size=1m"); err != nil {
		return err
	}
	if err := mount.MakePrivate(dir); err != nil {
		return err
	}
	for _, name := range []string{"usr", "etc"} {
		for _, at := range []string{s.next(name), s.last(name)} {
			if err := os.MkdirAll(at, 0o700); err != nil {
				return err
			}
		}
	}
	if err := s.stageUsr(); err != nil {
		return err
	}
	if err := s.stageEtc(); err != nil {
		return err
	}
	return mount.MakePrivate(dir)
}

// replacesUsr reports whether /usr is mounted anew: it shows the usr tree and,
// beneath it, the modules.
func (s *switching) replacesUsr() bool { return s.replaces("usr") || s.replaces("modules") }

func (s *switching) stageUsr() error {
	if !s.replacesUsr() {
		return nil
	}
	modules := s.Boot.Images["modules"] // of the kernel that runs
	if s.replaces("modules") {
		modules = s.New.Images["modules"]
	}
	mounted, err := s.usr(s.New.Images["usr"], modules).Mount()
	if err != nil {
		return err
	}
	defer mounted.Close()
	if err := mounted.Attach(s.next("usr")); err != nil {
		return err
	}
	if err := s.note(s.next("usr"), s.New.Trees["usr"]); err != nil {
		return err
	}
	return keep(s.at("usr"), s.last("usr"))
}

// keep shows the mounts at from at to as well.
func keep(from, to string) error {
	clone, err := mount.Clone(from, true)
	if err != nil {
		return err
	}
	defer clone.Close()
	if err := clone.Attach(to); err != nil {
		return err
	}
	return mount.MakePrivate(to)
}

// note records the device number of a /usr, by which processes name the files
// they have mapped.
func (s *switching) note(at, tree string) error {
	number, err := deviceOf(at)
	if err != nil {
		return err
	}
	return state.Device{Number: number, Name: "usr", Tree: tree}.Note(s.at(state.DevicesFile))
}

// stageEtc mounts the new /etc on a fresh upper.
func (s *switching) stageEtc() error {
	if !s.replaces("etc") {
		return nil
	}
	dir := filepath.Join(s.State, "etc")
	uppers, err := state.Uppers(dir)
	if err != nil {
		return err
	}
	upper, err := state.Begin(dir, uppers, s.New.Images["etc"])
	if err != nil {
		return err
	}
	c := s.composefs("etc", s.New.Images["etc"])
	c.Upper, c.Work = upper.Upper(), upper.Work()
	mounted, err := c.Mount()
	if err != nil {
		return err
	}
	defer mounted.Close()
	if err := mounted.Attach(s.next("etc")); err != nil {
		return err
	}
	return keep(s.at("etc"), s.last("etc"))
}

// replace puts the new trees in their places. Between /usr and /etc there is a
// moment with a new one and an old one; nothing starts then.
func (s *switching) replace(ctx context.Context) error {
	protected, err := s.openProtected()
	if err != nil {
		return err
	}
	defer protected.close()
	if s.replaces("etc") {
		unlock, err := lockAccounts(ctx, s.at("etc"))
		if err != nil {
			return err
		}
		defer unlock()
		if err := s.carry(); err != nil {
			return err
		}
		fault.Reach(fault.EtcCarried)
	}
	if s.replacesUsr() {
		if err := s.note(s.at("usr"), s.Old.Trees["usr"]); err != nil {
			return err
		}
	}
	began := s.Now()
	if s.replacesUsr() {
		if err := mount.Swap(s.next("usr"), s.at("usr")); err != nil {
			return err
		}
		fault.Reach(fault.UsrReplaced)
	}
	if s.replaces("etc") {
		if err := mount.Swap(s.next("etc"), s.at("etc")); err != nil {
			return err
		}
		fault.Reach(fault.EtcReplaced)
	}
	s.swap = s.Now().Sub(began)
	if s.replaces("etc") {
		if err := protected.readOnly(); err != nil {
			return err
		}
	}
	if s.replaces("var") {
		return s.applyVar(s.New.Images["var"])
	}
	return nil
}

// dropUpper has the upper of a switch that was taken back count no more: the
// next boot would carry from it.
func (s *switching) dropUpper() error {
	if s.Upper == 0 {
		return nil
	}
	dir := s.upperOf(s.Upper).Directory
	err := os.Rename(dir, dir+".partial")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// applyVar brings the state up to a var tree.
func (s *switching) applyVar(image string) error {
	if image == "" {
		return nil
	}
	var mounted *mount.Mount
	problems, err := state.Var{
		Image: image, State: s.State, Saved: filepath.Join("saved", strconv.Itoa(max(s.Upper, s.Boot.Upper))),
		Tree: func() (string, error) {
			var err error
			if mounted, err = s.composefs("var", image).Mount(); err != nil {
				return "", err
			}
			return mounted.Root(), nil
		},
	}.Apply()
	if mounted != nil {
		mounted.Close()
	}
	s.problems = append(s.problems, problems...)
	if err == nil {
		fault.Reach(fault.VarApplied)
	}
	return err
}

// replaceBack puts the old trees in their places again, where they are not. They
// are the same mounts, upper and all: what was changed in the old /etc is there.
func (s *switching) replaceBack(context.Context) error {
	protected, err := s.openProtected()
	if err != nil {
		return err
	}
	defer protected.close()
	var left []error
	for _, name := range []string{"usr", "etc"} {
		swapped, err := s.swapBack(s.at(name), s.last(name))
		left = append(left, err)
		if swapped && name == "etc" {
			left = append(left, protected.readOnly())
		}
	}
	if s.replaces("var") {
		left = append(left, s.applyVar(s.Old.Images["var"]))
	}
	return errors.Join(append(left, s.dropUpper())...)
}

// swapBack makes the kept mount the one at a place, and the only one there: a
// switch that was interrupted may have left the new one beneath the old.
func (s *switching) swapBack(at, kept string) (swapped bool, err error) {
	device, err := deviceOf(kept)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // nothing was staged
	}
	if err != nil {
		return false, err
	}
	if stage, err := deviceOf(filepath.Dir(kept)); err != nil || stage == device {
		return false, err // it is not replaced
	}
	all, err := s.mounts()
	if err != nil {
		return false, err
	}
	var stack int
	for _, m := range all {
		if m.Point == at {
			stack++
		}
	}
	for ; stack > 1; stack-- {
		if err := mount.Detach(at); err != nil {
			return false, err
		}
	}
	if there, err := deviceOf(at); err != nil || there == device {
		return false, err
	}
	clone, err := mount.Clone(kept, true)
	if err != nil {
		return false, err
	}
	defer clone.Close()
	return true, clone.Replace(at)
}

// deviceOf gives the device number of what is mounted at a place, as mountinfo
// has it.
func deviceOf(name string) (string, error) {
	var stat unix.Stat_t
	if err := unix.Stat(name, &stat); err != nil {
		return "", &os.PathError{Op: "stat", Path: name, Err: err}
	}
	return fmt.Sprintf("%d:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev)), nil
}

// clean takes the scaffolding away. The record goes last: without it there is
// nothing to undo.
func (s *switching) clean() error {
	dir := s.Machine.run(stageDir)
	if err := mount.Detach(dir); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := os.Remove(s.Machine.run(recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
