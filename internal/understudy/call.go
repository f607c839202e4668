package understudy

import (
	"errors"
	"io"
	"os"
	"strings"
)

// Call is one call of a program.
type Call struct {
	Args   []string // without the program's own name
	Getenv func(string) string
	Stdout io.Writer
	Stderr io.Writer
}

// errDeclined is a call that the packaged program has to carry out.
var errDeclined = errors.New("not of the plain form")

// ErrUnfinished is a call that could not be carried out to its end, nor be
// handed over any more: all that scripts did has to be done again without
// understudies.
var ErrUnfinished = errors.New("begun, but for the packaged program to do")

// programs has the understudies by the base names of the packaged programs.
var programs = map[string]func(*Call) (int, error){
	"deb-systemd-helper":      (*Call).debSystemdHelper,
	"dpkg-maintscript-helper": (*Call).maintscriptHelper,
	"frontend":                (*Call).frontend,
	"ucf":                     (*Call).ucf,
	"update-ca-certificates":  (*Call).updateCACertificates,
	"ucfr":                    (*Call).ucfr,
	"phpenmod":                (*Call).phpenmod,
	"phpquery":                (*Call).phpquery,
	"fc-cache":                (*Call).fcCache,
	"mandb":                   (*Call).nothing,
	"vlc-cache-gen":           (*Call).nothing,
	"postconf":                (*Call).postconf,
}

// Run carries out a call of the program with the given base name and gives its
// exit status. It reports false when the packaged program has to do it.
func (c *Call) Run(program string) (status int, done bool, err error) {
	run, ok := programs[program]
	if !ok {
		return 0, false, nil
	}
	status, err = run(c)
	if errors.Is(err, errDeclined) && !errors.Is(err, ErrUnfinished) {
		return 0, false, nil
	}
	return status, true, err
}

// isPlain reports whether a word has nothing but letters, digits and others of
// ASCII that are given.
func isPlain(word, others string) bool {
	for _, c := range []byte(word) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return word != ""
}

// The tests of files that perl and the shell have: -e, -f, -d, -l and -x.

func exists(name string) bool { _, err := os.Stat(name); return err == nil }

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func isLink(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Mode()&os.ModeSymlink != 0
}

func isProgram(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode()&0o111 != 0
}
