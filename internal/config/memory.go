package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"slices"

	"cuelang.org/go/cue/scanner"
	"cuelang.org/go/cue/token"

	"stet/internal/machine"
)

// Memory keeps what evaluations came to, by the digest of all that went into
// them. It may lose everything at any time. A Loader has one for each version of
// the program: neither its code nor what is built into it is part of the digest.
type Memory interface {
	Get(key string) (value []byte, ok bool)
	Put(key string, value []byte)
}

// remembered is the record of one evaluation that found nothing wrong.
type remembered struct {
	Machine *machine.Machine `json:"machine"`
	Named   Place            `json:"named"`
	// Consulted are the files that decided beside the configuration's texts, to
	// their SHA-256 where their content did, and not only what they are.
	Consulted map[string]string `json:"consulted,omitempty"`
}

// remember evaluates a machine, or recalls what it came to.
func (l Loader) remember(t *texts, key string, evaluate func() (*evaluation, error)) (*evaluation, error) {
	if l.Memory == nil {
		return evaluate()
	}
	name := "machine-" + t.digest(key, false)
	var r remembered
	if value, ok := l.Memory.Get(name); ok && json.Unmarshal(value, &r) == nil && r.Machine != nil && t.unchanged(r.Consulted) {
		return &evaluation{texts: t, key: key, file: t.fileOf(key), machine: r.Machine, named: r.Named, consulted: r.Consulted, recalled: true}, nil
	}
	e, err := evaluate()
	if err != nil {
		return nil, err
	}
	if value, err := json.Marshal(remembered{e.machine, e.named, e.consulted}); err == nil {
		l.Memory.Put(name, value)
	}
	return e, nil
}

// rememberPlaces makes the places of a machine's options, or recalls them. They
// depend on comments too.
func (c *Configuration) rememberPlaces(key string, make func() map[string]Place) map[string]Place {
	if c.memory == nil {
		return make()
	}
	name := "places-" + c.texts.digest(key, true)
	var places map[string]Place
	if value, ok := c.memory.Get(name); ok && json.Unmarshal(value, &places) == nil && places != nil {
		return places
	}
	places = make()
	if value, err := json.Marshal(places); err == nil {
		c.memory.Put(name, value)
	}
	return places
}

// unchanged says whether the files that decided beside the texts are as before.
func (t *texts) unchanged(consulted map[string]string) bool {
	for name, sum := range consulted {
		clean, problem, _ := source(t.dir, name)
		if problem != "" {
			return false
		}
		if sum == "" {
			continue
		}
		if now, err := sumOf(t.dir, clean); err != nil || now != sum {
			return false
		}
	}
	return true
}

func sumOf(dir, name string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// digest names what a machine is evaluated from. Without places, CUE counts
// without its comments and layout; stet.yaml counts as it is, because it is one
// machine anyway.
func (t *texts) digest(key string, places bool) string {
	t.shared.Do(func() { t.sharedSums = [2]string{t.sharedDigest(false), t.sharedDigest(true)} })
	sum := sha256.New()
	shared := t.sharedSums[0]
	if places {
		shared = t.sharedSums[1]
	}
	fmt.Fprintf(sum, "%s machine %q ", shared, key)
	for _, f := range t.of(key) {
		writeFile(sum, f, places)
	}
	if key == "" {
		writeFile(sum, cueFile{FileName, t.yaml}, true)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// sharedDigest covers what every machine of the repository is evaluated from.
func (t *texts) sharedDigest(places bool) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(t.packages)) {
		fmt.Fprintf(sum, "package %q ", name)
		for _, f := range t.packages[name] {
			writeFile(sum, f, places)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func writeFile(sum hash.Hash, f cueFile, whole bool) {
	fmt.Fprintf(sum, "%d %s ", len(f.name), f.name)
	if whole {
		fmt.Fprintf(sum, "%d %s", len(f.text), f.text)
	} else {
		writeTokens(sum, f)
	}
}

// writeTokens writes a file without what only people read.
func writeTokens(sum hash.Hash, f cueFile) {
	var s scanner.Scanner
	s.Init(token.NewFile(f.name, -1, len(f.text)), f.text, func(token.Pos, string, []any) {}, 0)
	for {
		_, kind, text := s.Scan()
		fmt.Fprintf(sum, "%d %d %s ", kind, len(text), text)
		if kind == token.EOF {
			return
		}
	}
}
