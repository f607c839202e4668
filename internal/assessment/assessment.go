package assessment

import (
	"cmp"
	"fmt"
	"slices"

	"stet/internal/boot"
	"stet/internal/generation"
)

// Machine is where a boot left its traces.
type Machine struct {
	ESP         string // where it is mounted
	Generations generation.Directory
	Booted      int // generation; not 0
}

// Outlook is what comes if this boot fails.
type Outlook struct {
	Tried bool // this boot is a try: the boot loader counts it
	Left  int  // tries that are left after it
	Other int  // the generation that comes when none is left; 0 when none is known to work
}

// Outlook reads it from the ESP and the marks.
func (m Machine) Outlook() (Outlook, error) {
	esp, err := boot.ReadNames(m.ESP)
	if err != nil {
		return Outlook{}, err
	}
	history, err := m.Generations.List()
	if err != nil {
		return Outlook{}, err
	}
	var o Outlook
	names := esp.Of(m.Booted)
	if len(names) > 0 {
		least := slices.MinFunc(names, func(a, b boot.Name) int { return a.Left - b.Left })
		// Beside a plain name one with a counter says nothing.
		o.Tried = !slices.ContainsFunc(names, func(n boot.Name) bool { return !n.Counted })
		o.Left = least.Left
	}
	for _, g := range slices.Backward(history.Generations) {
		starts := slices.ContainsFunc(esp.Of(g.Number), func(n boot.Name) bool { return !n.Bad() })
		if g.Number != m.Booted && g.Good && g.Failed == "" && starts {
			o.Other = g.Number
			break
		}
	}
	return o, nil
}

// GoesBack reports whether another start of the machine leads on to a
// generation that works.
func (o Outlook) GoesBack() bool { return o.Tried && o.Other != 0 }

// String says what follows, after "generation 7 is not well: …; ".
func (o Outlook) String() string {
	switch {
	case !o.Tried:
		return "it stays, because it was good before"
	case o.Other == 0:
		return "it stays, because no other generation is known to work"
	case o.Left == 0:
		return fmt.Sprintf("generation %d starts next", o.Other)
	case o.Left == 1:
		return fmt.Sprintf("it is tried once more before generation %d starts", o.Other)
	}
	return fmt.Sprintf("it is tried %d times more before generation %d starts", o.Left, o.Other)
}

// Good settles that the booted generation works: it is marked so first, then its
// entry loses the counter. It may be called again.
func (m Machine) Good() error {
	history, err := m.Generations.List()
	if err != nil {
		return err
	}
	g, err := history.Find(m.Booted)
	if err != nil {
		return err
	}
	if !g.Good {
		if err := m.Generations.Set(m.Booted, generation.Good, ""); err != nil {
			return err
		}
	}
	for _, over := range []generation.Mark{generation.Failed, generation.Unwell} {
		if err := m.Generations.Clear(m.Booted, over); err != nil {
			return err
		}
	}
	return boot.TakeCounter(m.ESP, m.Booted)
}

// Unwell settles that this boot failed, and why. Of a generation that is tried,
// the reason is kept for whoever finds it given up.
func (m Machine) Unwell(why string) (Outlook, error) {
	o, err := m.Outlook()
	if err != nil || !o.Tried {
		return o, err
	}
	return o, m.Generations.Set(m.Booted, generation.Unwell, why)
}

// Fallen marks as failed what the boot loader has given up since, and gives the
// numbers. Words tells what the journal has of a generation's last try, for one
// that could not say itself what was wrong; nothing when it has nothing.
func (m Machine) Fallen(words func(number int) string) ([]int, error) {
	esp, err := boot.ReadNames(m.ESP)
	if err != nil {
		return nil, err
	}
	history, err := m.Generations.List()
	if err != nil {
		return nil, err
	}
	var fallen []int
	given := esp.GivenUp()
	for _, g := range history.Generations {
		if !given[g.Number] || g.Number == m.Booted || g.Failed != "" {
			continue // the booted one may be in its last try
		}
		why := g.Unwell
		if why == "" {
			why = cmp.Or(words(g.Number), "none of its tries reached the journal: its kernel or its init did not start")
		}
		if err := m.Generations.Set(g.Number, generation.Failed, why); err != nil {
			return fallen, err
		}
		fallen = append(fallen, g.Number)
	}
	return fallen, nil
}
