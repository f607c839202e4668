package wrong_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/test/program"
)

// What only the packages can tell is told with its line, when the machine is
// built.
func TestDeclarationsThatDoNotFitThePackages(t *testing.T) {
	stet := program.Example(t, "hello")
	name := filepath.Join(stet.Dir, "stet.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, from, to string
		words          []string
	}{
		{"a zone", "Europe/Berlin", "Europe/Berln", []string{"stet.yaml:5:11: timezone", `no zone of the package tzdata`, `did you mean "Europe/Berlin"?`}},
		{"a locale", "en_GB.UTF-8", "en_GG.UTF-8", []string{"stet.yaml:6:9: locale", "no definition en_GG", "did you mean"}},
		{"a group", "groups: [sudo]", "groups: [sudoers]", []string{"stet.yaml:14:", `users.ada.groups.sudoers`, "there is no group sudoers", "declare it under groups"}},
		{"a unit", "hello.service:\n    enable: true", "nobody.service: {enable: true}\n  hello.service:", []string{"stet.yaml:24:", `units."nobody.service".enable`, "no package ships nobody.service"}},
		{"a place for a file", "/etc/motd: ", "/etc/passwd/motd: ", []string{"stet.yaml:20:", `files."/etc/passwd/motd"`, "/etc/passwd is a file there"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(string(text), c.from) {
				t.Fatalf("examples/hello has no %q", c.from)
			}
			if err := os.WriteFile(name, []byte(strings.Replace(string(text), c.from, c.to, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			stet.Must(t, "check")
			refused(t, stet.Run(t, "build"), 2, c.words...)
		})
	}
}
