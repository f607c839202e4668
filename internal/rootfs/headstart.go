package rootfs

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/store"
	"stet/internal/tree"
)

// A headStart is a slow program of which a maintainer script wants no more than
// its outcome, which is a function of what packages ship. It runs beside the
// scripts instead, on a core that they leave idle; where the scripts run, a stub
// notes the call. Whatever was otherwise than expected costs a run without any.
type headStart struct {
	program string   // the script's
	call    string   // a pattern of path.Match for the arguments
	inputs  []string // directories that the outcome depends on, with program
	command string   // a line of shell that makes all outcomes of one call or more
	// compressed is a pattern of path.Match for directories of files that the program
	// reads decompressed as well; "" for none.
	compressed string
	// outputs gives the pattern of the outcome of a call.
	outputs func(call string) string
}

// headStarts are depmod(8), for a kernel's postinst, and systemd-hwdb(8), for
// udev's.
var headStarts = []headStart{
	{
		program: "/usr/sbin/depmod", call: "[0-9]*",
		inputs:     []string{"/usr/bin/kmod", "/usr/lib/modules", "/usr/lib/depmod.d", "/etc/depmod.d"},
		command:    `for dir in /usr/lib/modules/[0-9]*; do test ! -d $dir || depmod "${dir##*/}" || exit; done`,
		compressed: "/usr/lib/modules/*/kernel",
		outputs:    func(call string) string { return "/usr/lib/modules/" + call + "/modules.*" },
	},
	{
		program: "/usr/bin/systemd-hwdb", call: "--usr update",
		inputs:  []string{"/usr/lib/udev/hwdb.d", "/etc/udev/hwdb.d"},
		command: "systemd-hwdb --usr update",
		outputs: func(string) string { return "/usr/lib/udev/hwdb.bin" },
	},
}

// calls is where the stub of a program notes its calls, one a line.
func (h headStart) calls() string { return h.program + ".calls" }

// isInput reports whether an outcome depends on a path. What packages ship is
// never an outcome.
func (h headStart) isInput(name string, before *tree.Tree) bool {
	if ok, _ := path.Match(h.outputs("*"), name); ok {
		_, ok = before.Lookup(name)
		return ok
	}
	return slices.ContainsFunc(h.inputs, func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") })
}

// isWanted reports whether any of the packages has something that outcomes depend on.
func (h headStart) isWanted(packages []*Package) bool {
	return slices.ContainsFunc(packages, func(p *Package) bool {
		return slices.ContainsFunc(h.inputs, func(dir string) bool {
			for range p.Files.Below(dir) {
				return true
			}
			return false
		})
	})
}

// startsFor gives the head starts that packages may want, which nobody looks at any more
// then: the files of thousands would be kept as long as their scripts run.
func startsFor(packages []*Package) []headStart {
	return slices.DeleteFunc(slices.Clone(headStarts), func(h headStart) bool { return !h.isWanted(packages) })
}

// begun are the head starts of one root. None of them has to do with what another
// makes, so that they share one, side by side.
type begun struct {
	of      []headStart
	before  *tree.Tree
	stubbed *tree.Tree      // what the scripts get
	result  chan *tree.Tree // what they left; none when one failed
}

// begin starts those of which a tree has the program. Every begin wants an end.
func (b *Builder) begin(ctx context.Context, before *tree.Tree, starts []headStart, epoch int64) (_ *begun, err error) {
	s := &begun{before: before, result: make(chan *tree.Tree, 1)}
	for _, h := range starts {
		if _, ok := before.Lookup(h.program); ok {
			s.of = append(s.of, h)
		}
	}
	if s.stubbed, err = stubbed(b.Store, before, s.of); err != nil {
		return nil, err
	}
	go func() {
		if len(s.of) == 0 {
			s.result <- before
			return
		}
		// Where it fails there is none: the scripts will tell, if it matters to them.
		made, _ := b.runAhead(ctx, before, s.of, epoch)
		s.result <- made
	}()
	return s, nil
}

// runAhead gives a tree with the outcomes. The programs may take any core: then what they
// make must not show how many they saw.
func (b *Builder) runAhead(ctx context.Context, before *tree.Tree, of []headStart, epoch int64) (*tree.Tree, error) {
	return b.inRoot(before, func(p Provided, r room) (*tree.Tree, error) {
		root, err := p.Root()
		if err != nil {
			return nil, err
		}
		if err := b.runInside(ctx, append(root, b.plain(ctx, before, of, r)...), r, together(of), epoch, true); err != nil {
			return nil, err
		}
		return p.Harvest(tree.Time{Sec: epoch})
	})
}

// together is a line of shell that runs all commands and fails when one does.
func together(of []headStart) string {
	var b strings.Builder
	for _, h := range of {
		fmt.Fprintf(&b, "(%s) & started=\"$started $!\"\n", h.command)
	}
	b.WriteString("for pid in $started; do wait $pid || exit; done")
	return b.String()
}

// end waits, and puts the outcomes into the tree that the scripts left. It gives
// none when they may not be what the scripts would have got by themselves.
func (s *begun) end(st *store.Store, after *tree.Tree) (*tree.Tree, error) {
	result := <-s.result
	if after == nil || result == nil {
		return nil, nil
	}
	for change := range tree.Diff(s.stubbed, after) {
		for _, h := range s.of {
			if change.Path() == h.program || h.isInput(change.Path(), s.before) {
				return nil, nil
			}
		}
	}
	out := tree.NewBuilder(after)
	for _, h := range s.of {
		text, err := readFile(st, after, h.calls())
		if err != nil {
			return nil, err
		}
		program, _ := s.before.Lookup(h.program)
		out.Put(*program)
		out.Remove(h.calls())
		for call := range strings.Lines(string(text)) {
			call = strings.TrimSuffix(call, "\n")
			if ok, _ := path.Match(h.call, call); !ok {
				return nil, nil
			}
			for e := range result.All() {
				if ok, _ := path.Match(h.outputs(call), e.Path); ok {
					out.Put(*e)
				}
			}
		}
	}
	return out.Tree()
}

// stubbed gives a tree in which the programs only note their calls.
func stubbed(s *store.Store, t *tree.Tree, of []headStart) (*tree.Tree, error) {
	b := tree.NewBuilder(t)
	for _, h := range of {
		program, _ := t.Lookup(h.program)
		stub := "#!/bin/sh\necho \"$*\" >>" + h.calls() + "\n"
		if err := putFile(s, b, h.program, []byte(stub), 0o755, program.Mtime); err != nil {
			return nil, err
		}
	}
	return b.Tree()
}
