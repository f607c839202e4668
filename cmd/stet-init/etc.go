package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"stet/internal/fault"
	"stet/internal/mount"
	"stet/internal/state"
)

// keepUppers is how many uppers of /etc, the saved drift of a machine, stay.
const keepUppers = 100

// preparedEtc is /etc on a fresh upper, with all that is carried, before it has a place.
type preparedEtc struct {
	image    mount.Composefs // as it was checked
	upper    state.Upper
	mounted  *mount.Mount
	inMemory bool // the disk takes nothing more
}

// finish writes it out, so that the upper counts, and gives it its place.
func (p preparedEtc) finish(place string) (state.Upper, error) {
	defer p.mounted.Close()
	upper, err := p.upper.Finish()
	if err != nil {
		return upper, err
	}
	fault.Reach(fault.UpperFinished)
	return upper, p.mounted.Attach(place)
}

// prepareEtc mounts /etc on a fresh upper, with what the policy of the system lets
// through from the previous one.
func (m *machine) prepareEtc() error {
	defer m.lap("carry")
	c, err := m.composefs("etc", m.manifest.Images["etc"])
	if err != nil {
		return err
	}
	m.etc, err = m.prepareEtcOn(c, func() (state.Upper, error) {
		return state.Begin(m.uppersDirectory(), m.uppers, m.manifest.Images["etc"])
	})
	if err != nil {
		return m.prepareEtcInMemory(c, err)
	}
	return nil
}

// prepareEtcInMemory does so when the disk takes nothing more: /etc is in memory for
// this boot, and the next boot carries from the same upper again.
func (m *machine) prepareEtcInMemory(c mount.Composefs, why error) error {
	if _, err := m.policy(); err != nil {
		return err
	}
	m.problem("changes of /etc are lost at the next boot, because the store cannot keep them: %v", why)
	memory := filepath.Join(m.run, "stet/etc")
	if err := os.Mkdir(memory, 0o700); err != nil {
		return err
	}
	if err := mount.Tmpfs(memory, unix.MS_NODEV|unix.MS_NOSUID, "mode=0700,size=64m"); err != nil {
		return err
	}
	var err error
	m.etc, err = m.prepareEtcOn(c, func() (state.Upper, error) {
		return state.Begin(memory, nil, m.manifest.Images["etc"])
	})
	if err != nil {
		return noEtc(err)
	}
	m.etc.inMemory = true
	return nil
}

func noEtc(err error) error {
	return remedy{fmt.Errorf("mount /etc: %w", err),
		"The store may be damaged. Choose another entry in the boot menu, then run: stet verify."}
}

// prepareEtcOn mounts c on the upper that begin makes. When it fails nothing is mounted.
func (m *machine) prepareEtcOn(c mount.Composefs, begin func() (state.Upper, error)) (p preparedEtc, err error) {
	p.image = c
	if p.upper, err = begin(); err != nil {
		return p, err
	}
	fault.Reach(fault.UpperBegun)
	c.Upper, c.Work = p.upper.Upper(), p.upper.Work()
	if p.mounted, err = c.Mount(); err != nil {
		return p, err
	}
	if err = m.fillEtc(p); err != nil {
		p.mounted.Close()
	}
	return p, err
}

// fillEtc carries over from the last of the uppers.
func (m *machine) fillEtc(p preparedEtc) error {
	etc, err := os.OpenRoot(p.mounted.Root())
	if err != nil {
		return err
	}
	defer etc.Close()
	policy, err := m.policy()
	if err != nil {
		return err
	}
	if len(m.uppers) > 0 {
		earlier, previous := m.uppers[:len(m.uppers)-1], m.uppers[len(m.uppers)-1]
		if err := m.regain(etc, earlier, previous, policy); err != nil {
			return err
		}
		if err := m.carry(previous, state.Carry{Policy: policy, Etc: etc}); err != nil {
			return err
		}
	}
	if _, err := state.EnsureMachineID(etc, rand.Reader); err != nil {
		return err
	}
	return p.upper.NotePolicy(policy)
}

// finishEtc makes what was prepared the machine's /etc. It waits for the disk, while
// other steps have the processors.
func (m *machine) finishEtc() error {
	defer m.lap("etc")
	upper, err := m.etc.finish(m.at("etc"))
	if err != nil && !m.etc.inMemory {
		if err := m.prepareEtcInMemory(m.etc.image, err); err != nil {
			return err
		}
		upper, err = m.etc.finish(m.at("etc"))
	}
	if err != nil {
		return noEtc(err)
	}
	if m.etc.inMemory {
		return nil
	}
	m.upper = upper.Number
	if err := state.Prune(m.uppers, keepUppers-1); err != nil {
		m.problem("%v", err)
	}
	return nil
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
