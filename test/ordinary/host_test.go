package ordinary_test

import (
	"path/filepath"
	"strings"
	"testing"

	"stet/test/program"
)

// limited puts a user namespace between the host and the user, whose limit of
// further ones can be set without changing the host's.
const limited = `mkfifo /mnt/go
unshare --user sh -c 'read go < /mnt/go; exec sh -c "
	echo 0 > /proc/sys/user/max_user_namespaces
	exec setpriv --reuid=4242 --regid=4242 --clear-groups \"\$@\"" sh "$@"' sh "$@" &
until [ "$(readlink /proc/$!/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.01; done
echo 0 0 300000 > /proc/$!/uid_map
echo 0 0 300000 > /proc/$!/gid_map
echo > /mnt/go
wait $!
exit $?`

// TestHostsThatForbidIt says what is in the way, and what changes it.
func TestHostsThatForbidIt(t *testing.T) {
	p := program.Example(t, "minimal")
	home := t.TempDir()
	p.Path = copied(t, p.Path, home)
	give(t, home)
	give(t, p.Dir)
	p = p.With("STET_STORE=" + filepath.Join(home, "store"))
	for name, c := range map[string]struct {
		host  string
		words []string
	}{
		"no subordinate users":  {": > /etc/subuid", []string{"/etc/subuid", "echo ada:100000:65536 >> /etc/subuid"}},
		"no subordinate groups": {"echo bob:100000:65536 > /etc/subgid", []string{"/etc/subgid", "echo ada:165536:65536 >> /etc/subgid"}},
		"too few":               {"echo ada:100000:10 > /etc/subuid", []string{"10 subordinate ids"}},
		"no newuidmap":          {"mount --bind /dev/null $(command -v newuidmap)", []string{"newuidmap", "apt-get install uidmap"}},
		"no newgidmap":          {"mount --bind /dev/null $(command -v newgidmap)", []string{"newgidmap", "apt-get install uidmap"}},
		"newuidmap refuses":     {"mount -o remount,bind,nosuid / 2>/dev/null || mount --bind -o nosuid /usr /usr; mount -o remount,bind,nosuid /usr 2>/dev/null || true", []string{"newuidmap", "--reinstall uidmap"}},
		"no user namespaces":    {limited, []string{"user.max_user_namespaces", "sysctl -w"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := as(p, home, c.host).Run(t, "build")
			said := strings.TrimSpace(r.Stderr)
			t.Log(said)
			if r.Code != 1 || strings.Count(said, "\n") > 3 || !strings.Contains(said, "building as an ordinary user") {
				t.Errorf("exit code %d", r.Code)
			}
			for _, word := range c.words {
				if !strings.Contains(said, word) {
					t.Errorf("it does not say %q", word)
				}
			}
		})
	}
}
