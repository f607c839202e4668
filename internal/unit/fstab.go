package unit

import (
	"path"
	"slices"
	"strings"
)

// generated is where systemd's generators put what they make.
const generated = "/run/systemd/generator"

// Fstab gives the files that systemd-fstab-generator(8) makes of a fstab(5), by
// path, as far as a difference between two can mean anything to a machine: the
// units, and what pulls them in. Lines that are no entries are passed over.
func Fstab(text string) map[string]File {
	files := map[string]File{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 3 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		e := tableEntry{what: device(unquote(fields[0])), where: unquote(fields[1]), kind: fields[2]}
		if len(fields) > 3 && fields[3] != "defaults" {
			e.options = unquote(fields[3])
		}
		e.generate(files)
	}
	return files
}

// tableEntry is one line of fstab(5).
type tableEntry struct{ what, where, kind, options string }

// has looks for an option.
func (e tableEntry) has(option string) bool {
	return slices.Contains(strings.Split(e.options, ","), option)
}

func (e tableEntry) generate(files map[string]File) {
	const head = "[Unit]\nSourcePath=/etc/fstab\n"
	name, target := Escape(e.where)+".mount", "local-fs.target"
	switch {
	case e.kind == "swap":
		name, target = Escape(e.what)+".swap", "swap.target"
		files[generated+"/"+name] = Text(head + "[Swap]\nWhat=" + e.what + "\nOptions=" + e.options + "\n")
	case !strings.HasPrefix(e.where, "/"):
		return
	default:
		files[generated+"/"+name] = Text(head + "[Mount]\nWhat=" + e.what + "\nWhere=" + path.Clean(e.where) + "\nType=" + e.kind + "\nOptions=" + e.options + "\n")
		if e.has("_netdev") || slices.Contains([]string{"nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "9p"}, e.kind) {
			target = "remote-fs.target"
		}
	}
	if e.kind != "swap" && (e.has("x-systemd.automount") || e.has("comment=systemd.automount")) {
		name = Escape(e.where) + ".automount"
		files[generated+"/"+name] = Text(head + "[Automount]\nWhere=" + path.Clean(e.where) + "\n")
	} else if e.has("noauto") {
		return
	}
	pull := ".requires/"
	if e.has("nofail") {
		pull = ".wants/"
	}
	files[generated+"/"+target+pull+name] = File{Link: "../" + name}
}

// device is where udev has what a tag names.
func device(what string) string {
	for tag, dir := range map[string]string{"UUID=": "uuid", "LABEL=": "label", "PARTUUID=": "partuuid", "PARTLABEL=": "partlabel"} {
		if value, ok := strings.CutPrefix(what, tag); ok {
			return "/dev/disk/by-" + dir + "/" + strings.Trim(value, `"`)
		}
	}
	return what
}

// unquote puts characters in the place of their octal numbers, as getmntent(3)
// does.
func unquote(field string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(field)
}
