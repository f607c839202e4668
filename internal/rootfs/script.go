package rootfs

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/debian"
	"stet/internal/residue"
	"stet/internal/solve"
	"stet/internal/store"
)

// stepPrefix begins the line that the script writes before each step, so that
// a failure can name it: "step: preinst libc6".
const stepPrefix = "step: "

// environment is what maintainer scripts see, the same everywhere.
func environment(epoch int64) []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "TERM=dumb", "TZ=UTC",
		"LC_ALL=C.UTF-8", "LANG=C.UTF-8", "LANGUAGE=C",
		"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true", "DEBCONF_NOWARNINGS=yes",
		fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch),
		"SYSTEMD_OFFLINE=1", "INITRD=No", "PERL_HASH_SEED=0", "PYTHONHASHSEED=0",
	}
}

// layerScript gives the shell script that configures what the layer below does not
// have. It is a phase of its own, as Debian Policy 6.5 asks: a preinst may rely on the
// essential packages only after these were configured once. What is triggered stays
// pending in dpkg's database.
func layerScript(s *store.Store, packages []*Package, below *configured, answers Answers, shuffle uint64) (string, error) {
	triggers, err := fileTriggers(s, packages, below)
	if err != nil {
		return "", err
	}
	selections, err := answers.selections(s, packages)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	writePreamble(&b, packages)
	writeSelections(&b, selections)
	// As if dpkg had just unpacked: later, others would take the triggers too.
	fmt.Fprintf(&b, "echo '%striggers' >&3\n", stepPrefix)
	for _, t := range triggers {
		fmt.Fprintf(&b, "dpkg-trigger --no-await --by-package=%s %s\n", quote(t.by), quote(t.path))
	}
	writePhase(&b, slices.DeleteFunc(configureOrder(packages, shuffle), below.has))
	return b.String(), nil
}

// restScript gives the shell script that configures what the layer below does not
// have, and then processes the triggers of all.
func restScript(s *store.Store, packages []*Package, below *configured, answers Answers, shuffle uint64) (string, error) {
	script, err := layerScript(s, packages, below, answers, shuffle)
	return script + fmt.Sprintf("echo '%striggers' >&3\n%s --triggers-only --pending\n", stepPrefix, dpkgCommand), err
}

// lastScript makes what is a function of all packages anew, once every other
// script ran: what packages made of it on their way depends on their order.
func lastScript(table *residue.Table, packages []*Package) string {
	var b strings.Builder
	for _, rule := range table.Rules {
		if !rule.MadeLast() || !slices.ContainsFunc(packages, func(p *Package) bool { return p.Name == rule.Package }) {
			continue
		}
		if b.Len() == 0 {
			b.WriteString(noScript)
		}
		fmt.Fprintf(&b, "echo '%smake %s' >&3\n", stepPrefix, rule.Package)
		for _, dir := range rule.Patterns {
			if dir, isDir := strings.CutSuffix(dir, "/"); isDir {
				fmt.Fprintf(&b, "mkdir -p %[1]s\nfind %[1]s -mindepth 1 -delete\n", quote(dir))
			} else {
				fmt.Fprintf(&b, "rm -f %s\n", quote(dir))
			}
		}
		fmt.Fprintf(&b, "sh -c %s\n", quote(rule.Make))
	}
	return b.String()
}

// noScript lets what follows be nobody's maintainer script, as programs see it.
const noScript = "unset DPKG_MAINTSCRIPT_PACKAGE DPKG_MAINTSCRIPT_ARCH DPKG_MAINTSCRIPT_NAME\n"

func writePreamble(b *strings.Builder, packages []*Package) {
	b.WriteString("set -e\nexport DPKG_MAINTSCRIPT_PACKAGE DPKG_MAINTSCRIPT_ARCH DPKG_MAINTSCRIPT_NAME DPKG_ROOT=\n")
	b.WriteString("export DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 DPKG_MAINTSCRIPT_DEBUG=0 DPKG_ADMINDIR=" + databaseDir + "\n")
	fmt.Fprintf(b, "export DPKG_RUNNING_VERSION=%s\n", dpkgVersion(packages))
}

// configureOrder sorts packages so that what one depends on comes before it:
// in Debian's own order, or, when shuffle is not 0, in one that it draws.
func configureOrder(packages []*Package, shuffle uint64) []*Package {
	byKey := map[string]*Package{}
	plain := make([]debian.Package, 0, len(packages))
	for _, p := range packages {
		byKey[p.key()] = p
		plain = append(plain, p.Package)
	}
	out := make([]*Package, 0, len(packages))
	order := solve.ConfigureOrder
	if shuffle != 0 {
		order = func(all []debian.Package) []debian.Package { return solve.ShuffledOrder(all, shuffle) }
	}
	for _, p := range order(plain) {
		out = append(out, byKey[p.Name+":"+p.Architecture])
	}
	return out
}

// dpkgCommand leaves syncing to the store and the log to nobody. The first
// failure ends it, so that what is printed last is that of the failed script.
const dpkgCommand = "env -u DPKG_MAINTSCRIPT_PACKAGE -u DPKG_MAINTSCRIPT_ARCH -u DPKG_MAINTSCRIPT_NAME -u DPKG_RUNNING_VERSION -u DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT -u DPKG_MAINTSCRIPT_DEBUG " +
	"dpkg --status-fd=3 --abort-after=1 --log=/dev/null --force-unsafe-io --force-confold"

// writePhase runs the preinsts of packages and then configures them. Triggers
// wait for the end.
func writePhase(b *strings.Builder, packages []*Package) {
	if len(packages) == 0 {
		return
	}
	for _, p := range preinstOrder(packages) {
		writePreinstName(b, p)
		fmt.Fprintf(b, "%s/info/%s.preinst install </dev/null\n", databaseDir, p.infoName())
	}
	fmt.Fprintf(b, "echo '%sconfigure' >&3\n%s --no-triggers --configure", stepPrefix, dpkgCommand)
	for _, p := range packages {
		b.WriteString(" " + p.key())
	}
	b.WriteByte('\n')
}

// writePreinstName says whose preinst comes next, to us and to the script.
func writePreinstName(b *strings.Builder, p *Package) {
	fmt.Fprintf(b, "echo '%spreinst %s' >&3\n", stepPrefix, p.Name)
	fmt.Fprintf(b, "DPKG_MAINTSCRIPT_PACKAGE=%s DPKG_MAINTSCRIPT_ARCH=%s DPKG_MAINTSCRIPT_NAME=preinst\n", p.Name, p.Architecture)
}

// preinstOrder gives the packages with a preinst. The one that makes the
// accounts comes first: until then no script can look up a user.
func preinstOrder(packages []*Package) []*Package {
	var out []*Package
	for _, p := range packages {
		if p.has("preinst") {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b *Package) int {
		return boolRank(b.Name == accountsPackage) - boolRank(a.Name == accountsPackage)
	})
	return out
}

// accountsPackage makes /etc/passwd and /etc/group (Debian Policy 9.2).
const accountsPackage = "base-passwd"

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

func dpkgVersion(packages []*Package) string {
	for _, p := range packages {
		if p.Name == "dpkg" {
			return p.Version
		}
	}
	return "unknown"
}

// fileTrigger is one file trigger that a package's files activate.
type fileTrigger struct{ path, by string }

// fileTriggers gives the file triggers that dpkg would have activated while
// unpacking (deb-triggers(5)): those of a configured package, with a path that a later package has something at or below. A package that is not
// configured yet has no triggers pending: its postinst does the work.
func fileTriggers(s *store.Store, packages []*Package, below *configured) ([]fileTrigger, error) {
	waiting := map[string]bool{}
	for _, p := range packages {
		if !below.has(p) {
			continue
		}
		interests, err := interestsOf(s, p)
		if err != nil {
			return nil, err
		}
		for _, i := range interests {
			if strings.HasPrefix(i.name, "/") {
				waiting[i.name] = true
			}
		}
	}
	activated := map[string]string{} // path to the package that activates it
	for _, p := range sorted(packages) {
		if below.has(p) {
			continue
		}
		for e := range p.Files.All() {
			for name := e.Path; name != "/"; name = path.Dir(name) {
				if waiting[name] && activated[name] == "" {
					activated[name] = p.infoName()
				}
			}
		}
	}
	var out []fileTrigger
	for name, by := range activated {
		out = append(out, fileTrigger{name, by})
	}
	slices.SortFunc(out, func(a, b fileTrigger) int { return strings.Compare(a.path, b.path) })
	return out, nil
}

// quote makes a word of the shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
