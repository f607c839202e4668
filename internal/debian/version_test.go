package debian

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

func TestCompareVersions(t *testing.T) {
	for _, test := range []struct{ name, older, newer string }{
		{"numbers count as numbers", "1.9", "1.10"},
		{"numbers have any length", "1.99999999999999999999", "1.100000000000000000000"},
		{"the epoch goes first", "9.0", "1:0.1"},
		{"a tilde sorts before the end", "1.0~rc1", "1.0"},
		{"two tildes before one", "1.0~~", "1.0~"},
		{"a tilde before its own suffix", "1.0~~a", "1.0~"},
		{"letters before other characters", "1.0a", "1.0+"},
		{"the end before letters", "1.0", "1.0a"},
		{"the revision goes last", "1.0-1", "1.0-2"},
		{"a binNMU is newer", "1.0-1", "1.0-1+b1"},
		{"a stable update is older than the next upload", "1.0-1+deb13u1", "1.0-2"},
		{"a backport is older than what it backports", "1.0-1~bpo12+1", "1.0-1"},
		{"only the last hyphen begins the revision", "1-0-1", "1-1-0"},
		{"capitals before small letters", "1.0A", "1.0a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if c := CompareVersions(test.older, test.newer); c >= 0 {
				t.Errorf("CompareVersions(%q, %q) = %d, want negative", test.older, test.newer, c)
			}
			if c := CompareVersions(test.newer, test.older); c <= 0 {
				t.Errorf("CompareVersions(%q, %q) = %d, want positive", test.newer, test.older, c)
			}
		})
	}
	for _, test := range []struct{ name, a, b string }{
		{"no epoch is epoch zero", "1.0-1", "0:1.0-1"},
		{"no revision is revision zero", "1.0", "1.0-0"},
		{"leading zeros say nothing", "1.002", "1.2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if c := CompareVersions(test.a, test.b); c != 0 {
				t.Errorf("CompareVersions(%q, %q) = %d, want 0", test.a, test.b, c)
			}
		})
	}
}

func TestRelationSatisfied(t *testing.T) {
	for _, test := range []struct {
		relation, version string
		want              bool
	}{
		{"a", "1", true},
		{"a", "", true},
		{"a (>= 1)", "", false},
		{"a (<< 2)", "2~", true},
		{"a (<< 2)", "2", false},
		{"a (<= 2)", "2", true},
		{"a (<= 2)", "2-1", false},
		{"a (= 2)", "2-0", true},
		{"a (= 2)", "2.0", false},
		{"a (>= 2)", "1:0", true},
		{"a (>> 2)", "2", false},
		{"a (>> 2)", "2+b1", true},
	} {
		rs, err := ParseRelations(test.relation)
		if err != nil {
			t.Fatal(err)
		}
		if got := rs[0][0].Satisfied(test.version); got != test.want {
			t.Errorf("%s satisfied by %q: %v, want %v", test.relation, test.version, got, test.want)
		}
	}
	if (Relation{Name: "a", Op: "~", Version: "1"}).Satisfied("1") {
		t.Error("an unknown operator is satisfied")
	}
}

// realVersions are versions of Debian packages that have tripped someone.
var realVersions = []string{
	"1:2.41.5-0+deb13u1", "2.41-12+deb13u4", "5.2.37-2+b10", "3:20240905-3", "6.12.107-1",
	"1.2.10-2+deb12u1", "1.2.10-2~bpo11+1", "2:1.2.10-0ubuntu1", "0.0~git20200101.abcdef-1",
	"0~20091202-1", "20091202-1", "4.10.0+dfsg-1", "4.10.0+dfsg1-1", "4.10.0+ds-1", "4.10.0-1",
	"3.0pl1-197", "3.0-1", "9.20230302", "1.0.8-6", "1.0.8-6.1", "1.0.8-06", "7.88.1-10+deb12u5",
	"1:1.1.0-0", "1.1.0~rc1-1", "1.1.0~rc10-1", "1.1.0~beta-1", "1.1.0", "1.1.0-0~", "1.1.0a-1", "1.1.0+a-1",
}

func TestVersionsAgainstDpkg(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 822))
	word := func(alphabet string, most int) string {
		b := make([]byte, 1+random.IntN(most))
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(b)
	}
	version := func() string {
		v := word("0019", 2) + word("01.~a+", 4)
		if random.IntN(4) == 0 {
			v = word("012", 1) + ":" + v
		}
		if random.IntN(2) == 0 {
			v += "-" + word("01~a+.", 3)
		}
		return v
	}
	var input bytes.Buffer
	var pairs [][2]string
	ask := func(a, b string) {
		pairs = append(pairs, [2]string{a, b})
		fmt.Fprintln(&input, a, b)
	}
	for i := range realVersions {
		for j := 0; j < i; j += 2 {
			ask(realVersions[i], realVersions[j])
		}
	}
	for range 300 {
		ask(version(), version())
	}
	cmd := exec.Command("sh", "-c", `while read a b; do
		if dpkg --compare-versions "$a" lt "$b"; then echo -1
		elif dpkg --compare-versions "$a" eq "$b"; then echo 0
		else echo 1; fi; done`)
	cmd.Stdin = &input
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Fields(string(out))
	if len(answers) != len(pairs) {
		t.Fatalf("dpkg answered %d of %d questions", len(answers), len(pairs))
	}
	for i, p := range pairs {
		got := CompareVersions(p[0], p[1])
		if fmt.Sprint(sign(got)) != answers[i] {
			t.Errorf("CompareVersions(%q, %q) = %d, dpkg says %s", p[0], p[1], got, answers[i])
		}
		if back := CompareVersions(p[1], p[0]); sign(back) != -sign(got) {
			t.Errorf("CompareVersions(%q, %q) = %d, the other way round %d", p[0], p[1], got, back)
		}
	}
}

func TestValidVersionAgainstDpkg(t *testing.T) {
	for _, v := range append([]string{
		"", "1", "a", "1:", ":1", "1:1", "a:1", "0:1:2", "1.0:2", "1-", "-1", "1-1-1", "1--1", "1-a_b", "1_0",
		"1 0", " 1", "1\t", "1:a", "+1", "~1", "1~", "2147483647:1", "2147483648:1", "99999999999999999999:1",
		"00000000000001:1", "1é", "1/2", "1-é",
	}, realVersions...) {
		// Blanks around a version are dpkg's to trim, and ours to refuse.
		want := exec.Command("dpkg", "--validate-version", "--", v).Run() == nil && strings.TrimSpace(v) == v
		if got := ValidVersion(v); got != want {
			t.Errorf("ValidVersion(%q) = %v, dpkg says %v", v, got, want)
		}
	}
}

func sign(n int) int { return min(max(n, -1), 1) }

func FuzzCompareVersions(f *testing.F) {
	for i, v := range realVersions {
		f.Add(v, realVersions[(i+7)%len(realVersions)], realVersions[(i+11)%len(realVersions)])
	}
	f.Add("", "0", "-")
	f.Add("a:1", "1:a", "~")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if CompareVersions(a, a) != 0 {
			t.Errorf("%q differs from itself", a)
		}
		ab, bc, ac := sign(CompareVersions(a, b)), sign(CompareVersions(b, c)), sign(CompareVersions(a, c))
		if sign(CompareVersions(b, a)) != -ab {
			t.Errorf("%q and %q: order depends on the side", a, b)
		}
		if ab == bc && ac != ab {
			t.Errorf("not transitive: %q %q %q: %d %d %d", a, b, c, ab, bc, ac)
		}
		CheckVersion(a)
	})
}

func BenchmarkCompareVersions(b *testing.B) {
	for b.Loop() {
		CompareVersions("1:2.41.5-0+deb13u1", "1:2.41.5-0+deb13u2")
	}
}
