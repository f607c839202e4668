package source

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
)

// ofRepository are the variables by which git tells its hooks of their repository
// (git rev-parse --local-env-vars). What is asked here is asked of a directory.
var ofRepository = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
	"GIT_PREFIX", "GIT_NAMESPACE", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE", "GIT_INTERNAL_SUPER_PREFIX",
	"GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_CONFIG",
}

// OfNoRepository is an environment without what git tells its hooks by.
func OfNoRepository(environment []string) []string {
	return slices.DeleteFunc(environment, func(of string) bool {
		name, _, _ := strings.Cut(of, "=")
		return slices.Contains(ofRepository, name)
	})
}

// Git is the command that runs git in a directory: nobody is asked anything, and it
// takes no locks that a person's own git would wait for. All of Stet, and of its
// tests, runs git by it.
func Git(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "-c", "core.fsmonitor=false"}, args...)...)
	cmd.Env = append(OfNoRepository(cmd.Environ()), "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	return cmd
}

// InRepository reports whether a directory is in a repository. Without git the error
// is [exec.ErrNotFound].
func InRepository(ctx context.Context, dir string) (bool, error) {
	_, err := git(ctx, dir, "rev-parse", "--git-dir")
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return false, nil
	}
	return err == nil, err
}

// Init makes a directory, which need not be there, a repository without any commit.
func Init(ctx context.Context, dir string) error {
	_, err := git(ctx, ".", "init", "--quiet", "--initial-branch="+Branch, "--", dir)
	return err
}
