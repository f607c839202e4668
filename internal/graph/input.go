package graph

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind says what an [Input] is.
type Kind string

// The kinds of inputs, in the order in which changes are told.
const (
	Version Kind = "stage"   // of a stage of Stet; the value is its number
	Residue Kind = "residue" // the table
	Init    Kind = "init"    // the stet-init program
	Epoch   Kind = "epoch"   // seconds since 1970
	Archive Kind = "archive" // that packages come from
	Package Kind = "package" // the value is the version and the SHA-256
	Machine Kind = "machine" // all options as one digest
	Option  Kind = "option"  // of the machine; the value is a digest: it may be a secret
	File    Kind = "file"    // of the repository; the value is a digest
	User    Kind = "user"    // in the ledger of numbers
	Group   Kind = "group"
)

var kinds = []Kind{Version, Residue, Init, Epoch, Archive, Package, Machine, Option, File, User, Group}

// Input is one thing that a stage depends on.
type Input struct {
	Kind  Kind   `json:"kind"`
	Name  string `json:"name,omitempty"`
	Value string `json:"value"`
}

// Key is the digest of inputs, in their order.
func Key(inputs []Input) string {
	h := sha256.New()
	var line []byte
	for _, in := range inputs {
		line = line[:0]
		for _, part := range []string{string(in.Kind), in.Name, in.Value} {
			line = strconv.AppendInt(line, int64(len(part)), 10) // so that no part can be taken for two
			line = append(append(line, ' '), part...)
		}
		h.Write(append(line, '\n'))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// How an input changed.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Change is an input that is otherwise than it was.
type Change struct {
	Kind   Kind   `json:"kind"`
	Name   string `json:"name,omitempty"`
	Change string `json:"change"`        // Added, Removed or Changed
	Old    string `json:"old,omitempty"` // of packages and versions of stages; others have digests, which say nothing
	New    string `json:"new,omitempty"`
}

// Compare gives what differs between the inputs of two builds, in the order of
// kinds and names.
func Compare(old, now []Input) []Change {
	type id struct {
		kind Kind
		name string
	}
	before := map[id]string{}
	for _, in := range old {
		before[id{in.Kind, in.Name}] = in.Value
	}
	var all []Change
	for _, in := range now {
		value, had := before[id{in.Kind, in.Name}]
		delete(before, id{in.Kind, in.Name})
		switch {
		case !had:
			all = append(all, change(in.Kind, in.Name, Added, "", in.Value))
		case value != in.Value:
			all = append(all, change(in.Kind, in.Name, Changed, value, in.Value))
		}
	}
	for gone, value := range before {
		all = append(all, change(gone.kind, gone.name, Removed, value, ""))
	}
	slices.SortFunc(all, func(a, b Change) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func change(kind Kind, name, how, old, now string) Change {
	c := Change{Kind: kind, Name: name, Change: how}
	switch kind {
	case Package:
		c.Old, _, _ = strings.Cut(old, " ")
		c.New, _, _ = strings.Cut(now, " ")
	case Version, User, Group, Epoch:
		c.Old, c.New = old, now
	}
	return c
}

// String says it to people.
func (c Change) String() string {
	switch c.Kind {
	case Package:
		return c.ofPackage()
	case Version:
		return fmt.Sprintf("Stet's %s stage %s", c.Name, c.values())
	case Residue:
		return "the residue table"
	case Init:
		return "stet-init"
	case Epoch:
		return "epoch " + c.values()
	case User, Group:
		return fmt.Sprintf("number of %s %s %s", c.Kind, c.Name, c.values())
	case Archive:
		return "archive " + c.Name + c.gone()
	}
	return c.Name + c.gone()
}

// ofPackage names the package as apt does, and its architecture when only that
// tells it apart.
func (c Change) ofPackage() string {
	name, _, _ := strings.Cut(c.Name, ":")
	switch {
	case c.Change == Added:
		return fmt.Sprintf("%s %s (new)", name, c.New)
	case c.Change == Removed:
		return fmt.Sprintf("%s %s (gone)", name, c.Old)
	case c.Old == c.New:
		return fmt.Sprintf("%s %s (other bytes)", name, c.New)
	}
	return fmt.Sprintf("%s %s → %s", name, c.Old, c.New)
}

func (c Change) gone() string {
	switch c.Change {
	case Added:
		return " (new)"
	case Removed:
		return " (gone)"
	}
	return ""
}

func (c Change) values() string {
	switch c.Change {
	case Added:
		return c.New + " (new)"
	case Removed:
		return c.Old + " (gone)"
	}
	return c.Old + " → " + c.New
}
