package understudy

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Where update-ca-certificates(8) finds certificates, and puts them.
const (
	certificatesList  = "/etc/ca-certificates.conf"
	certificatesFrom  = "/usr/share/ca-certificates/"
	certificatesLocal = "/usr/local/share/ca-certificates"
	certificatesDir   = "/etc/ssl/certs"
	certificatesFile  = certificatesDir + "/ca-certificates.crt"
	certificatesHooks = "/etc/ca-certificates/update.d"
)

// updateCACertificates is update-ca-certificates(8) where no certificate goes and none
// is of this machine alone: links to all that are listed, and all of them in one file.
func (c *Call) updateCACertificates() (int, error) {
	withHooks := len(c.Args) == 0
	if !withHooks && !slices.Equal(c.Args, []string{"--hooksdir", ""}) {
		return 0, errDeclined
	}
	rehash, err := exec.LookPath("openssl")
	if err != nil || exists("/sbin/restorecon") || exists(certificatesFile+".new") || !isEmpty(certificatesLocal) {
		return 0, errDeclined
	}
	listed, err := listedCertificates()
	if err != nil {
		return 0, err
	}
	var bundle, added bytes.Buffer
	var missing []string // those that have no link yet
	links := map[string]bool{}
	for _, certificate := range listed {
		text, err := os.ReadFile(certificate)
		if err != nil {
			return 0, errDeclined
		}
		bundle.Write(text)
		if len(text) > 0 && text[len(text)-1] != '\n' {
			bundle.WriteByte('\n')
		}
		link := linkOf(certificate)
		target, err := os.Readlink(link)
		if err != nil && !os.IsNotExist(err) || links[link] {
			return 0, errDeclined
		}
		links[link] = true
		if target != certificate || !exists(link) {
			missing = append(missing, certificate)
		}
	}
	for _, certificate := range missing {
		link := linkOf(certificate)
		if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
			return 0, err
		}
		if err := os.Symlink(certificate, link); err != nil {
			return 0, err
		}
		fmt.Fprintf(&added, "+%s\n", link)
	}
	if len(missing) > 0 {
		if err := removeOrphans(certificatesDir); err != nil {
			return 0, err
		}
		if err := c.start(nil, io.Discard, rehash, "rehash", "."); err != nil {
			return 0, fmt.Errorf("%w: openssl rehash: %v", ErrUnfinished, err)
		}
	}
	if len(listed) > 0 {
		if err := replaceFile(certificatesFile, bundle.Bytes()); err != nil {
			return 0, err
		}
	}
	if withHooks {
		for _, hook := range hooks() {
			if err := c.start(bytes.NewReader(added.Bytes()), c.Stdout, hook); err != nil {
				fmt.Fprintf(c.Stdout, "E: %s: %v\n", hook, err)
			}
		}
	}
	return 0, nil
}

// listedCertificates reads the list, where it is written as everybody does.
func listedCertificates() (listed []string, err error) {
	text, err := os.ReadFile(certificatesList)
	if err != nil || len(text) == 0 {
		return nil, errDeclined
	}
	for line := range strings.Lines(string(text)) {
		line, ended := strings.CutSuffix(line, "\n")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '!' || !ended || strings.Trim(line, whitespace) != line || strings.HasSuffix(line, "/") || !isFile(certificatesFrom+line):
			return nil, errDeclined
		default:
			listed = append(listed, certificatesFrom+line)
		}
	}
	return listed, nil
}

// linkOf is the name that a certificate has among all.
func linkOf(certificate string) string {
	name := filepath.Base(certificate)
	if name != ".crt" {
		name = strings.TrimSuffix(name, ".crt")
	}
	return certificatesDir + "/" + strings.NewReplacer(" ", "_", ",", "_", "(", "=", ")", "=").Replace(name) + ".pem"
}

// isEmpty reports whether nothing is in a directory, or it is not there.
func isEmpty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 0 || os.IsNotExist(err)
}

// removeOrphans removes links that lead nowhere.
func removeOrphans(dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type() == fs.ModeSymlink && !exists(name) {
			return os.Remove(name)
		}
		return err
	})
}

// hooks gives what run-parts(8) would run.
func hooks() (out []string) {
	entries, _ := os.ReadDir(certificatesHooks) // without a directory there are none
	for _, e := range entries {
		if name := certificatesHooks + "/" + e.Name(); isPlain(e.Name(), "_-") && isFile(name) && isProgram(name) {
			out = append(out, name)
		}
	}
	return out
}

// start runs a program in the directory of certificates.
func (c *Call) start(input io.Reader, output io.Writer, program string, args ...string) error {
	command := exec.Command(program, args...)
	command.Dir, command.Stdin, command.Stdout, command.Stderr = certificatesDir, input, output, c.Stderr
	return command.Run()
}

// replaceFile puts a new file in the place of an old one.
func replaceFile(name string, data []byte) error {
	made := name + ".new"
	if err := os.WriteFile(made, data, 0o644); err != nil {
		return err
	}
	if err := os.Chmod(made, 0o644); err != nil {
		return err
	}
	return os.Rename(made, name)
}
