package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stet/internal/debian"
	"stet/internal/signature"
)

// maxInRelease is far above sid's 200 KB.
const maxInRelease = 16 << 20

// futureSlack is how far ahead of our clock an archive's may be; APT's
// Acquire::Max-FutureTime.
const futureSlack = 10 * time.Second

// Archive is one suite of one of Debian's archives.
type Archive struct {
	Name  string // "debian" or "debian-security"
	Suite string // the directory below dists/
}

func (a Archive) inRelease() string { return "dists/" + a.Suite + "/InRelease" }

// Release is a verified Release and where it came from.
type Release struct {
	*debian.Release
	Archive Archive
	SHA256  string   // of the InRelease file, lower-case hexadecimal
	Signers []string // fingerprints of the keys whose signatures are good, sorted
	URL     string   // base URL of the mirror

	at time.Time
}

// Release reads the Release of an archive from the first place that has it.
//
// Signatures, Date and Valid-Until are judged at the given time, which is now,
// or the moment of a snapshot. A place that somebody named as a mirror and
// whose Release is bad ends the search: it must be heard of. Among the host's
// APT sources, which may hold anything, bad ones are passed over.
//
// Its typed errors are those of [signature.Verify], and [*StaleError],
// [*WrongSuiteError], [*NoSuiteError], [*UnreachableError].
func (c *Client) Release(ctx context.Context, archive Archive, at time.Time) (*Release, error) {
	var tried, absent []Attempt
	var bad error
	for _, p := range c.places(archive, at) {
		message, err := c.get(ctx, p, archive.inRelease(), maxInRelease)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			tried = append(tried, Attempt{p.base, err})
			if errors.Is(err, errAbsent) {
				absent = append(absent, Attempt{p.base, err})
			}
			continue
		}
		release, err := c.readRelease(message, archive, at)
		if err == nil {
			release.URL = p.base
			c.trust(p, archive.Suite, true)
			return release, nil
		}
		err = fmt.Errorf("%s/%s: %w", p.base, archive.inRelease(), err)
		if !p.mustVerify {
			return nil, err
		}
		if bad == nil || better(err, bad) {
			bad = err
		}
	}
	switch {
	case bad != nil:
		return nil, bad
	case len(absent) > 0:
		return nil, &NoSuiteError{archive, tried}
	}
	return nil, &UnreachableError{tried}
}

// better reports whether err says more than old: a Release by Debian's own
// keys that is out of date is worth more words than a stranger's.
func better(err, old error) bool {
	var stranger *signature.UnknownKeyError
	return errors.As(old, &stranger) && !errors.As(err, &stranger)
}

func (c *Client) readRelease(message []byte, archive Archive, at time.Time) (*Release, error) {
	signed, err := signature.Verify(message, c.keys, at)
	if err != nil {
		return nil, err
	}
	parsed, err := debian.ParseRelease(signed.Text)
	if err != nil {
		return nil, err
	}
	if archive.Suite != parsed.Suite && archive.Suite != parsed.Codename {
		return nil, &WrongSuiteError{Wanted: archive.Suite, Suite: parsed.Suite, Codename: parsed.Codename}
	}
	if parsed.Date.After(at.Add(futureSlack)) {
		return nil, &signature.FutureError{Date: parsed.Date, Now: at}
	}
	if !parsed.ValidUntil.IsZero() && at.After(parsed.ValidUntil) {
		return nil, &StaleError{Suite: archive.Suite, ValidUntil: parsed.ValidUntil, Now: at}
	}
	sum := sha256.Sum256(message)
	return &Release{
		Release: parsed, Archive: archive, at: at,
		SHA256: hex.EncodeToString(sum[:]), Signers: signed.Signers,
	}, nil
}

// Index reads the Packages index of one component and architecture. The index
// is parsed once in a lifetime and kept in the cache. Packages share memory:
// change none in place.
func (c *Client) Index(ctx context.Context, r *Release, component, architecture string) ([]*debian.Package, error) {
	base := component + "/binary-" + architecture + "/Packages"
	var file debian.ReleaseFile
	for _, ending := range []string{".xz", ".gz", ""} {
		if found, ok := r.File(base + ending); ok {
			file = found
			break
		}
	}
	if file.Path == "" {
		return nil, noIndexError(r, component, architecture)
	}
	if packages, ok := c.loadIndex(file.SHA256); ok {
		return packages, nil
	}
	plain, ok := r.File(base)
	if !ok {
		plain.Size = maxIndex
	}
	packages, err := c.fetchIndex(ctx, r, file, min(plain.Size, maxIndex))
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", file.Path, r.Archive.Suite, err)
	}
	return packages, nil
}

func noIndexError(r *Release, component, architecture string) error {
	if !slices.Contains(r.Components, component) {
		return fmt.Errorf("suite %s has no component %q; it has %s", r.Archive.Suite, component, strings.Join(r.Components, ", "))
	}
	return fmt.Errorf("suite %s has no packages for architecture %q; it has %s", r.Archive.Suite, architecture, strings.Join(r.Architectures, ", "))
}

func (c *Client) trust(p place, suite string, good bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trusted[p.base+" "+suite] = good
}

// counts reports whether p may be asked for packages of archive: it was named
// as a mirror, or it has a Release that our keys signed, at whatever time.
func (c *Client) counts(ctx context.Context, p place, archive Archive) (bool, error) {
	if !p.mustVerify {
		return true, nil
	}
	c.mu.Lock()
	good, known := c.trusted[p.base+" "+archive.Suite]
	c.mu.Unlock()
	if known {
		return good, nil
	}
	message, err := c.get(ctx, p, archive.inRelease(), maxInRelease)
	if errors.Is(err, errAbsent) {
		c.trust(p, archive.Suite, false)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = signature.Verify(message, c.keys, time.Time{})
	c.trust(p, archive.Suite, err == nil)
	return err == nil, nil
}
