package main

import (
	"fmt"
	"strings"
)

// What is between these lines of a page is made of the figures.
const (
	pageBegins = "<!-- made by bench -->"
	pageEnds   = "<!-- the end of what bench makes -->"
)

// put puts what was made of the figures into the text of a page.
func put(name, text, made string) (string, error) {
	before, rest, begins := strings.Cut(text, pageBegins)
	_, after, ends := strings.Cut(rest, pageEnds)
	if !begins || !ends {
		return "", fmt.Errorf("%s has no place for the figures: write %q and %q where they shall be", name, pageBegins, pageEnds)
	}
	return before + pageBegins + "\n" + made + pageEnds + after, nil
}

// table is all figures in Markdown: what was measured at one commit of the same machine
// is below one line that says so. The picture of the growth comes first, where there is
// one.
func (all figures) table() string {
	var b strings.Builder
	if len(all.growth()) > 0 {
		b.WriteString("\n![What a build takes, over the files of its machine](growth.svg)\n")
	}
	for i, f := range all {
		if i == 0 || all[i-1].Commit != f.Commit || all[i-1].Date != f.Date || all[i-1].Machine != f.Machine {
			fmt.Fprintf(&b, "\nAt %s, %s, on %s:\n\n| | median | least to most | runs | promise |\n|---|---|---|---|---|\n", f.Commit, f.Date, f.Machine)
		}
		for _, r := range f.Rows {
			spread, promise := "", ""
			if r.Runs > 1 {
				spread = number(r.Least, r.Unit) + " to " + number(r.Most, r.Unit)
			}
			if r.Limit > 0 {
				promise = "≤ " + number(r.Limit, r.Unit)
				if r.Median > r.Limit {
					promise += ", **missed**"
				}
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %d | %s |\n", r.Name, number(r.Median, r.Unit), spread, r.Runs, promise)
		}
	}
	return b.String() + "\n"
}

// claims are what the README says: rows of the table, ours and a peer's. What was not
// measured is not claimed.
func (all figures) claims() string {
	rows := map[string]row{}
	for _, f := range all {
		for _, r := range f.Rows {
			rows[r.Name] = r
		}
	}
	var b strings.Builder
	b.WriteString("\n| | Stet | its peer |\n|---|---|---|\n")
	for _, c := range claimed {
		ours, measured := rows[c.ours]
		theirs, compared := rows[c.theirs]
		if measured && compared {
			fmt.Fprintf(&b, "| %s | %s | %s: %s |\n", c.what, number(ours.Median, ours.Unit), c.who, number(theirs.Median, theirs.Unit))
		}
	}
	return b.String() + "\n"
}

// claimed is what the README compares, by the names of rows.
var claimed = []struct{ what, ours, who, theirs string }{
	{"a bootable server of 190 packages, from packages that are there", "server190: stet build, store empty", "mmdebstrap", "server190: mmdebstrap, without initramfs"},
	{"a server of 650 packages", "server-large: stet build, store empty", "mmdebstrap", "server-large: mmdebstrap, without initramfs"},
	{"a disk of the server", "disk of server190 from packages: stet image, store empty", "mkosi", "disk of server190 from packages: mkosi"},
	{"finding that there is nothing to do", "stet build, nothing changed", "three tasks of Ansible", "three tasks of Ansible, nothing changed"},
	{"one changed unit, on a machine that runs", "switch: one file and its unit, from outside", "Ansible", "the same by Ansible"},
	{"whether a desktop's files are what they should be", "stet drift", "debsums", "debsums --all"},
	{"in the initrd, emulated", "initrd of stet, emulated", "Debian's own", "initrd of Debian, emulated"},
}
