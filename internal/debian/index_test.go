package debian

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const bashStanza = `Package: bash
Source: bash-src (5.2.37-2)
Version: 5.2.37-2+b10
Installed-Size: 7208
Architecture: amd64
essential: yes
Multi-Arch: foreign
Pre-Depends: libc6 (>= 2.38), libtinfo6 (>= 6)
Depends: base-files (>= 2.1.12),
 debianutils (>= 5.6-0.1)
Recommends: bash-completion (>= 20060301-0)
Conflicts: bash-completion (<< 20060301-0)
Breaks: x (<< 1)
Replaces: bash-doc (<= 2.05-1), y
Provides: sh, shell (= 1.0)
Suggests: bash-doc | this is ) not parsed
Description: GNU Bourne Again SHell
Section: shells
Priority: required
Filename: pool/main/b/bash/bash_5.2.37-2+b10_amd64.deb
Size: 1500792
SHA256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
`

func TestParsePackage(t *testing.T) {
	s, err := ParseStanza([]byte(bashStanza))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParsePackage(s)
	if err != nil {
		t.Fatal(err)
	}
	relations := func(text string) Relations {
		rs, err := ParseRelations(text)
		if err != nil {
			t.Fatal(err)
		}
		return rs
	}
	want := Package{
		Name: "bash", Version: "5.2.37-2+b10", Architecture: "amd64", MultiArch: "foreign",
		Source: "bash-src", SourceVersion: "5.2.37-2", Section: "shells", Priority: "required",
		Essential: true, InstalledSize: 7208,
		PreDepends: relations("libc6 (>= 2.38), libtinfo6 (>= 6)"),
		Depends:    relations("base-files (>= 2.1.12), debianutils (>= 5.6-0.1)"),
		Recommends: relations("bash-completion (>= 20060301-0)"),
		Conflicts:  relations("bash-completion (<< 20060301-0)"),
		Breaks:     relations("x (<< 1)"),
		Replaces:   relations("bash-doc (<= 2.05-1), y"),
		Provides:   relations("sh, shell (= 1.0)"),
		Filename:   "pool/main/b/bash/bash_5.2.37-2+b10_amd64.deb",
		Size:       1500792,
		SHA256:     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	index, err := ParsePackages(strings.NewReader(bashStanza + "\n" + bashStanza))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]*Package{&want, &want}, index); diff != "" {
		t.Error(diff)
	}
}

func TestParsePackageLeavesOutWhatIsEqual(t *testing.T) {
	s, err := ParseStanza([]byte("Package: a\nVersion: 1\nArchitecture: all\nSource: a (1)\nMulti-Arch: no\nProtected: yes\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParsePackage(s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Package{Name: "a", Version: "1", Architecture: "all", Protected: true}, got); diff != "" {
		t.Error(diff)
	}
}

func TestParsePackagesRefuses(t *testing.T) {
	replace := func(field, value string) string {
		var b strings.Builder
		for line := range strings.Lines(bashStanza) {
			if strings.HasPrefix(line, field+":") {
				line = value
			}
			b.WriteString(line)
		}
		return b.String()
	}
	for _, test := range []struct{ name, text, want string }{
		{"no name", replace("Package", ""), "field Package is missing"},
		{"no version", replace("Version", ""), "line 24: package bash: field Version is missing"},
		{"no architecture", replace("Architecture", ""), "field Architecture is missing"},
		{"no place", replace("Filename", ""), "package bash has no Filename or no SHA256"},
		{"no hash", replace("SHA256", ""), "package bash has no Filename or no SHA256"},
		{"a name that is a path", replace("Package", "Package: ../bash\n"), "is not a package name"},
		{"a version that is a path", replace("Version", "Version: 1/../2\n"), "line 26: package bash: field Version: version"},
		{"a version that is a path upwards", replace("Version", "Version: ../2\n"), "field Version: version"},
		{"a place outside", replace("Filename", "Filename: pool/../../x.deb\n"), "leaves the archive"},
		{"an absolute place", replace("Filename", "Filename: /x.deb\n"), "is not a path relative to the archive"},
		{"a query", replace("Filename", "Filename: x?y\n"), "holds '?'"},
		{"a short hash", replace("SHA256", "SHA256: 0123\n"), "is not 64 lower-case hexadecimal digits"},
		{"a negative size", replace("Size", "Size: -1\n"), "is not a number"},
		{"a size of no size", replace("Size", "Size: 99999999999999999999\n"), "value out of range"},
		{"a wrong relation", replace("Breaks", "Breaks: x (~ 1)\n"), "field Breaks: relation"},
		{"alternatives provided", replace("Provides", "Provides: a | b\n"), "cannot be provided"},
		{"a range provided", replace("Provides", "Provides: a (>= 1)\n"), "provided without an exact version"},
		{"an unknown Multi-Arch", replace("Multi-Arch", "Multi-Arch: maybe\n"), "field Multi-Arch"},
		{"an unknown truth", replace("essential", "Essential: perhaps\n"), `neither "yes" nor "no"`},
		{"a broken source", replace("Source", "Source: a (1\n"), "is not a source package with its version"},
		{"a source with a path", replace("Source", "Source: ../a\n"), "is not a source package"},
		{"no fields", "a\n", "no colon"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParsePackages(strings.NewReader(bashStanza + "\n" + test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestParsePackagesSharesEqualRelations(t *testing.T) {
	index, err := ParsePackages(strings.NewReader(bashStanza + "\n" + bashStanza))
	if err != nil {
		t.Fatal(err)
	}
	if &index[0].Depends[0][0] != &index[1].Depends[0][0] {
		t.Error("equal relations take memory twice")
	}
}

func TestParseRelease(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	const text = "Origin: Debian\nLabel: Debian\nSuite: stable\nVersion: 13.7\nCodename: trixie\n" +
		"Date: Sat, 12 Sep 2026 07:55:41 UTC\nValid-Until: Sat,  3 Oct 2026 07:55:41 +0200\nAcquire-By-Hash: yes\n" +
		"Architectures: all amd64\nComponents: main contrib\nMD5Sum:\n 00 1 x\nSHA256:\n " +
		hash + " 1961125 main/binary-amd64/Packages.xz\n " + hash + "        0 Contents\n"
	r, err := ParseRelease([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if r.Suite != "stable" || r.Codename != "trixie" || r.Version != "13.7" || r.Origin != "Debian" || !r.AcquireByHash {
		t.Errorf("%+v", r)
	}
	if got := r.Date.Format("2006-01-02T15:04:05Z07:00"); got != "2026-09-12T07:55:41Z" {
		t.Errorf("Date: %s", got)
	}
	if got := r.ValidUntil.Format("2006-01-02T15:04:05Z07:00"); got != "2026-10-03T05:55:41Z" {
		t.Errorf("Valid-Until: %s", got)
	}
	if fmt.Sprint(r.Components, r.Architectures) != "[main contrib] [all amd64]" {
		t.Error(r.Components, r.Architectures)
	}
	f, ok := r.File("main/binary-amd64/Packages.xz")
	if !ok || f.Size != 1961125 || f.ByHash() != "main/binary-amd64/by-hash/SHA256/"+hash {
		t.Errorf("%+v", f)
	}
	if f, ok := r.File("Contents"); !ok || f.ByHash() != "by-hash/SHA256/"+hash {
		t.Errorf("%+v", f)
	}
	if _, ok := r.File("x"); ok || len(r.Files) != 2 {
		t.Errorf("%+v", r.Files)
	}

	for _, bad := range []struct{ name, old, new, want string }{
		{"still signed", "Origin:", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin:", "verify it"},
		{"no date", "Date:", "X-Date:", "field Date is missing"},
		{"a zone without offset", "41 UTC", "41 CET", "field Date at line 6"},
		{"no list", "SHA256:", "SHA512:", "field SHA256 is missing"},
		{"an escape", "Contents", "../Contents", "leaves the archive"},
		{"contradiction", "Contents", "main/binary-amd64/Packages.xz", "two different entries"},
		{"a short hash", " " + hash, " 00", "hexadecimal"},
		{"a line too short", "1961125", "", "is not a hash, a size and a path"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			changed := strings.Replace(text, bad.old, bad.new, 1)
			if _, err := ParseRelease([]byte(changed)); err == nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("got %v, want %s", err, bad.want)
			}
		})
	}
}

func FuzzParsePackages(f *testing.F) {
	f.Add([]byte(bashStanza))
	f.Add([]byte(bashStanza + "\n" + strings.ToLower(bashStanza)))
	f.Fuzz(func(t *testing.T, data []byte) {
		packages, err := ParsePackages(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, p := range packages {
			if p.Name == "" || p.Version == "" || p.Architecture == "" || strings.Contains(p.Filename, "/../") {
				t.Errorf("%+v", p)
			}
		}
	})
}

func FuzzParseRelease(f *testing.F) {
	f.Add([]byte("Date: Sat, 12 Sep 2026 07:55:41 UTC\nAcquire-By-Hash: yes\nSHA256:\n " + strings.Repeat("0a", 32) + " 1 x/y\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseRelease(data)
		if err != nil {
			return
		}
		for _, file := range r.Files {
			if got, ok := r.File(file.Path); !ok || got != file {
				t.Errorf("%+v is found as %+v", file, got)
			}
		}
	})
}

// madeIndex is a Packages index of the size and likeness of Debian's main.
func madeIndex(stanzas int) []byte {
	var b bytes.Buffer
	for i := range stanzas {
		fmt.Fprintf(&b, "Package: package-%d\nSource: source-%d\nVersion: 1:%d.%d-%d+b1\nInstalled-Size: %d\n"+
			"Maintainer: Some People <people-%d@example.org>\nArchitecture: amd64\n", i, i/3, i%9, i%31, i%5, i, i%1000)
		b.WriteString("Depends: ")
		for d := range 8 {
			if d > 0 {
				b.WriteString(", ")
			}
			// Everybody depends on few packages, and a few on any.
			on, version := (i*7+d*d*131)%60, d%3
			if d == 7 {
				on, version = i*31%stanzas, i%7
			}
			fmt.Fprintf(&b, "package-%d (>= %d.0)", on, version)
		}
		fmt.Fprintf(&b, "\nRecommends: package-%d | package-%d\nDescription: package number %d\n%s"+
			"Section: misc\nPriority: optional\nFilename: pool/main/p/package/package-%d_amd64.deb\nSize: %d\n"+
			"MD5sum: %032x\nSHA256: %064x\n\n", i%999, i%998, i,
			"Tag: role::program, interface::text-mode, uitoolkit::ncurses, use::organizing,\n works-with::text, works-with::people\n",
			i, i*1000, i, i)
	}
	return b.Bytes()
}

func BenchmarkParsePackages(b *testing.B) {
	index := madeIndex(66000)
	b.SetBytes(int64(len(index)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParsePackages(bytes.NewReader(index)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScanner(b *testing.B) {
	index := madeIndex(66000)
	b.SetBytes(int64(len(index)))
	b.ReportAllocs()
	for b.Loop() {
		s := NewScanner(bytes.NewReader(index))
		for {
			if _, err := s.Next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// Flat repositories begin their paths with "./"; the file is the same.
func TestAPathIsTheFileItNames(t *testing.T) {
	for text, want := range map[string]string{
		"./a.deb": "a.deb", "a.deb": "a.deb", "pool/./b//a.deb": "pool/b/a.deb", "pool/main/a.deb": "pool/main/a.deb",
	} {
		packages, err := ParsePackages(strings.NewReader("Package: a0\nVersion: 1\nArchitecture: all\nFilename: " + text + "\nSize: 1\nSHA256: " + strings.Repeat("0", 64) + "\n"))
		if err != nil || len(packages) != 1 || packages[0].Filename != want {
			t.Errorf("%s: have %v, %v", text, packages, err)
		}
	}
}

func TestAReleaseSaysWhenItsPackagesAreTaken(t *testing.T) {
	const sums = "Date: Sat, 12 Sep 2026 07:55:41 UTC\nSHA256:\n " + "0584fba32e13e0ab8285fb16c27adea1ec03a73669c18702821094fd6ca86675" + " 10 main/binary-amd64/Packages\n"
	for text, want := range map[string][3]bool{
		"": {false, false, false},
		"NotAutomatic: yes\nButAutomaticUpgrades: yes\nArchitectures: all amd64\nNo-Support-for-Architecture-all: Packages\n": {true, true, false},
		"NotAutomatic: yes\nArchitectures: amd64 all\n":                                                                       {true, false, true},
	} {
		r, err := ParseRelease([]byte(text + sums))
		if err != nil {
			t.Fatal(err)
		}
		if have := [3]bool{r.NotAutomatic, r.ButAutomaticUpgrades, r.PackagesForAll}; have != want {
			t.Errorf("%q: have %v", text, have)
		}
	}
}
