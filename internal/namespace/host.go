package namespace

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ids is how many ids a root has: Debian's own end with 65535 (Debian Policy
// 9.2.2).
const ids = 1 << 16

// firstRange is where the first range of subordinate ids begins that
// useradd(8) gives.
const firstRange = 100_000

// ForbiddenError says what of the host is in the way, and what its
// administrator can do.
type ForbiddenError struct{ Reason, Remedy string }

// Error implements error.
func (e *ForbiddenError) Error() string {
	return "building as an ordinary user: " + e.Reason
}

// host is the user, and what the host has written down.
type host struct {
	files fs.FS // the host's root
	user  string
	uid   int
}

// maps gives the arguments of newuidmap(1) and newgidmap(1): root is the user,
// everybody else is one of the user's subordinate ids.
func (h host) maps(gid int) ([2][]string, error) {
	var out [2][]string
	for i, kind := range []struct {
		file string
		self int
	}{{"etc/subuid", h.uid}, {"etc/subgid", gid}} {
		ranges, end, err := h.ranges(kind.file)
		if err != nil {
			return out, err
		}
		args := []string{"0", strconv.Itoa(kind.self), "1"}
		next := 1
		for _, r := range ranges {
			count := min(r.count, ids-next)
			if count > 0 {
				args = append(args, strconv.Itoa(next), strconv.Itoa(r.first), strconv.Itoa(count))
				next += count
			}
		}
		if next < ids {
			reason := fmt.Sprintf("/%s gives the user %s no subordinate ids", kind.file, h.user)
			if next > 1 {
				reason = fmt.Sprintf("/%s gives the user %s %d subordinate ids, and %d are needed", kind.file, h.user, next-1, ids-1)
			}
			return out, &ForbiddenError{Reason: reason, Remedy: fmt.Sprintf("as root: echo %s:%d:%d >> /%s", h.user, end, ids, kind.file)}
		}
		out[i] = args
	}
	return out, nil
}

// idRange is a line of subuid(5) or subgid(5).
type idRange struct{ first, count int }

// ranges gives those of the user, and the first id behind everybody's. Lines
// that are no ranges are passed over, as newuidmap(1) does.
func (h host) ranges(name string) (own []idRange, end int, err error) {
	text, err := fs.ReadFile(h.files, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("read the subordinate ids: %w", err)
	}
	end = firstRange
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(fields) != 3 {
			continue
		}
		first, err := strconv.ParseUint(fields[1], 10, 31)
		if err != nil {
			continue
		}
		count, err := strconv.ParseUint(fields[2], 10, 31)
		if err != nil {
			continue
		}
		end = max(end, int(first+count))
		if fields[0] == h.user || fields[0] == strconv.Itoa(h.uid) {
			own = append(own, idRange{int(first), int(count)})
		}
	}
	return own, end, nil
}

// settings are those that forbid a user namespace: the value that does, and
// the command that changes it.
var settings = []struct{ file, forbids, reason, remedy string }{
	{
		"kernel/unprivileged_userns_clone", "0", "the host allows user namespaces to root only (kernel.unprivileged_userns_clone)",
		"as root: sysctl -w kernel.unprivileged_userns_clone=1, and the same in a file of /etc/sysctl.d for the next boot",
	},
	{
		"user/max_user_namespaces", "0", "the host allows no user namespaces (user.max_user_namespaces)",
		"as root: sysctl -w user.max_user_namespaces=15000, and the same in a file of /etc/sysctl.d for the next boot",
	},
	{
		"kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor lets no program without a profile use user namespaces (kernel.apparmor_restrict_unprivileged_userns)",
		"as root, give stet a profile: the guide's page \"As an ordinary user\" has it; or: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
	},
}

// explain names the setting that made err.
func (h host) explain(err error) error {
	for _, s := range settings {
		value, readErr := fs.ReadFile(h.files, "proc/sys/"+s.file)
		if readErr == nil && strings.TrimSpace(string(value)) == s.forbids {
			return &ForbiddenError{s.reason, s.remedy}
		}
	}
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
		return &ForbiddenError{"there are too many user namespaces, or too many in one another", "as root: raise the sysctl user.max_user_namespaces"}
	case errors.Is(err, unix.EINVAL):
		return &ForbiddenError{"this kernel has no user namespaces", "run stet as root"}
	}
	return &ForbiddenError{
		fmt.Sprintf("the host forbids user namespaces: %v", err),
		"in a container, allow the system calls unshare, mount and pivot_root; or run stet as root",
	}
}
