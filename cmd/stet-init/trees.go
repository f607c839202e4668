package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"stet/internal/fault"
	"stet/internal/mount"
	"stet/internal/state"
)

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

// readUppers lists what earlier boots changed in /etc.
func (m *machine) readUppers() (err error) {
	if m.uppers, err = state.Uppers(m.uppersDirectory()); err != nil {
		return remedy{err, "The store may be damaged. Start another system and check it with e2fsck."}
	}
	return nil
}

// uppersDirectory has what boots change in /etc.
func (m *machine) uppersDirectory() string { return m.at("stet/state/etc") }

// mountTrees mounts the system's trees and the state, all at the same time as far
// as they do not wait for /usr; /etc is prepared only.
func (m *machine) mountTrees() error {
	m.policy = sync.OnceValues(m.mountUsr)
	return together(
		func() error {
			_, err := m.policy()
			return err
		},
		m.prepareEtc,
		func() error {
			if err := m.applyVar(state.NextUpper(m.uppers)); err != nil {
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
