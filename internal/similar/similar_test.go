package similar

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"shell", "groups", "ssh_keys", "home", "description", "mode", "uid"}
	for word, want := range map[string]string{
		"shel": "shell", "sehll": "shell", "group": "groups", "ssh-keys": "ssh_keys", "sshkeys": "ssh_keys",
		"Home": "home", "descriptoin": "description", "udi": "uid", "password": "", "x": "", "": "",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) is %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"ab", "ba", 1}, {"abc", "abd", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) is %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Distance(c.b, c.a); got != c.want {
			t.Errorf("Distance(%q, %q) is %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
