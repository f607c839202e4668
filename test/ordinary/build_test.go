package ordinary_test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/layout"
	"stet/internal/mirror/mirrortest"
	"stet/test/loopback"
	"stet/test/program"
)

// strange is a package whose script leaves what is hard to keep without being
// root. Perl's numbers of system calls are those of amd64; 188 is setxattr(2).
var strange = mirrortest.Deb{
	Name: "strange",
	Files: map[string]string{
		"/usr/bin/strange": "#!/bin/sh\nexit 0\n", "/usr/bin/strange-set": "#!/bin/sh\nexit 1\n",
		"/usr/lib/strange/old/one": "one\n", "/usr/lib/strange/old/two": "two\n", "/usr/lib/strange/gone": "",
	},
	Scripts: map[string]string{"postinst": `#!/bin/sh
set -e
cd /usr/lib/strange
perl -e '
	for (["/usr/bin/strange", "security.capability", pack("V5", 0x02000001, 1 << 13, 0, 0, 0)], ["/usr/lib/strange/old/two", "user.note", "kept"]) {
		my ($file, $name, $value) = @$_;
		syscall(188, $file, $name, $value, length $value, 0) == 0 or die "$file: $!";
	}'
chown games:mail /usr/bin/strange-set
chmod 6755 /usr/bin/strange-set
mv old new
rm gone
mkdir -m 1777 drop
mkfifo -m 620 pipe
ln new/one hard
ln -s nowhere soft
chown -h nobody soft
touch -d '2001-02-03 04:05:06.789' drop/dated
echo text > drop/text
chown 65534:65533 drop/text
mkdir merged
cp -a new/. merged
`},
}

// TestTheSameBytesAsRoot locks and builds as a user, and builds once more as
// root.
func TestTheSameBytesAsRoot(t *testing.T) {
	w := loopback.New(t, strange)
	w.Want(t, strange.Name)
	w.Serve(t)
	home := t.TempDir()
	theirs := w.In(t, filepath.Join(home, "store"))
	repository := filepath.Join(home, "repository")
	if err := os.CopyFS(repository, os.DirFS(w.Stet.Dir)); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Dir(w.Store)
	ada := theirs.Stet
	ada.Path, ada.Dir = copied(t, ada.Path, home), repository
	give(t, home)
	give(t, keys)
	ada = as(ada, home, "")

	ada.Must(t, "lock")
	made := ada.Build(t)
	ours := w.Stet
	ours.Dir = filepath.Join(t.TempDir(), "repository")
	if err := os.CopyFS(ours.Dir, os.DirFS(repository)); err != nil {
		t.Fatal(err)
	}
	ours.Must(t, "fetch")
	want := ours.Build(t)
	if made.Reused || want.Reused {
		t.Fatal("a store was not empty")
	}
	if made.Digest != want.Digest {
		t.Errorf("the user builds %s, root %s", made.Digest, want.Digest)
	}
	for _, name := range slices.Sorted(maps.Keys(want.Images)) {
		sameFile(t, name, made.Images[name], want.Images[name])
	}
	for _, pair := range [][2]string{{made.Initrd, want.Initrd}, {made.Kernel, want.Kernel}, {made.Manifest, want.Manifest}} {
		sameFile(t, "file", pair[0], pair[1])
	}
	t.Run("image", func(t *testing.T) {
		var images [2]string
		for i, p := range []program.Program{ada, ours} {
			images[i] = filepath.Join(p.Dir, "image.qcow2")
			p.Must(t, "image", "--format", "qcow2", "-o", images[i])
		}
		if out, err := exec.Command("cmp", images[0], images[1]).CombinedOutput(); err != nil {
			t.Errorf("the user's image is another one: %v\n%s", err, out)
		}
	})
	t.Run("nothing is left half-done", func(t *testing.T) {
		left, err := os.ReadDir(filepath.Join(theirs.Store, "tmp"))
		if err != nil || len(left) > 0 {
			t.Errorf("%d entries are left in tmp: %v", len(left), err)
		}
	})
	t.Run("a shell among packages", func(t *testing.T) {
		said := ada.Must(t, "shell", "-p", strange.Name, "--", "stat", "-c", "%a %u:%g", "/usr/bin/strange-set").Stdout
		if said != "6755 5:8\n" {
			t.Errorf("it says %q", said)
		}
	})
	t.Run("a /proc that is covered in part", func(t *testing.T) {
		r := as(ada, home, "mount --bind /dev/null /proc/uptime").Run(t, "shell", "--", "true")
		if r.Code != 1 || !strings.Contains(r.Stderr, "unmask=ALL") {
			t.Errorf("exit code %d: %s", r.Code, r.Stderr)
		}
	})
	t.Run("shell", func(t *testing.T) { sameShell(t, ada, ours) })
	t.Run("no content is copied where the kernel finds it", func(t *testing.T) {
		follows, err := layout.FollowsRedirects(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		copied, err := filepath.Glob(filepath.Join(theirs.Store, "laidout", "*-copied"))
		if err != nil || follows == (len(copied) > 0) {
			t.Errorf("%d trees are copies: %v", len(copied), err)
		}
	})
}

func sameFile(t *testing.T, name, a, b string) {
	t.Helper()
	before, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(before) == 0 || !bytes.Equal(before, after) {
		t.Errorf("%s: %s (%d bytes) and %s (%d bytes) differ", name, a, len(before), b, len(after))
	}
}

// everything lists every path with its owner, mode and time.
const everything = `find /usr /etc /var /home /srv /opt -mindepth 1 -type d -printf '%p %m %U:%G %T@\n' -o -mindepth 1 -printf '%p %y %m %U:%G %T@ %n %s %l\n'`

// inside is what a shell is asked beside that: what is special about the files
// of the strange package, and what can be written.
const inside = `id -u; id -G
stat -c '%n %a %u:%g %Y' /usr/bin/strange* /usr/lib/strange/* /usr/lib/strange/drop/*
perl -e 'my ($f, $k, $v) = ("/usr/bin/strange", "security.capability", " " x 64); my $n = syscall(191, $f, $k, $v, 64); print unpack("H*", substr($v, 0, $n)), "\n"'
cat /usr/lib/strange/new/one /usr/lib/strange/hard
touch /usr/here || echo /usr cannot be written
touch /etc/here && ls /etc/here
su games -s /bin/sh -c 'id -un; cat /etc/shadow || echo nor shadow be read'
exit 9
`

// sameShell asks the shells of both the same.
func sameShell(t *testing.T, ada, root program.Program) {
	theirs, ours := listed(t, ada), listed(t, root)
	for line := range theirs {
		if !ours[line] {
			t.Errorf("only the user has %s", line)
		}
	}
	for line := range ours {
		if !theirs[line] {
			t.Errorf("only root has %s", line)
		}
	}
	if len(ours) < 5000 {
		t.Errorf("there are only %d paths", len(ours))
	}
	var said [2]string
	for i, p := range []program.Program{ada, root} {
		r := p.Run(t, "shell", "--", "sh", "-c", inside)
		if r.Code != 9 {
			t.Fatalf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
		}
		said[i] = r.Stdout
	}
	if said[0] != said[1] {
		t.Errorf("the user's shell says\n%s\nroot's says\n%s", said[0], said[1])
	}
	for _, want := range []string{
		"/usr/bin/strange-set 6755 5:8 ", "0100000200200000000000000000000000000000\n", "one\none\n",
		"/usr cannot be written\n", "/etc/here\n", "games\nnor shadow be read\n",
	} {
		if !strings.Contains(said[0], want) {
			t.Errorf("it does not say %q:\n%s", want, said[0])
		}
	}
	if r := ada.Run(t, "shell", "--", "true"); r.CPU > time.Second {
		t.Errorf("the user's next shell takes %s, %s of it on a CPU", r.Took, r.CPU)
	}
}

func listed(t *testing.T, p program.Program) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for line := range strings.Lines(p.Must(t, "shell", "--", "sh", "-c", everything).Stdout) {
		out[line] = true
	}
	return out
}
