package wrong_test

import (
	"os"
	"path/filepath"
	"testing"

	"stet/internal/mirror/mirrortest"
	"stet/test/loopback"
)

func TestAnswersThatNobodyAskedFor(t *testing.T) {
	w := loopback.New(t, mirrortest.Deb{Name: "asker", Scripts: map[string]string{
		"templates": "Template: asker/kind\nType: select\nChoices: small, large\nDescription: Kind?\n\n" +
			"Template: asker/secret\nType: password\nDescription: Secret?\n",
	}})
	w.Serve(t)
	before := w.Lock(t)
	for _, c := range []struct {
		name, answers string
		words         []string
	}{
		{"a package that is not there", "  askre: {asker/kind: small}\n", []string{"debconf.askre", `did you mean "asker"?`, "^^^^^"}},
		{"a question that is not asked", "  asker: {asker/knid: small}\n", []string{"asker/knid", `did you mean "asker/kind"?`, "^^^^"}},
		{"another choice", "  asker: {asker/kind: middle}\n", []string{`"middle" is none of the choices: the choices are small, large`, "^^^^^^"}},
		{"a password", "  asker: {asker/secret: hush}\n", []string{"for everybody to read", "set it on the machine"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			here := *w
			here.Stet.Dir = copyOf(t, w.Stet.Dir)
			here.Want(t, "asker")
			name := filepath.Join(here.Stet.Dir, "stet.yaml")
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, append(text, "\ndebconf:\n"+c.answers...), 0o644); err != nil {
				t.Fatal(err)
			}
			refused(t, here.Stet.Run(t, "lock"), 2, c.words...)
			if here.Lock(t) != before {
				t.Error("stet.lock was changed")
			}
		})
	}
}
