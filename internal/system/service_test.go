package system

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/machine"
	"stet/internal/residue"
	"stet/internal/tree"
)

// with gives the fixture's root more files.
func (f *fixture) with(paths ...string) {
	f.Helper()
	b := tree.NewBuilder(f.root)
	for _, name := range paths {
		b.MakeParents(name, tree.Time{Sec: epoch})
		b.Put(tree.Entry{Path: name, Type: tree.Regular, Mode: 0o755})
	}
	var err error
	if f.root, err = b.Tree(); err != nil {
		f.Fatal(err)
	}
}

func TestServicesHaveTheirStateMade(t *testing.T) {
	f := newFixture(t)
	f.with("/var/lib/dpkg/info/postgresql-common.list", "/usr/lib/postgresql/17/bin/initdb", "/usr/lib/postgresql/18/bin/initdb",
		"/var/lib/dpkg/info/cups-daemon.list")
	made := f.must(&machine.Machine{})
	const unit = "stet-service-postgresql-17.service"
	f.expect(made, map[string]string{
		unitDir + "postgresql.service.requires/" + unit:         ">../" + unit,
		unitDir + "postgresql@17-main.service.requires/" + unit: ">../" + unit,
		unitDir + "stet-service-mariadb.service":                "missing",
		unitDir + "stet-service-cups.service":                   "missing",
	})
	text := f.at(made, unitDir+unit)
	for _, line := range []string{
		"ConditionPathExists=!/var/lib/stet/service/postgresql-17.made\n", "After=stet-identity.service\n",
		"Before=postgresql@17-main.service postgresql.service\n", "ExecStart=/usr/lib/stet/service/postgresql-17\n",
		"ExecStartPost=-systemctl start --no-block postgresql@17-main.service\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the unit lacks %q:\n%s", line, text)
		}
	}
	if !strings.Contains(f.at(made, makersDir+"postgresql-18"), "--no-status 18 main;") {
		t.Error("there is no maker for the second version")
	}
	policy := f.at(made, "/usr/lib/stet/state.json")
	for _, path := range []string{`"/etc/postgresql"`, `"/etc/cups/printers.conf"`} {
		if !strings.Contains(policy, path) {
			t.Errorf("%s does not persist: %s", path, policy)
		}
	}
}

func TestWhatIsMadeAtEveryBootDoesNotPersist(t *testing.T) {
	f := newFixture(t)
	f.with("/var/lib/dpkg/info/postfix.list")
	made := f.must(&machine.Machine{})
	if unit := f.at(made, unitDir+identityUnit); !strings.Contains(unit, "newaliases") {
		t.Errorf("nothing makes the aliases:\n%s", unit)
	}
	if policy := f.at(made, "/usr/lib/stet/state.json"); strings.Contains(policy, "aliases") {
		t.Errorf("aliases persist: %s", policy)
	}
}

// The makers are shell: they run here, in a directory instead of a machine.
func TestMakerMakesOnce(t *testing.T) {
	dir := t.TempDir()
	data, marks := filepath.Join(dir, "it's data"), filepath.Join(dir, "marks")
	rule := residue.Rule{
		Done: data + "/done", Make: "echo made >>'" + dir + "/log'\necho x >\"$DATA/done\"",
		Service: &residue.ServiceRule{Clear: []string{data}},
	}
	program := strings.ReplaceAll(maker(residue.Instance{Rule: rule, Name: "x"}), "/var/lib/stet/service", marks)
	log := func() string { text, _ := os.ReadFile(dir + "/log"); return string(text) }
	fail := ""
	run := func(what string) error {
		cmd := exec.Command("sh", "-c", strings.Replace(program, "echo x", fail+"echo x", 1))
		cmd.Env = append(os.Environ(), "DATA="+data)
		out, err := cmd.CombinedOutput()
		t.Logf("%s: %s", what, out)
		return err
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	fail = "exit 3\n"
	if err := run("something fails"); err == nil {
		t.Error("a maker that fails ends well")
	}
	if _, err := os.Stat(marks + "/x.making"); err == nil {
		t.Error("a maker that failed is taken for one that was cut off")
	}
	fail = ""
	for _, name := range []string{data + "/half", marks + "/x.making"} { // as a power failure leaves them
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run("the power failed"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(data + "/half"); err == nil {
		t.Error("what was half made is still there")
	}
	if _, err := os.Stat(marks + "/x.made"); err != nil || log() != "made\nmade\n" {
		t.Errorf("have %v, %q", err, log())
	}

	if err := os.Remove(marks + "/x.made"); err != nil {
		t.Fatal(err)
	}
	if err := run("with data that somebody brought"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(marks + "/x.made"); err != nil || log() != "made\nmade\n" {
		t.Errorf("data that was there: have %v, %q", err, log())
	}
}
