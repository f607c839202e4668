package gc

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/verity"
)

// process makes one in a directory that stands for /proc.
func process(t *testing.T, proc, pid, mountinfo string) {
	t.Helper()
	dir := filepath.Join(proc, pid)
	err := errors.Join(os.MkdirAll(filepath.Join(dir, "ns"), 0o755), os.Symlink("mnt:["+pid+"]", filepath.Join(dir, "ns/mnt")),
		os.WriteFile(filepath.Join(dir, "mountinfo"), []byte(mountinfo), 0o644), os.WriteFile(filepath.Join(dir, "maps"), nil, 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsMountedSomewhereIsUsed(t *testing.T) {
	proc := t.TempDir()
	usr, etc := verity.Digest{1}, verity.Digest{2}
	process(t, proc, "1", "30 1 0:27 / /usr ro,nodev - overlay stet:usr:"+usr.String()+" ro,lowerdir+=/newroot/stet,metacopy=on\n"+
		"31 1 254:1 / /home rw - ext4 /dev/vda1 rw\n")
	process(t, proc, "70", "40 1 0:28 / /etc rw - overlay stet:etc:"+etc.String()+" rw,upperdir=/newroot/stet/state/etc/7.partial/upper,workdir=/newroot/stet/state/etc/7.partial/work\nbroken\n")
	process(t, proc, "80", "40 1 0:29 / /x rw - overlay stet:build rw\n")
	if err := os.MkdirAll(filepath.Join(proc, "sys"), 0o755); err != nil {
		t.Fatal(err)
	}
	use, err := Living(proc)
	if err != nil {
		t.Fatal(err)
	}
	if len(use.Images) != 2 || use.Images[usr] != 1 || use.Images[etc] != 70 || !use.Uppers["7"] || use.Detached != 0 {
		t.Errorf("%+v", use)
	}
}

// A program goes on after its tree was replaced: then no mount names the tree.
func TestAProcessOfATreeThatIsMountedNowhere(t *testing.T) {
	dir := t.TempDir()
	script := `
mount --make-rprivate /
cd "$1" && mkdir lower upper work at && cp /bin/sleep lower/
mount -t overlay stet:usr:x -o lowerdir=lower,upperdir=upper,workdir=work at
at/sleep 60 >/dev/null 2>&1 & echo $!
until [[ $(readlink /proc/$!/exe) == */at/sleep ]]; do sleep 0.01; done
umount -l at
`
	command := exec.Command("unshare", "-m", "bash", "-ec", script, "bash", dir)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	pid := strings.TrimSpace(string(out))
	defer func() { _ = exec.Command("kill", pid).Run() }()
	use, err := Living("/proc")
	if err != nil {
		t.Fatal(err)
	}
	if use.Detached == 0 {
		t.Errorf("process %s runs from a tree that is mounted nowhere, and nobody noticed: %+v", pid, use)
	}
}
