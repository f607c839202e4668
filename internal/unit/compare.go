package unit

import (
	"maps"
	"slices"
	"strings"
)

// Verdict says what a running unit needs after its files changed.
type Verdict int

// The verdicts, each more than the one before.
const (
	Equal Verdict = iota
	Reload
	Restart
)

// Difference is a key that two versions of a unit set differently.
type Difference struct {
	Section, Key string
	Verdict      Verdict
}

// String is how people write the key.
func (d Difference) String() string { return "[" + d.Section + "] " + d.Key + "=" }

// ignored are keys of [Unit] that mean nothing to a unit that runs. What the
// machine's managers make of them they do when they read the files again.
var ignored = map[string]bool{
	"Description": true, "Documentation": true, "OnFailure": true, "OnSuccess": true, "OnFailureJobMode": true, "OnSuccessJobMode": true,
	"IgnoreOnIsolate": true, "StopWhenUnneeded": true, "RefuseManualStart": true, "RefuseManualStop": true, "AllowIsolate": true,
	"CollectMode": true, "SourcePath": true,
	// These say what a change means, and are none themselves.
	"X-StopOnRemoval": true, "X-StopOnReconfiguration": true, "X-OnlyManualStart": true, "X-ReloadIfChanged": true,
	"X-RestartIfChanged": true, "X-StopIfChanged": true, "X-NotSocketActivated": true,
}

// Compare says what a running unit needs that becomes another, and which keys
// say so, sorted. Values are compared as lists in their order; what is behind
// the last empty assignment counts. [Install] is about links, not about the
// unit.
func Compare(old, new *Effective) (Verdict, []Difference) {
	verdict := Equal
	var all []Difference
	sections := maps.Clone(old.Sections)
	maps.Copy(sections, new.Sections)
	for _, section := range slices.Sorted(maps.Keys(sections)) {
		if section == "Install" {
			continue
		}
		for _, key := range keys(old.Sections[section], new.Sections[section]) {
			before, after := old.Values(section, key), new.Values(section, key)
			if slices.Equal(before, after) {
				continue
			}
			d := Difference{section, key, judge(section, key, after)}
			if d.Verdict == Equal {
				continue
			}
			verdict = max(verdict, d.Verdict)
			all = append(all, d)
		}
	}
	return verdict, all
}

// Same reports whether two texts say the same of a unit: comments, and [Install], say
// nothing of what runs.
func Same(a, b string) bool {
	x, y := Understand(a).Sections, Understand(b).Sections
	delete(x, "Install")
	delete(y, "Install")
	return maps.EqualFunc(x, y, func(a, b []Assignment) bool {
		return slices.EqualFunc(a, b, func(a, b Assignment) bool { return a.Key == b.Key && a.Value == b.Value })
	})
}

// judge says what another value of one key means.
func judge(section, key string, after []string) Verdict {
	gone := len(after) == 0
	switch {
	case strings.HasPrefix(section, "X-"):
		return Equal // systemd.unit(5): for applications
	case key == "X-Reload-Triggers", section == "Service" && key == "ExecReload":
		if gone {
			return Equal
		}
		return Reload
	case section == "Mount" && key == "Options":
		return Reload
	case (section == "Unit" || strings.HasPrefix(key, "X-")) && ignored[key]:
		return Equal
	}
	return Restart
}

func keys(lists ...[]Assignment) []string {
	all := map[string]bool{}
	for _, list := range lists {
		for _, a := range list {
			all[a.Key] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
