//go:build long

package twice_test

import (
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"stet/internal/mirror/mirrortest"
	"stet/test/loopback"
	"stet/test/program"
)

// understudied are the programs that have an understudy.
var understudied = []string{"/usr/bin/deb-systemd-helper", "/usr/bin/dpkg-maintscript-helper", "/usr/share/debconf/frontend"}

// draws are how often chance may draw a conversation that understudies do not
// understand. All is configured once more without them then, and nothing is compared.
const draws = 5

// The first of two builds has understudies in the place of programs, the second
// one the packaged programs. So packages that call them in all ways, and note
// what they are told, hold one against the other. A package that looks at the
// programs themselves proves that this is so.
func TestUnderstudiesDoWhatThePackagedProgramsDo(t *testing.T) {
	first := seed(t)
	for n := first; n < first+draws; n++ {
		seen := comparePrograms(t, n)
		if len(seen) > 0 {
			allHad(t, seen, understudied)
			return
		}
		t.Logf("STET_SEED=%d has what understudies leave to the packaged programs", n)
	}
	t.Errorf("in none of %d draws were there understudies", draws)
}

// allHad complains of programs that had no understudy.
func allHad(t *testing.T, seen map[string]bool, programs []string) {
	for _, program := range programs {
		if !seen[path.Base(program)] {
			t.Errorf("%s had no understudy: internal/rootfs knows no such version; hold the understudy against it and add it to the table", program)
		}
	}
}

// comparePrograms builds a machine twice whose packages chance made, and gives the
// programs that had understudies, by their base names.
func comparePrograms(t *testing.T, n uint64) (seen map[string]bool) {
	random := rand.New(rand.NewPCG(n, 0))
	debs := []mirrortest.Deb{
		spectatorOf(understudied),
		transitions(),
	}
	for i := range 2 {
		debs = append(debs, unitsOf(random, fmt.Sprint("units", i)), questionsOf(random, fmt.Sprint("questions", i)))
	}
	var names []string
	for _, deb := range debs {
		names = append(names, deb.Name)
	}
	w := loopback.New(t, debs...)
	w.Serve(t)
	w.GiveDebs(t)
	w.Want(t, names...)
	w.Stet.Must(t, "lock")
	return differences(t, w.Stet, n)
}

// spectatorOf is a package that looks at programs.
func spectatorOf(programs []string) mirrortest.Deb {
	return mirrortest.Deb{Name: "spectator", Scripts: postinst("mkdir -p /etc/spectator\nfor program in " + strings.Join(programs, " ") + "; do head -c 2 $program > /etc/spectator/${program##*/}; done")}
}

// differences builds twice and gives the programs that were others for the spectator,
// by their base names. There is no other difference.
func differences(t *testing.T, p program.Program, n uint64) map[string]bool {
	seen := map[string]bool{}
	for _, d := range buildTwice(t, p, n).Differences {
		if d.Package == "spectator" {
			seen[strings.TrimPrefix(d.Path, "/etc/spectator/")] = true
		} else {
			t.Errorf("%s", d)
		}
	}
	return seen
}

// calls makes a script of calls that notes the exit status of each and what it
// said, under the name that the program has in a machine: one that an understudy
// hands over to lies elsewhere.
func calls(of string, lines []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "mkdir -p /etc/%[1]s\nexec 4>/etc/%[1]s/calls\n", of)
	for _, line := range lines {
		fmt.Fprintf(&b, "rm -f /tmp/said; status=0; { %s; } || status=$?\necho \"$status $(sed s,/.stet/,/usr/bin/, /tmp/said 2>/dev/null)\" >&4\n", line)
	}
	return b.String()
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

// unitsOf is a package of units, and of calls of deb-systemd-helper for them.
func unitsOf(random *rand.Rand, name string) mirrortest.Deb {
	deb := mirrortest.Deb{Name: name, Files: map[string]string{}}
	units := []string{name + ".service", name + "@.service", name + ".socket", name + `-\x2d.timer`, name + "-other.service"}
	for _, unit := range units {
		for _, dir := range []string{"system", "user"} {
			var text strings.Builder
			text.WriteString("[Unit]\nDescription=à test\n\n[Service]\nExecStart=/bin/true\n\n[Install]\n")
			for range random.IntN(5) {
				other := pick(random, units...)
				text.WriteString(pick(random,
					"WantedBy=multi-user.target", "WantedBy=multi-user.target", "WantedBy=a.target b.target", "RequiredBy=c.target",
					"Also="+other, "Also="+other+" "+pick(random, units...), "Alias="+name+"-alias.service", "Alias="+other, "DefaultInstance=one",
					"WantedBy=", "# WantedBy=d.target", "WantedBy=\"e.target\"", " WantedBy=f.target", "wantedby=g.target", "WantedBy=h.target ",
					"Alias="+name+"-x.service "+name+"-y.service", "DefaultInstance= two", "Also="+name+"-missing.service", "WantedBy=%i.target",
				) + "\n")
			}
			deb.Files["/usr/lib/systemd/"+dir+"/"+unit] = text.String()
		}
	}
	var lines []string
	for range 24 {
		unit := pick(random, units...)
		action := pick(random, "unmask", "was-enabled", "enable", "enable", "update-state", "is-enabled", "debian-installed", "mask", "disable", "reenable", "purge")
		options := pick(random, "", "", "--quiet ", "--user ", "--system ", "--user --quiet ", "-q ")
		line := "deb-systemd-helper " + options + action + " '" + unit + "'"
		if action == "is-enabled" || action == "was-enabled" {
			line += " 2>/tmp/said"
		} else {
			line += " >/dev/null 2>&1; status=$?; : >/tmp/said; (exit $status)"
		}
		if random.IntN(6) == 0 { // as if systemd was not installed
			line = "mv /usr/bin/systemctl /usr/bin/systemctl.away; " + line + " || status=$?; mv /usr/bin/systemctl.away /usr/bin/systemctl"
		}
		lines = append(lines, line)
	}
	deb.Scripts = postinst(calls(name, lines))
	return deb
}

// transitions is a package that calls dpkg-maintscript-helper.
func transitions() mirrortest.Deb {
	var lines []string
	for _, args := range []string{
		"supports rm_conffile", "supports dir_to_symlink", "supports nothing",
		"rm_conffile /etc/old 1.0~ -- \"$@\"", "rm_conffile /etc/old 1.0~ transitions -- \"$@\"", "rm_conffile /etc/old -- \"$@\"", "rm_conffile etc/old -- \"$@\"",
		"rm_conffile /etc/old not.a.version -- \"$@\"", "rm_conffile /etc/old 1.0", "mv_conffile /etc/old /etc/new 2:1.0-1 -- \"$@\"", "mv_conffile /etc/old new 1.0 -- \"$@\"",
		"symlink_to_dir /etc/link /etc/there 1.0 -- \"$@\"", "symlink_to_dir /etc/link/ /etc/there 1.0 -- \"$@\"", "symlink_to_dir /etc/backup /etc/there 1.0 -- \"$@\"",
		"dir_to_symlink /etc/dir /etc/there 1.0 -- \"$@\"", "dir_to_symlink /etc/staged ../etc/there 1.0 -- \"$@\"", "nothing /etc/old -- \"$@\"", "",
	} {
		lines = append(lines, "dpkg-maintscript-helper "+args+" >/dev/null 2>&1")
	}
	made := "mkdir -p /etc/there /etc/staged /etc/staged.dpkg-backup\ntouch /etc/staged/.dpkg-staging-dir /etc/staged/new\nln -s /etc/there /etc/backup.dpkg-backup\n"
	return mirrortest.Deb{Name: "transitions", Scripts: postinst(made + calls("transitions", lines))}
}

// questionsOf is a package that asks by debconf.
func questionsOf(random *rand.Rand, name string) mirrortest.Deb {
	var templates strings.Builder
	var questions []string
	for i, kind := range []string{"string", "boolean", "select", "multiselect", "note", "password", "text", "string", "select"} {
		question := fmt.Sprintf("%s/q%d", name, i)
		questions = append(questions, question)
		fmt.Fprintf(&templates, "Template: %s\nType: %s\n", question, kind)
		if strings.HasSuffix(kind, "select") {
			templates.WriteString("Choices: " + pick(random, "a, b, c", "a\\, b, c", "${choices}", "a,b, c", "one") + "\nChoices-de.UTF-8: ä, ö, ü\nChoices-C: x, y, z\n")
		}
		if random.IntN(3) > 0 {
			templates.WriteString("Default: " + pick(random, "a", "true", "b", "a, c", "nothing", "") + "\n")
		}
		templates.WriteString("Description: " + pick(random, "Short", "With ${variable} in it", "") + "\n Long text,\n that flows.\n .\n" +
			pick(random, "  * a list\n  * more\n", " Another paragraph.\n", " \n last ${variable}\n") + "Description-de.UTF-8: Kürzer\n Länger\n  eingerückt\n\n")
	}
	other := strings.ReplaceAll(templates.String(), name+"/q", name+"/more")
	conversation := func(count int) string {
		lines := []string{"db_version 2.0", pick(random, "db_capb", "db_capb backup", "db_capb backup escape", "db_capb escape")}
		for range count {
			q := pick(random, questions...)
			lines = append(lines, pick(random,
				"db_input "+pick(random, "low", "medium", "high", "critical")+" "+q, "db_go", "db_go", "db_get "+q, "db_get "+q,
				"db_set "+q+" "+pick(random, "a", "b", "'two  words'", "''", `'back\\slash'`, `'line\\nbreak'`), "db_reset "+q, "db_fget "+q+" seen", "db_fget "+q+" other", "db_fget "+q+" isdefault", "db_fset "+q+" isdefault "+pick(random, "true", "false"),
				"db_fset "+q+" seen "+pick(random, "true", "false"), "db_fset "+q+" other true", "db_subst "+q+" "+pick(random, "variable", "choices")+" "+pick(random, "value", "'p, q, r'", "''"),
				"db_register "+q+" "+name+"/registered", "db_register "+name+"/nothing "+name+"/x", "db_get "+name+"/registered", "db_unregister "+name+"/registered",
				"db_metaget "+q+" "+pick(random, "description", "extended_description", "choices", "choices-c", "choices-de", "type", "default", "value", "owners", "description-de"),
				"db_get "+name+"/nothing", "db_input high "+name+"/nothing", "db_title 'a title'", "db_settitle "+q, "db_info "+q, "db_info "+name+"/nothing", "db_beginblock", "db_endblock", "db_clear",
				"db_progress start 0 10 "+q+"; db_progress step 1; db_progress info "+q+"; db_progress set 9; db_progress stop", "db_x_loadtemplatefile /usr/share/"+name+"/more.templates",
			))
		}
		var b strings.Builder
		for _, line := range lines {
			fmt.Fprintf(&b, "RET=; status=0; { %s; } || status=$?\necho \"$status $RET\" >&4\n", line)
		}
		return b.String()
	}
	script := func(file string, count int, last string) string {
		return "#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\nexec 4>>/etc/" + file + "\n" + conversation(count) + last
	}
	return mirrortest.Deb{
		Name: name, Fields: map[string]string{"Depends": "debconf"}, Files: map[string]string{"/usr/share/" + name + "/more.templates": other},
		Scripts: map[string]string{
			"templates": templates.String(),
			"preinst":   script(name+".preinst", 5, ""),
			"config":    script(name+".config", 24, ""),
			"postinst":  script(name+".postinst", 24, pick(random, "", "db_stop\n", "db_stop\ncat /proc/self/status >/dev/null\n", "db_purge\n")),
		},
	}
}
