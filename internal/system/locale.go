package system

import "strings"

// defaultLocale needs nothing: every libc has it built in.
const defaultLocale = "C.UTF-8"

// locale names the system's locale (locale.conf(5)) and lists it for
// locale-gen(8). The compiled form is a finisher's work.
func (c *composer) locale() error {
	locale := c.Machine.Locale
	if err := c.putText("/etc/locale.conf", "LANG="+locale+"\n", 0o644); err != nil {
		return err
	}
	// Debian's own direction: tmpfiles.d/debian.conf makes this link at every
	// boot where it is anything else, and that would be drift.
	if err := c.putLink("/etc/default/locale", "../locale.conf"); err != nil {
		return err
	}
	if locale == defaultLocale {
		return nil
	}
	_, charset, _ := strings.Cut(locale, ".")
	charset, _, _ = strings.Cut(charset, "@")
	return c.putText("/etc/locale.gen", locale+" "+charset+"\n", 0o644)
}

// localeParts splits "de_DE.UTF-8@euro" into what localedef(1) takes: the
// input definition "de_DE@euro", the charset "UTF-8", and the name of the
// directory in which the C library looks for it.
func localeParts(locale string) (input, charset, dir string) {
	name, rest, _ := strings.Cut(locale, ".")
	charset, modifier, _ := strings.Cut(rest, "@")
	codeset := strings.ToLower(strings.ReplaceAll(charset, "-", ""))
	if modifier != "" {
		modifier = "@" + modifier
	}
	return name + modifier, charset, name + "." + codeset + modifier
}
