package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"stet/internal/generation"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
	"stet/internal/verity"
)

// A machine that was kept for years: each of its generations has as many files as
// the server, of which a hundredth is other than in the one before.
const (
	oldGenerations = 200
	oldFiles       = 10000
	oldChanged     = 100
	oldPackages    = 190
	generationsMax = 1.0 // seconds
)

// generations measures what reads the trees of all generations: `stet
// generations` and the marking of `stet gc`. The contents themselves are never
// read, so that the store has trees, manifests, records and dpkg's lists, and of
// other contents none.
func (b *bench) generations(ctx context.Context) ([]result, error) {
	dir := filepath.Join(b.dir, "generations")
	if err := oldMachine(dir); err != nil {
		return nil, err
	}
	var list, mark, listCPU, markCPU []float64
	for i := range b.runs {
		say("generations, run %d of %d", i+1, b.runs)
		for _, m := range []struct {
			to, cpu *[]float64
			args    []string
		}{{&list, &listCPU, []string{"generations", "--json"}}, {&mark, &markCPU, []string{"gc", "--dry-run", "--keep", "100", "--json"}}} {
			cmd := exec.CommandContext(ctx, b.stet, m.args...)
			cmd.Env = append(os.Environ(), "STET_STORE="+dir)
			cmd.Stderr = os.Stderr
			begin := time.Now()
			if err := cmd.Run(); err != nil {
				return nil, fmt.Errorf("stet %s: %w", strings.Join(m.args, " "), err)
			}
			*m.to = append(*m.to, time.Since(begin).Seconds())
			*m.cpu = append(*m.cpu, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
		}
	}
	return []result{
		measured(fmt.Sprintf("stet generations, %d of %d files", oldGenerations, oldFiles), "s", list, generationsMax),
		measured("its CPU time, of all CPUs together", "s", listCPU, 0),
		measured(fmt.Sprintf("stet gc: marking %d generations", oldGenerations), "s", mark, generationsMax),
		measured("its CPU time, of all CPUs together", "s", markCPU, 0),
	}, nil
}

// oldMachine makes the store.
func oldMachine(dir string) error {
	s, err := store.Open(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	files := make([]uint64, oldFiles) // in which generation each was changed last
	small := map[string]string{}
	for _, name := range []string{"etc", "var", "modules"} {
		t, err := tree.New([]tree.Entry{{Path: "/", Type: tree.Directory, Mode: 0o755}})
		if err != nil {
			return err
		}
		if small[name], err = s.PutTree(t); err != nil {
			return err
		}
	}
	records := generation.In(dir)
	for n := 1; n <= oldGenerations; n++ {
		for i := range oldChanged {
			files[(n*oldChanged+i)%oldFiles] = uint64(n)
		}
		status, err := s.PutBytes([]byte(statusOf(n)))
		if err != nil {
			return err
		}
		usr, err := usrOf(files, status, int64(len(statusOf(n))))
		if err != nil {
			return err
		}
		m := &system.Manifest{
			Format: system.ManifestFormat, Machine: "old", KernelVersion: "6.12", Images: map[string]verity.Digest{},
			Trees:  map[string]string{"etc": small["etc"], "var": small["var"], "modules": small["modules"]},
			Kernel: verity.Digest{1}, Initrd: verity.Digest{2},
		}
		if m.Trees["usr"], err = s.PutTree(usr); err != nil {
			return err
		}
		for name := range m.Trees {
			m.Images[name] = verity.Sum([]byte(m.Trees[name]))
		}
		text, err := m.Text()
		if err != nil {
			return err
		}
		digest, err := s.PutSystem(text)
		if err != nil {
			return err
		}
		if err := records.Add(generation.Record{Number: n, System: digest, Date: time.Unix(int64(n)*86400, 0), Origin: generation.Boot}); err != nil {
			return err
		}
	}
	return nil
}

// usrOf is the usr tree of a generation.
func usrOf(files []uint64, status verity.Digest, statusSize int64) (*tree.Tree, error) {
	b := tree.NewBuilder()
	put := func(name string, size int64, d verity.Digest) {
		b.MakeParents(name, tree.Time{})
		b.Put(tree.Entry{Path: name, Type: tree.Regular, Mode: 0o644, Size: size, Digest: d, Mtime: tree.Time{Sec: 1764000000}})
	}
	put("/lib/sysimage/dpkg/status", statusSize, status)
	for i, changed := range files {
		var key [16]byte
		binary.LittleEndian.PutUint64(key[:], uint64(i))
		binary.LittleEndian.PutUint64(key[8:], changed)
		put(fmt.Sprintf("/share/package-%03d/directory-%02d/file-%05d", i%oldPackages, i%7, i), int64(1000+i), sha256.Sum256(key[:]))
	}
	return b.Tree()
}

// statusOf is dpkg's list of packages of a generation, as long as the server's.
func statusOf(n int) string {
	var text strings.Builder
	for p := range oldPackages {
		version := 1
		if p == n%oldPackages {
			version = n
		}
		fmt.Fprintf(&text, "Package: package-%03d\nStatus: install ok installed\nArchitecture: amd64\nVersion: %d\nDescription: a package\n%s\n", p, version, strings.Repeat(" It has a description, as packages do.\n", 20))
	}
	return text.String()
}
