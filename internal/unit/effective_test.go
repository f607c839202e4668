package unit

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// texts are unit files by path; one that begins with "->" is a symlink.
type texts map[string]string

func (t texts) Lookup(name string) (File, bool) {
	text, ok := t[name]
	if target, link := strings.CutPrefix(text, "->"); link {
		return File{Link: target}, ok
	}
	return Text(text), ok
}

func (t texts) Names(dir string) []string {
	var out []string
	for name := range t {
		if path.Dir(name) == dir {
			out = append(out, path.Base(name))
		}
	}
	slices.Sort(out)
	return out
}

const (
	etc = "/etc/systemd/system/"
	run = "/run/systemd/system/"
	lib = "/usr/lib/systemd/system/"
)

func load(t *testing.T, files texts, name string) *Effective {
	t.Helper()
	e, err := NewLoader(files, SystemPath()).Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhichFilesAreAUnit(t *testing.T) {
	const text = "[Service]\nExecStart=/bin/x\n"
	for name, c := range map[string]struct {
		files              texts
		unit               string
		id, fragment, drop string
		masked             bool
	}{
		"a package's":                    {texts{lib + "a.service": text}, "a.service", "a.service", lib + "a.service", "", false},
		"the administrator's is first":   {texts{lib + "a.service": text, etc + "a.service": text}, "a.service", "a.service", etc + "a.service", "", false},
		"run stands between them":        {texts{lib + "a.service": text, run + "a.service": text}, "a.service", "a.service", run + "a.service", "", false},
		"missing":                        {texts{}, "a.service", "a.service", "", "", false},
		"an alias":                       {texts{lib + "b.service": text, etc + "a.service": "->/usr/lib/systemd/system/b.service"}, "a.service", "b.service", lib + "b.service", "", false},
		"an alias of an alias":           {texts{lib + "c.service": text, lib + "b.service": "->c.service", etc + "a.service": "->" + lib + "b.service"}, "a.service", "c.service", lib + "c.service", "", false},
		"an alias that is overridden":    {texts{lib + "b.service": text, etc + "b.service": text, etc + "a.service": "->" + lib + "b.service"}, "a.service", "b.service", etc + "b.service", "", false},
		"aliases in a circle":            {texts{lib + "a.service": "->b.service", lib + "b.service": "->a.service"}, "a.service", "a.service", "", "", false},
		"masked by a link":               {texts{lib + "a.service": text, etc + "a.service": "->/dev/null"}, "a.service", "a.service", "", "", true},
		"masked by an empty file":        {texts{lib + "a.service": text, etc + "a.service": ""}, "a.service", "a.service", etc + "a.service", "", true},
		"linked from elsewhere":          {texts{"/opt/a/a.service": text, etc + "a.service": "->/opt/a/a.service"}, "a.service", "a.service", "/opt/a/a.service", "", false},
		"an instance":                    {texts{lib + "a@.service": text}, "a@b.service", "a@b.service", lib + "a@.service", "", false},
		"an instance with a file":        {texts{lib + "a@.service": text, etc + "a@b.service": text}, "a@b.service", "a@b.service", etc + "a@b.service", "", false},
		"an instance with dots":          {texts{lib + "a@.service": text, lib + "a@.service.d/x.conf": text}, "a@b.c.service", "a@b.c.service", lib + "a@.service", lib + "a@.service.d/x.conf", false},
		"an enabled instance":            {texts{lib + "a@.service": text, etc + "a@b.service": "->" + lib + "a@.service"}, "a@b.service", "a@b.service", lib + "a@.service", "", false},
		"an instance of an alias":        {texts{lib + "c@.service": text, lib + "a@.service": "->c@.service"}, "a@b.service", "c@b.service", lib + "c@.service", "", false},
		"a drop-in":                      {texts{lib + "a.service": text, etc + "a.service.d/x.conf": text}, "a.service", "a.service", lib + "a.service", etc + "a.service.d/x.conf", false},
		"drop-ins by their names":        {texts{lib + "a.service": text, lib + "a.service.d/z.conf": text, etc + "a.service.d/b.conf": text, run + "a.service.d/c.conf": text}, "a.service", "a.service", lib + "a.service", etc + "a.service.d/b.conf " + run + "a.service.d/c.conf " + lib + "a.service.d/z.conf", false},
		"of one name the first":          {texts{lib + "a.service": text, lib + "a.service.d/x.conf": text, etc + "a.service.d/x.conf": text}, "a.service", "a.service", lib + "a.service", etc + "a.service.d/x.conf", false},
		"a masked drop-in":               {texts{lib + "a.service": text, lib + "a.service.d/x.conf": text, etc + "a.service.d/x.conf": "->/dev/null"}, "a.service", "a.service", lib + "a.service", "", false},
		"drop-ins end in .conf":          {texts{lib + "a.service": text, etc + "a.service.d/x.conf~": text}, "a.service", "a.service", lib + "a.service", "", false},
		"of the instance and template":   {texts{lib + "a@.service": text, lib + "a@.service.d/y.conf": text, etc + "a@b.service.d/x.conf": text}, "a@b.service", "a@b.service", lib + "a@.service", etc + "a@b.service.d/x.conf " + lib + "a@.service.d/y.conf", false},
		"for all that begin so":          {texts{lib + "a-b-c.service": text, lib + "a-.service.d/x.conf": text, lib + "a-b-.service.d/y.conf": text}, "a-b-c.service", "a-b-c.service", lib + "a-b-c.service", lib + "a-.service.d/x.conf " + lib + "a-b-.service.d/y.conf", false},
		"for the type":                   {texts{lib + "a.service": text, lib + "service.d/x.conf": text}, "a.service", "a.service", lib + "a.service", lib + "service.d/x.conf", false},
		"the unit before the type":       {texts{lib + "a.service": text, etc + "service.d/x.conf": text, lib + "a.service.d/x.conf": text}, "a.service", "a.service", lib + "a.service", lib + "a.service.d/x.conf", false},
		"of an alias":                    {texts{lib + "b.service": text, lib + "a.service": "->b.service", etc + "a.service.d/x.conf": text}, "b.service", "b.service", lib + "b.service", etc + "a.service.d/x.conf", false},
		"a drop-in without a unit":       {texts{etc + "a.service.d/x.conf": text}, "a.service", "a.service", "", etc + "a.service.d/x.conf", false},
		"a generator's after a person's": {texts{"/run/systemd/generator/a.service": text, etc + "a.service": text}, "a.service", "a.service", etc + "a.service", "", false},
	} {
		e := load(t, c.files, c.unit)
		if e.Name != c.id || e.Fragment != c.fragment || strings.Join(e.DropIns, " ") != c.drop || e.Masked != c.masked {
			t.Errorf("%s: have %s %q %v masked %v", name, e.Name, e.Fragment, e.DropIns, e.Masked)
		}
	}
}

func TestDropInsAddAndReset(t *testing.T) {
	files := texts{
		lib + "a.service":           "[Unit]\nAfter=x.service\n[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n",
		etc + "a.service.d/10.conf": "[Service]\nExecStart=\nExecStart=/bin/c\n[Unit]\nAfter=y.service\n",
	}
	e := load(t, files, "a.service")
	if have := e.Values("Service", "ExecStart"); !slices.Equal(have, []string{"/bin/c"}) {
		t.Errorf("ExecStart: %q", have)
	}
	if have := e.Related("After"); !slices.Equal(have, []string{"x.service", "y.service"}) {
		t.Errorf("After: %q", have)
	}
}

func TestDirectoriesOfLinksAreDependencies(t *testing.T) {
	files := texts{
		lib + "x.target":                    "[Unit]\nWants=b.service\n",
		etc + "x.target.wants/a.service":    "->" + lib + "a.service",
		lib + "x.target.wants/b.service":    "->../b.service",
		lib + "x.target.wants/c.service":    "->../c.service",
		etc + "x.target.wants/c.service":    "->/dev/null",
		etc + "x.target.wants/g@i.service":  "->" + lib + "g@.service",
		etc + "x.target.requires/d.service": "->" + lib + "d.service",
		etc + "x.target.upholds/e.service":  "->" + lib + "e.service",
	}
	e := load(t, files, "x.target")
	for key, want := range map[string]string{"Wants": "b.service a.service g@i.service", "Requires": "d.service", "Upholds": "e.service"} {
		if have := strings.Join(e.Related(key), " "); have != want {
			t.Errorf("%s: have %s, want %s", key, have, want)
		}
	}
}

func TestSpecifiersInDependencies(t *testing.T) {
	e := load(t, texts{lib + "a@.service": "[Unit]\nRequires=b-%i.service %p@%i.socket\nAfter=%I.mount x%%y.service\n"}, `a@dev-sda\x2d1.service`)
	if have := strings.Join(e.Related("Requires"), " "); have != `b-dev-sda\x2d1.service a@dev-sda\x2d1.socket` {
		t.Error(have)
	}
	if have := strings.Join(e.Related("After"), " "); have != "dev/sda-1.mount x%y.service" {
		t.Error(have)
	}
}

func TestFlagsAreInEitherSection(t *testing.T) {
	e := load(t, texts{lib + "a.socket": "[Unit]\nX-A=false\n[Socket]\nX-B=no\nX-C=yes\nX-C=nonsense\n"}, "a.socket")
	if e.Flag("X-A", true) || e.Flag("X-B", true) || !e.Flag("X-C", false) || !e.Flag("X-D", true) {
		t.Error("flags are misread")
	}
}

func TestUnderstandPassesOver(t *testing.T) {
	u := Understand("lost=1\n[Unit]\nnonsense\nA=b\n[broken\nB=c\n")
	if have := u.Sections["Unit"]; len(have) != 2 {
		t.Errorf("have %v", have)
	}
}

func TestSyntax(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"continued":               {"[S]\nK=a \\\n b\n", "a  b"},
		"comments in between":     {"[S]\nK=a \\\n# no\n; no\n b\n", "a  b"},
		"an escaped backslash":    {"[S]\nK=a\\\\\nb\n", `a\\`},
		"continued at the end":    {"[S]\nK=a \\\n", "a"},
		"a byte order mark":       {"\ufeff[S]\nK=a\n", "a"},
		"an empty value resets":   {"[S]\nK=a\nK=\nK=b\n", "b"},
		"values have equal signs": {"[S]\nK=a=b\n", "a=b"},
		"spaces around":           {"  [S]  \n  K = a \n", "a"},
		"sections come again":     {"[S]\nK=a\n[T]\nK=x\n[S]\nK=b\n", "a|b"},
	} {
		if have := strings.Join(Understand(c.text).Values("S", "K"), "|"); have != c.want {
			t.Errorf("%s: have %q, want %q", name, have, c.want)
		}
	}
}

func TestEscape(t *testing.T) {
	for name, want := range map[string]string{"/": "-", "/mnt/data": "mnt-data", "/a-b/.c": `a\x2db-.c`, "/.x": `\x2ex`, "//a//b/": "a-b", "/ü": `\xc3\xbc`} {
		if have := Escape(name); have != want {
			t.Errorf("%s: have %s, want %s", name, have, want)
		}
	}
	if have := unescape(`a-b\x2dc\x`); have != `a/b-c\x` {
		t.Error(have)
	}
}
