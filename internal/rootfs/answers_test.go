package rootfs

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const templates = "Template: m/kind\nType: select\nChoices-C: No, Local only, Internet\n__Choices: Nein, Nur hier, Netz\nDescription: Kind?\n long\n\n" +
	"Template: m/parts\nType: multiselect\nChoices: a, b\\, c, d\nDescription: Parts?\n\n" +
	"Template: m/disk\nType: select\nChoices: ${disks}\nDescription: Disk?\n\n" +
	"Template: m/yes\nType: boolean\nDefault: true\nDescription: Yes?\n\n" +
	"Template: m/name\nType: string\nDescription: Name?\n\n" +
	"Template: m/secret\nType: password\nDescription: Secret?\n\n" +
	"Template: m/hint\nType: note\nDescription: Hint\n"

func TestAnswersAreHeldAgainstTemplates(t *testing.T) {
	s := openStore(t)
	packages := []*Package{pkg(t, s, stanza("m"), "@templates ="+templates), pkg(t, s, stanza("other"))}
	for _, c := range []struct{ name, question, answer, want string }{
		{"m", "m/kind", "Local only", "m m/kind select Local only\n"},
		{"m", "m/parts", `a, b\, c`, "m m/parts multiselect a, b\\, c\n"},
		{"m", "m/parts", "", "m m/parts multiselect \n"},
		{"m", "m/disk", "/dev/sda", "m m/disk select /dev/sda\n"},
		{"m", "m/yes", "false", "m m/yes boolean false\n"},
		{"m", "m/name", "it's 'so'", "m m/name string it's 'so'\n"},
		{"m", "m/kind", "Nur hier", `"Nur hier" is none of the choices: the choices are No, Local only, Internet`},
		{"m", "m/parts", "a, c", `"c" is none of the choices`},
		{"m", "m/yes", "yes", "expected true or false"},
		{"m", "m/name", "a\nb", "one line"},
		{"m", "m/secret", "x", "in the machine's image for everybody to read"},
		{"m", "m/hint", "x", "of type note"},
		{"m", "m/knid", "x", "does not ask this"},
		{"n", "m/kind", "x", "does not have this package"},
	} {
		have, err := Answers{c.name: {c.question: c.answer}}.selections(s, packages)
		if err != nil {
			have = err.Error()
		}
		if !strings.Contains(have, c.want) {
			t.Errorf("%s %s %q: have %q, want %q", c.name, c.question, c.answer, have, c.want)
		}
	}
}

func TestAnUnknownQuestionNamesTheOthers(t *testing.T) {
	s := openStore(t)
	packages := []*Package{pkg(t, s, stanza("m"), "@templates ="+templates)}
	_, err := Answers{"m": {"m/knid": "x"}}.selections(s, packages)
	wrong := (*AnswerError)(nil)
	if !errors.As(err, &wrong) || !slices.Equal(wrong.Known, []string{"m/disk", "m/kind", "m/name", "m/parts", "m/yes"}) {
		t.Errorf("have %+v", wrong)
	}
}

func FuzzSplitChoices(f *testing.F) {
	for _, text := range []string{"a, b", `a\, b, c`, `\`, ",,", `a\\,b`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, choice := range splitChoices(text) {
			if strings.TrimSpace(choice) != choice && !strings.Contains(text, `\ `) {
				t.Errorf("%q has the choice %q", text, choice)
			}
		}
	})
}
