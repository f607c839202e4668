package boot

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stet/internal/verity"
)

// Tries is how often a new entry is tried before the boot loader goes back to
// the one before.
const Tries = 3

// Paths on the ESP, from its root.
const (
	EntriesDir = "loader/entries"
	BlobsDir   = "stet"
)

// digestDigits is how much of a digest is in the name of a kernel or initrd.
const digestDigits = 32

// KernelPath and InitrdPath are where a kernel and an initrd are on the ESP,
// from its root.
func KernelPath(d verity.Digest) string { return BlobsDir + "/kernel-" + d.String()[:digestDigits] }

// InitrdPath is that of an initrd.
func InitrdPath(d verity.Digest) string { return BlobsDir + "/initrd-" + d.String()[:digestDigits] }

// Entry is one boot entry, of type 1 of the Boot Loader Specification.
type Entry struct {
	Machine     string
	Generation  int
	System      string // digest of the manifest
	Kernel      verity.Digest
	Initrd      verity.Digest
	CommandLine string // the manifest's
}

// Text is the content of the entry's file.
func (e Entry) Text() []byte {
	return fmt.Appendf(nil, "title Stet %s\nsort-key stet\nversion %d\nlinux /%s\ninitrd /%s\noptions %s\n",
		e.Machine, e.Generation, KernelPath(e.Kernel), InitrdPath(e.Initrd), e.options())
}

// comesBack makes a machine start anew whose kernel panics or whose PID 1
// crashes, so that another try, or another generation, has its turn. The words
// stay when the counter goes: a file on FAT is renamed more safely than it is
// rewritten. The machine's own command line follows, and its last word counts.
const comesBack = "panic=30 systemd.crash_action=reboot"

func (e Entry) options() string {
	words := []string{comesBack, e.CommandLine, "stet.system=" + e.System, fmt.Sprintf("stet.generation=%d", e.Generation)}
	return strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " ")
}

// Name is the name of an entry's file: which generation it starts, and its
// counter (automatic boot assessment, systemd.io/AUTOMATIC_BOOT_ASSESSMENT).
type Name struct {
	Generation int
	Counted    bool
	Left, Done int // tries, while counted
}

// String is the file name: stet-7.conf, stet-7+3.conf, stet-7+2-1.conf.
func (n Name) String() string {
	switch {
	case !n.Counted:
		return fmt.Sprintf("stet-%d.conf", n.Generation)
	case n.Done == 0:
		return fmt.Sprintf("stet-%d+%d.conf", n.Generation, n.Left)
	}
	return fmt.Sprintf("stet-%d+%d-%d.conf", n.Generation, n.Left, n.Done)
}

// Bad reports whether the boot loader has given the entry up.
func (n Name) Bad() bool { return n.Counted && n.Left == 0 }

// ParseName reads a file name. Files of others are not ok: they are never
// touched.
func ParseName(name string) (n Name, ok bool) {
	rest, hasPrefix := strings.CutPrefix(name, "stet-")
	rest, hasSuffix := strings.CutSuffix(rest, ".conf")
	if !hasPrefix || !hasSuffix {
		return Name{}, false
	}
	number, counter, counted := strings.Cut(rest, "+")
	if n.Generation, ok = parseNumber(number); !ok || n.Generation == 0 {
		return Name{}, false
	}
	if !counted {
		return n, true
	}
	n.Counted = true
	left, done, tried := strings.Cut(counter, "-")
	if n.Left, ok = parseNumber(left); !ok {
		return Name{}, false
	}
	if tried {
		n.Done, ok = parseNumber(done)
	}
	return n, ok
}

// parseNumber reads a decimal number as the boot loader writes it.
func parseNumber(text string) (int, bool) {
	if text == "" || len(text) > 9 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}
