package catalog

import (
	"iter"
	"sync"

	"stet/internal/debian"
)

// Catalog lists packages by their names. Any number of goroutines may ask it.
// Packages share memory: change none in place.
type Catalog struct {
	called    names  // each begins in packages
	provided  names  // each begins in providers
	providers column // places in packages
	eminent   column // places in packages

	mu       sync.Mutex
	packages []*debian.Package // those of a name side by side; nil before somebody asked
	maker    maker             // of those that are nil
}

// New makes a catalog of packages, and keeps them: the caller must not change them
// afterwards. Those of one name stay in their order.
func New(packages []*debian.Package) *Catalog {
	c := &Catalog{packages: make([]*debian.Package, len(packages))}
	// An archive has as many provided names as packages, so each half of the work is
	// done beside the other.
	var provides, by []int32
	var beside sync.WaitGroup
	beside.Go(func() { provides, by = c.nameProvided(packages) })
	places := c.place(packages)
	beside.Wait()
	c.providers = newColumn(len(provides))
	c.provided.group(provides, func(i, place int) { c.providers.set(place, places[by[i]]) })
	return c
}

// place puts each package beside the others of its name, and gives its place. It notes
// the eminent ones on its way.
func (c *Catalog) place(packages []*debian.Package) []int {
	c.called = newNames(len(packages))
	of := make([]int32, len(packages))
	var eminent []int
	for i, p := range packages {
		of[i] = c.called.add(p.Name)
		if p.Essential || p.Priority != Ordinary {
			eminent = append(eminent, i)
		}
	}
	places := make([]int, len(packages))
	c.called.group(of, func(i, place int) {
		c.packages[place], places[i] = packages[i], place
	})
	for _, i := range eminent {
		c.eminent = c.eminent.append(places[i])
	}
	return places
}

// nameProvided numbers the provided names, and gives the number, and the package, of
// each of all Provides.
func (c *Catalog) nameProvided(packages []*debian.Package) (of, by []int32) {
	count := 0
	for _, p := range packages {
		count += len(p.Provides)
	}
	c.provided = newNames(count)
	of, by = make([]int32, 0, count), make([]int32, 0, count)
	for i, p := range packages {
		for _, alternatives := range p.Provides {
			for j := range alternatives {
				of, by = append(of, c.provided.add(alternatives[j].Name)), append(by, int32(i))
			}
		}
	}
	return of, by
}

// Ordinary is the Priority that nearly every package has (Debian Policy 2.5).
const Ordinary = "optional"

// Len is how many packages there are.
func (c *Catalog) Len() int { return len(c.packages) }

// Named gives the packages that are called name.
func (c *Catalog) Named(name string) []*debian.Package {
	return c.between(c.called.span(name))
}

// Providing gives the packages that have name in their Provides.
func (c *Catalog) Providing(name string) []*debian.Package {
	return c.those(c.providers.part(c.provided.span(name)))
}

// Eminent gives the packages that are Essential or of a Priority other than
// Ordinary: of 70,000 some hundred, and each base is among them.
func (c *Catalog) Eminent() []*debian.Package { return c.those(c.eminent) }

// All gives all packages, those of a name side by side.
func (c *Catalog) All() []*debian.Package { return c.between(0, len(c.packages)) }

// Names gives what packages are called, each name once.
func (c *Catalog) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for number := range c.called.places.len() {
			if !yield(c.called.text(number)) {
				return
			}
		}
	}
}

// between gives the packages from one place to another.
func (c *Catalog) between(begin, end int) []*debian.Package {
	if begin >= end || end > len(c.packages) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for place := begin; place < end; place++ {
		c.at(place)
	}
	return c.packages[begin:end:end]
}

// those gives the packages at some places, each once if its places are side by side.
func (c *Catalog) those(places column) []*debian.Package {
	if len(places) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	those := make([]*debian.Package, 0, places.len())
	for i := range places.len() {
		place := places.at(i)
		if place < len(c.packages) && (i == 0 || place != places.at(i-1)) {
			those = append(those, c.at(place))
		}
	}
	return those
}

// at gives one package, with mu held.
func (c *Catalog) at(place int) *debian.Package {
	if c.packages[place] == nil {
		c.packages[place] = c.maker.make(place)
	}
	return c.packages[place]
}
