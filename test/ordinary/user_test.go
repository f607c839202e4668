package ordinary_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/test/loopback"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	loopback.Main()
	os.Exit(m.Run())
}

// The user.
const (
	userName = "ada"
	userID   = 4242
)

// become makes the user known in this mount namespace, and turns into the user.
const become = `set -e
mount -t tmpfs none /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
echo ada:x:4242:4242::/nonexistent:/bin/sh >> /etc/passwd
echo ada:x:4242: >> /etc/group
echo ada:200000:65536 > /etc/subuid
echo ada:200000:65536 > /etc/subgid
HOST
exec setpriv --reuid=4242 --regid=4242 --groups=4242,4300,4301 "$@"
`

// as gives the program as the user runs it, on a host that a line of shell has
// changed. Everything in home is the user's.
func as(p program.Program, home, host string) program.Program {
	p.Prefix = []string{"unshare", "--mount", "sh", "-c", strings.Replace(become, "HOST", host, 1), "sh"}
	return p.With("HOME="+home, "USER="+userName, "LOGNAME="+userName, "XDG_CACHE_HOME=")
}

// give makes everything below dir the user's, and lets the user get there.
func give(t *testing.T, dir string) {
	t.Helper()
	for up := filepath.Dir(dir); up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, userID, userID)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// copied gives a copy of the program that the user may run: go test keeps its
// own where only root can go.
func copied(t *testing.T, path, home string) string {
	t.Helper()
	name := filepath.Join(home, "stet")
	copyFile(t, path, name, 0o755)
	return name
}

// giveDebs copies what was fetched: a link would give the file itself away.
func giveDebs(t *testing.T, p program.Program, store string) {
	t.Helper()
	for _, locked := range program.ReadLock(t, p.Dir).Packages {
		if !locked.Synthetic {
			copyFile(t, program.Deb(p.Store(t), locked), program.Deb(store, locked), 0o600)
		}
	}
}

func copyFile(t *testing.T, from, to string, mode fs.FileMode) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, mode); err != nil {
		t.Fatal(err)
	}
}
