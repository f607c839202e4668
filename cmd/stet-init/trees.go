package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"stet/internal/fault"
	"stet/internal/mount"
	"stet/internal/state"
)

// keepUppers is how many uppers of /etc, the saved drift of a machine, stay.
const keepUppers = 100

// stateDirectories are those of state that are bound into the root directory,
// with the permissions they get when they are missing.
func stateDirectories() []directory {
	return []directory{{"var", 0o755}, {"home", 0o755}, {"root", 0o700}, {"srv", 0o755}, {"opt", 0o755}}
}

// composefs describes the mount of the image that has the tree, after a check of
// the image.
func (m *machine) composefs(tree, image string) (mount.Composefs, error) {
	c := mount.Composefs{
		Image:         m.at("stet/images", image),
		Objects:       m.at("stet/objects"),
		Source:        "stet:" + tree + ":" + image,
		RequireVerity: m.sealed,
	}
	if !m.sealed {
		return c, nil
	}
	return c, checkImage(c.Image, tree, image)
}

// mountTrees mounts the system's trees and the state, all at the same time as far
// as they do not wait for /usr.
func (m *machine) mountTrees() error {
	directory := m.at("stet/state/etc")
	uppers, err := state.Uppers(directory)
	if err != nil {
		return remedy{err, "The store may be damaged. Start another system and check it with e2fsck."}
	}
	usr := sync.OnceValues(m.mountUsr)
	return together(
		func() error {
			_, err := usr()
			return err
		},
		func() error { return m.mountEtc(directory, uppers, usr) },
		func() error {
			if err := m.applyVar(state.NextUpper(uppers)); err != nil {
				return err
			}
			return m.bindState()
		},
	)
}

// mountUsr gives the policy that is in /usr.
func (m *machine) mountUsr() (policy state.Policy, err error) {
	defer m.lap("usr")
	c, err := m.usr()
	if err != nil {
		return policy, err
	}
	mounted, err := c.Mount()
	if err == nil {
		defer mounted.Close()
		err = mounted.Attach(m.at("usr"))
	}
	if err != nil {
		return policy, remedy{fmt.Errorf("mount /usr: %w", err),
			"The store may be damaged. Choose another entry in the boot menu, then run: stet verify."}
	}
	text, err := os.ReadFile(m.at("usr", state.PolicyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return policy, nil
	}
	if err == nil {
		policy, err = state.ParsePolicy(text)
	}
	if err != nil {
		// Going on would carry nothing, and what is not carried once is gone.
		return policy, remedy{err, "Choose another entry in the boot menu; this system can be built again."}
	}
	return policy, nil
}

// usr describes the mount of /usr, which has the modules beneath the usr tree.
func (m *machine) usr() (mount.Composefs, error) {
	c, err := m.composefs("usr", m.manifest.Images["usr"])
	if err != nil || m.manifest.Images["modules"] == "" {
		return c, err
	}
	modules, err := m.composefs("modules", m.manifest.Images["modules"])
	c.Beneath = modules.Image
	return c, err
}

// policyOfUsr waits for /usr and gives the policy in it.
type policyOfUsr func() (state.Policy, error)

// mountEtc mounts /etc on a fresh upper, with what the policy of the system lets
// through from the previous one. When the disk takes nothing more, /etc is in
// memory for this boot, and the next boot carries from the same upper again.
func (m *machine) mountEtc(directory string, uppers []state.Upper, usr policyOfUsr) error {
	c, err := m.composefs("etc", m.manifest.Images["etc"])
	if err != nil {
		return err
	}
	upper, err := m.mountEtcOn(c, usr, uppers, func() (state.Upper, error) {
		return state.Begin(directory, uppers, m.manifest.Images["etc"])
	})
	if err == nil {
		m.upper = upper.Number
		if err := state.Prune(uppers, keepUppers-1); err != nil {
			m.problem("%v", err)
		}
		m.lap("etc")
		return nil
	}
	if _, err := usr(); err != nil {
		return err
	}

	m.problem("changes of /etc are lost at the next boot, because the store cannot keep them: %v", err)
	memory := filepath.Join(m.run, "stet/etc")
	if err := os.Mkdir(memory, 0o700); err != nil {
		return err
	}
	if err := mount.Tmpfs(memory, unix.MS_NODEV|unix.MS_NOSUID, "mode=0700,size=64m"); err != nil {
		return err
	}
	_, err = m.mountEtcOn(c, usr, uppers, func() (state.Upper, error) {
		return state.Begin(memory, nil, m.manifest.Images["etc"])
	})
	if err != nil {
		return remedy{fmt.Errorf("mount /etc: %w", err),
			"The store may be damaged. Choose another entry in the boot menu, then run: stet verify."}
	}
	m.lap("etc")
	return nil
}

// mountEtcOn mounts c as /etc on the upper that begin makes, after carrying over
// from the last of uppers. When it fails nothing is mounted.
func (m *machine) mountEtcOn(c mount.Composefs, usr policyOfUsr, uppers []state.Upper, begin func() (state.Upper, error)) (state.Upper, error) {
	upper, err := begin()
	if err != nil {
		return upper, err
	}
	fault.Reach(fault.UpperBegun)
	c.Upper, c.Work = upper.Upper(), upper.Work()
	mounted, err := c.Mount()
	if err != nil {
		return upper, err
	}
	defer mounted.Close()
	etc, err := os.OpenRoot(mounted.Root())
	if err != nil {
		return upper, err
	}
	defer etc.Close()

	policy, err := usr()
	if err != nil {
		return upper, err
	}
	if len(uppers) > 0 {
		earlier, previous := uppers[:len(uppers)-1], uppers[len(uppers)-1]
		if err := m.regain(etc, earlier, previous, policy); err != nil {
			return upper, err
		}
		if err := m.carry(previous, state.Carry{Policy: policy, Etc: etc}); err != nil {
			return upper, err
		}
	}
	if _, err := state.EnsureMachineID(etc, rand.Reader); err != nil {
		return upper, err
	}
	if err := upper.NotePolicy(policy); err != nil {
		return upper, err
	}
	m.lap("carry")
	if upper, err = upper.Finish(); err != nil {
		return upper, err
	}
	fault.Reach(fault.UpperFinished)
	return upper, mounted.Attach(m.at("etc"))
}

// regain brings what persists again, and what the previous upper has nothing of, from
// the upper that had it last. Where nobody noted what persisted before, what is gone
// may have been removed, and stays away.
func (m *machine) regain(etc *os.Root, earlier []state.Upper, previous state.Upper, policy state.Policy) error {
	before, known := previous.NotedPolicy()
	if !known {
		return nil
	}
	all, err := state.Regain(earlier, previous, before, policy)
	if err != nil {
		m.problem("not all of what was let go of /etc can be read: %v", err)
	}
	for _, r := range all {
		if err := m.carry(r.From, state.Carry{Policy: state.Policy{Persist: r.Persist}, Named: true, Etc: etc}); err != nil {
			return err
		}
	}
	return nil
}

// carry carries from an earlier upper.
func (m *machine) carry(from state.Upper, c state.Carry) error {
	var merged *mount.Mount
	c.Upper = from.Upper()
	c.Merged = func() (string, error) {
		var err error
		merged, err = m.mountPrevious(from)
		if err != nil {
			return "", err
		}
		return merged.Root(), nil
	}
	problems, err := c.Run()
	if merged != nil {
		merged.Close()
	}
	for _, problem := range problems {
		m.problem("%s", problem)
	}
	return err
}

// mountPrevious mounts the /etc of a previous boot as it was.
func (m *machine) mountPrevious(upper state.Upper) (*mount.Mount, error) {
	if !isDigest(upper.Image) {
		return nil, errors.New("it is not known what the previous /etc was made from")
	}
	c, err := m.composefs("etc", upper.Image)
	if err != nil {
		return nil, err
	}
	c.Upper, c.Work, c.ReadOnly = upper.Upper(), upper.Work(), true
	return c.Mount()
}

// applyVar brings the state up to the var tree of the system. What a person has
// in its way is kept under the number of this boot's upper.
func (m *machine) applyVar(number int) error {
	directory := m.at("stet/state")
	for _, d := range stateDirectories() {
		err := os.Mkdir(filepath.Join(directory, d.name), d.permissions)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return remedy{fmt.Errorf("make the machine's state: %w", err), "Is the disk full or damaged? Start another system and look at it."}
		}
	}
	image := m.manifest.Images["var"]
	if image == "" {
		return nil
	}
	var mounted *mount.Mount
	var refused error
	problems, err := state.Var{
		Image: image,
		State: directory,
		Saved: filepath.Join("saved", strconv.Itoa(number)),
		Tree: func() (string, error) {
			var c mount.Composefs
			if c, refused = m.composefs("var", image); refused != nil {
				return "", refused
			}
			var err error
			if mounted, err = c.Mount(); err != nil {
				return "", err
			}
			return mounted.Root(), nil
		},
	}.Apply()
	if mounted != nil {
		mounted.Close()
	}
	if refused != nil {
		return refused
	}
	for _, problem := range problems {
		m.problem("%s", problem)
	}
	if err != nil {
		m.problem("%v", err) // most of the machine works without; a person can log in
	}
	fault.Reach(fault.StateApplied)
	m.lap("var")
	return nil
}

// bindState shows the state where programs look for it.
func (m *machine) bindState() error {
	for _, d := range stateDirectories() {
		if err := mount.Bind(m.at("stet/state", d.name), m.at(d.name)); err != nil {
			return err
		}
	}
	return nil
}
