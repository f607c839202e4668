package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Commit is where a configuration stands in its history. The zero Commit
// stands for a directory that is not in a repository, or has no commit yet.
type Commit struct {
	ID      string `json:"commit,omitempty"`      // full object name
	Date    string `json:"commit_date,omitempty"` // of the committer, RFC 3339
	Subject string `json:"subject,omitempty"`
	Dirty   bool   `json:"dirty"` // files differ from the commit, or git does not know them
}

// IsClean reports whether files are what a commit says.
func (c Commit) IsClean() bool { return c.ID != "" && !c.Dirty }

// Describe asks git about the repository that dir is in.
func Describe(ctx context.Context, dir string) (Commit, error) {
	var asked errgroup.Group // at once: git takes longer to start than to answer
	var status, head []byte
	var noHead error
	asked.Go(func() (err error) {
		status, err = git(ctx, dir, "status", "--porcelain", "-z", "--untracked-files=normal", "--", ".")
		return err
	})
	asked.Go(func() error {
		head, noHead = git(ctx, dir, "log", "-1", "--format=%H%x00%cI%x00%s")
		return nil
	})
	err := asked.Wait()
	var exit *exec.ExitError
	if errors.Is(err, exec.ErrNotFound) || errors.As(err, &exit) {
		return Commit{}, nil // no git, or no repository
	}
	if err != nil {
		return Commit{}, err
	}
	c := Commit{Dirty: len(status) > 0}
	if errors.As(noHead, &exit) {
		return c, nil // no commit yet
	}
	if noHead != nil {
		return c, noHead
	}
	fields := strings.SplitN(strings.TrimSuffix(string(head), "\n"), "\x00", 3)
	if len(fields) != 3 {
		return c, fmt.Errorf("git log in %s: cannot read %q", dir, head)
	}
	c.ID, c.Date, c.Subject = fields[0], fields[1], fields[2]
	return c, nil
}

// Find gives the full name of the commit that a person means; "" when the
// repository has none of that name.
func Find(ctx context.Context, dir, name string) (string, error) {
	id, err := git(ctx, dir, "rev-parse", "--quiet", "--verify", "--end-of-options", name+"^{commit}")
	var exit *exec.ExitError
	if errors.Is(err, exec.ErrNotFound) || errors.As(err, &exit) {
		return "", nil
	}
	return strings.TrimSpace(string(id)), err
}

// Export lays out in the directory to what a commit has of dir, which is in a
// repository. The repository's own index is not touched.
func Export(ctx context.Context, dir, commit, to string) error {
	place, err := git(ctx, dir, "rev-parse", "--show-prefix", "--show-toplevel")
	if err != nil {
		return err
	}
	prefix, top, _ := strings.Cut(strings.TrimSuffix(string(place), "\n"), "\n")
	index := filepath.Join(to, ".index")
	defer os.Remove(index)
	for _, args := range [][]string{
		{"read-tree", commit + ":" + prefix},
		{"checkout-index", "--all", "--prefix=" + to + "/"},
	} {
		cmd := Git(ctx, top, args...)
		cmd.Env = append(cmd.Env, "GIT_INDEX_FILE="+index)
		if err := run(cmd); err != nil {
			return err
		}
	}
	return nil
}

// Untracked are those of the files in dir that git does not know, ignored ones
// too. Without git or a repository there are none.
func Untracked(ctx context.Context, dir string, files []string) ([]string, error) {
	out, err := git(ctx, dir, append([]string{"ls-files", "-z", "--"}, literal(files)...)...)
	var exit *exec.ExitError
	if errors.Is(err, exec.ErrNotFound) || errors.As(err, &exit) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	known := strings.Split(string(out), "\x00")
	return slices.DeleteFunc(slices.Clone(files), func(name string) bool { return slices.Contains(known, name) }), nil
}

// Committed says whether the last commit has a file of dir as it is now.
func Committed(ctx context.Context, dir, file string) (bool, error) {
	untracked, err := Untracked(ctx, dir, []string{file})
	if err != nil || len(untracked) > 0 {
		return false, err
	}
	_, err = git(ctx, dir, "diff", "--quiet", "HEAD", "--", literal([]string{file})[0])
	var exit *exec.ExitError
	if errors.Is(err, exec.ErrNotFound) || errors.As(err, &exit) {
		return false, nil // it differs, or there is no commit, repository or git
	}
	return err == nil, err
}

// literal keeps git from seeing patterns in names.
func literal(files []string) []string {
	all := make([]string, len(files))
	for i, name := range files {
		all[i] = ":(literal)" + name
	}
	return all
}

// Line is what git knows of one line of a file. The zero Line stands for one
// that no commit has: it is new, or changed, or not in a repository.
type Line struct {
	ID      string `json:"commit,omitempty"` // full object name
	Date    string `json:"date,omitempty"`   // of the author, RFC 3339
	Author  string `json:"author,omitempty"`
	Subject string `json:"subject,omitempty"`

	Unasked bool `json:"-"` // git is not installed
}

// Blame asks git which commit a line of a file in dir, as it is now, comes
// from. Lines count from 1.
func Blame(ctx context.Context, dir, file string, line int) (Line, error) {
	return blame(ctx, dir, file, line)
}

// BlameAt asks which commit a line of a file in dir, as a commit has it, comes from.
func BlameAt(ctx context.Context, dir, commit, file string, line int) (Line, error) {
	return blame(ctx, dir, file, line, commit)
}

func blame(ctx context.Context, dir, file string, line int, commit ...string) (Line, error) {
	span := fmt.Sprintf("%d,%d", line, line)
	out, err := git(ctx, dir, slices.Concat([]string{"blame", "--porcelain", "-L", span}, commit, []string{"--", file})...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return Line{}, nil // no repository, or a file that git does not know
	}
	if errors.Is(err, exec.ErrNotFound) {
		return Line{Unasked: true}, nil
	}
	if err != nil {
		return Line{}, err
	}
	var l Line
	id, _, _ := strings.Cut(string(out), " ")
	if strings.Trim(id, "0") == "" {
		return Line{}, nil // not committed yet
	}
	l.ID = id
	var seconds int64
	zone := time.UTC
	for text := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(text, "\n"), " ")
		switch key {
		case "author":
			l.Author = value
		case "author-time":
			seconds, _ = strconv.ParseInt(value, 10, 64)
		case "author-tz":
			if at, err := time.Parse("-0700", value); err == nil {
				zone = at.Location()
			}
		case "summary":
			l.Subject = value
		}
	}
	l.Date = time.Unix(seconds, 0).In(zone).Format(time.RFC3339)
	return l, nil
}

// Bundle writes the repository's history up to its head as a git bundle
// (git-bundle(1)), from which "git clone" makes the repository again. Of one
// commit, the bytes are the same everywhere.
func Bundle(ctx context.Context, dir string, w io.Writer) error {
	p, err := makePack(ctx, dir)
	if err != nil {
		return err
	}
	return p.bundle(w)
}

func git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	var out bytes.Buffer
	cmd := Git(ctx, dir, args...)
	cmd.Stdout = &out
	err := run(cmd)
	return out.Bytes(), err
}

func run(cmd *exec.Cmd) error {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// CommitFiles commits files of the repository that dir is in, and nothing else that
// may be staged there; it gives the commit.
func CommitFiles(ctx context.Context, dir string, files []string, message string) (string, error) {
	if _, err := git(ctx, dir, append([]string{"add", "--"}, literal(files)...)...); err != nil {
		return "", err
	}
	if _, err := git(ctx, dir, append([]string{"commit", "--quiet", "--message", message, "--"}, literal(files)...)...); err != nil {
		return "", err
	}
	return Find(ctx, dir, "HEAD")
}
