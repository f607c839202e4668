package cli

import (
	"bytes"
	"strings"
	"testing"

	"stet/internal/build"
	"stet/internal/lock"
)

func TestAnUpdateReadsLikeAChangelog(t *testing.T) {
	digest := func(c string) string { return strings.Repeat(c, 64) }
	old := &lock.Lock{Packages: []lock.Package{
		{Name: "bash", Version: "1", Architecture: "amd64", Archive: "trixie", SHA256: digest("1")},
		{Name: "gone", Version: "1", Architecture: "all", Archive: "trixie", SHA256: digest("2")},
		{Name: "libc6", Version: "1", Architecture: "amd64", Archive: "trixie", SHA256: digest("3")},
		{Name: "libc6", Version: "1", Architecture: "i386", Archive: "trixie", SHA256: digest("4")},
		{Name: "openssl", Version: "1", Architecture: "amd64", Archive: "trixie", SHA256: digest("5")},
		{Name: "own", Version: "1", Architecture: "all", Local: true, Path: "own.deb", SHA256: digest("6")},
		{Name: "two", Version: "1", Architecture: "amd64", Archive: "trixie", SHA256: digest("7")},
		{Name: "two", Version: "2", Architecture: "amd64", Archive: "sid", SHA256: digest("8")},
	}}
	next := &lock.Lock{Packages: []lock.Package{
		{Name: "bash", Version: "1", Architecture: "amd64", Archive: "trixie", SHA256: digest("1")},
		{Name: "libc6", Version: "2", Architecture: "amd64", Archive: "trixie", SHA256: digest("3")},
		{Name: "libc6", Version: "2", Architecture: "i386", Archive: "trixie", SHA256: digest("4")},
		{Name: "new", Version: "1", Architecture: "all", Archive: "example", SHA256: digest("2")},
		{Name: "openssl", Version: "2", Architecture: "amd64", Archive: "trixie-security", SHA256: digest("5")},
		{Name: "own", Version: "1", Architecture: "all", Local: true, Path: "own.deb", SHA256: digest("9")},
		{Name: "two", Version: "2", Architecture: "amd64", Archive: "sid", SHA256: digest("8")},
	}}
	resolved := &build.Resolved{
		Lock: next,
		Fixes: map[lock.Key]string{
			{Name: "openssl", Version: "2", Architecture: "amd64"}: "trixie-security",
			{Name: "libc6", Version: "2", Architecture: "amd64"}:   "trixie-security",
		},
	}
	var out bytes.Buffer
	a := &app{Environment: Environment{Stdout: &out}}
	a.printMoves(lockReport{Moved: moved(old, resolved), Held: []heldItem{{"web", "vim", "1", "2", "trixie"}}}, build.Update{All: true})
	a.printMoves(lockReport{}, build.Update{Security: true})
	const want = `- gone 1
~ libc6:amd64 1 → 2 (trixie, with the fix of trixie-security)
~ libc6:i386 1 → 2 (trixie)
+ new 1 (example)
~ openssl 1 → 2 (trixie-security)
~ own 1 → 1 (own.deb)
- two 1
= vim 1 is held by web; trixie has 2
no security suite has a fix for what is locked
`
	if have := out.String(); have != want {
		t.Errorf("have\n%s\nwant\n%s", have, want)
	}
}
