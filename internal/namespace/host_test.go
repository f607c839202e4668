package namespace

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

func files(list ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(list); i += 2 {
		out[list[i]] = &fstest.MapFile{Data: []byte(list[i+1])}
	}
	return out
}

func TestIDsAreMappedFromTheUsersRanges(t *testing.T) {
	for name, c := range map[string]struct{ subuid, want string }{
		"one range":         {"bob:100000:65536\nada:165536:65536\n", "0 1000 1 1 165536 65535"},
		"by number":         {"1000:165536:65536\n", "0 1000 1 1 165536 65535"},
		"just enough":       {"ada:165536:65535\n", "0 1000 1 1 165536 65535"},
		"two ranges":        {"ada:200000:1000\nada:300000:65536\n", "0 1000 1 1 200000 1000 1001 300000 64535"},
		"a large range":     {"ada:200000:1000000\n", "0 1000 1 1 200000 65535"},
		"lines of nonsense": {"# ada\n\nada\nada:x:y\nada:-1:5\nada:1:99999999999\nada:7:65536", "0 1000 1 1 7 65535"},
	} {
		h := host{files: files("etc/subuid", c.subuid, "etc/subgid", "ada:500000:65536\n"), user: "ada", uid: 1000}
		maps, err := h.maps(100)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if have := strings.Join(maps[0], " "); have != c.want {
			t.Errorf("%s: have %s, want %s", name, have, c.want)
		}
		if want := []string{"0", "100", "1", "1", "500000", "65535"}; !slices.Equal(maps[1], want) {
			t.Errorf("%s: groups are %s", name, maps[1])
		}
	}
}

func TestMissingRangesAreToldWithTheLineToAdd(t *testing.T) {
	const line = "ada:100000:65536\n"
	for name, c := range map[string]struct {
		files          fstest.MapFS
		reason, remedy string
	}{
		"no file":       {files(), "/etc/subuid gives the user ada no subordinate ids", "as root: echo ada:100000:65536 >> /etc/subuid"},
		"somebody else": {files("etc/subuid", "bob:100000:65536\n"), "no subordinate ids", "echo ada:165536:65536 >> /etc/subuid"},
		"no groups":     {files("etc/subuid", line, "etc/subgid", "bob:100000:131072\n"), "/etc/subgid", "echo ada:231072:65536 >> /etc/subgid"},
		"too few":       {files("etc/subuid", "ada:100000:1000\n"), "1000 subordinate ids, and 65535 are needed", "echo ada:101000:65536 >> /etc/subuid"},
	} {
		_, err := host{files: c.files, user: "ada", uid: 1000}.maps(1000)
		forbidden(t, name, err, c.reason, c.remedy)
	}
}

func TestTheSettingThatForbidsIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		files          fstest.MapFS
		err            error
		reason, remedy string
	}{
		"Debian's switch": {files("proc/sys/kernel/unprivileged_userns_clone", "0\n"), unix.EPERM, "root only", "sysctl -w kernel.unprivileged_userns_clone=1"},
		"none at all":     {files("proc/sys/user/max_user_namespaces", "0\n"), unix.ENOSPC, "no user namespaces", "sysctl -w user.max_user_namespaces=15000"},
		"AppArmor":        {files("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n"), unix.EACCES, "AppArmor", "profile"},
		"too many":        {files("proc/sys/user/max_user_namespaces", "9\n"), unix.ENOSPC, "too many", "user.max_user_namespaces"},
		"the kernel":      {files(), unix.EINVAL, "this kernel", "as root"},
		"a container":     {files("proc/sys/kernel/unprivileged_userns_clone", "1\n"), unix.EPERM, "operation not permitted", "container"},
	} {
		forbidden(t, name, host{files: c.files, user: "ada", uid: 1000}.explain(c.err), c.reason, c.remedy)
	}
}

func forbidden(t *testing.T, name string, err error, reason, remedy string) {
	t.Helper()
	var f *ForbiddenError
	if !errors.As(err, &f) || !strings.Contains(f.Reason, reason) || !strings.Contains(f.Remedy, remedy) {
		t.Errorf("%s: have %#v, want %q and %q", name, err, reason, remedy)
	}
}

func FuzzRanges(f *testing.F) {
	f.Add("ada:100000:65536\n")
	f.Add("ada:::\x00")
	f.Fuzz(func(t *testing.T, text string) {
		h := host{files: files("etc/subuid", text, "etc/subgid", text), user: "ada", uid: 1000}
		maps, err := h.maps(1000)
		if err == nil && (len(maps[0]) < 6 || len(maps[0])%3 != 0) {
			t.Errorf("%q: %v", text, maps)
		}
	})
}
