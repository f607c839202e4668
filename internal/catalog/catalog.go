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
	calls, provisions := calls{names: newNames(len(packages))}, provisions{names: newNames(len(packages))}
	var beside sync.WaitGroup
	beside.Go(func() {
		for i, p := range packages {
			provisions.add(i, p)
		}
	})
	for _, p := range packages {
		calls.add(p)
	}
	beside.Wait()
	c.sort(&calls, &provisions, func(i, place int) { c.packages[place] = packages[i] })
	return c
}

// sort puts each package beside the others of its name; put is told the place of each.
func (c *Catalog) sort(calls *calls, provisions *provisions, put func(i, place int)) {
	places := make([]int, len(calls.of))
	calls.names.group(calls.of, func(i, place int) {
		put(i, place)
		places[i] = place
	})
	for _, i := range calls.eminent {
		c.eminent = c.eminent.append(places[i])
	}
	c.providers = newColumn(len(provisions.of))
	provisions.names.group(provisions.of, func(i, place int) { c.providers.set(place, places[provisions.by[i]]) })
	c.called, c.provided = calls.names, provisions.names
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
