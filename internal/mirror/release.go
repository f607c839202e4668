package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"stet/internal/debian"
	"stet/internal/signature"
)

// maxInRelease is far above sid's 200 KB.
const maxInRelease = 16 << 20

// futureSlack is how far ahead of our clock an archive's may be; APT's
// Acquire::Max-FutureTime.
const futureSlack = 10 * time.Second

// Release is a verified Release and where it came from.
type Release struct {
	*debian.Release
	Archive Archive
	SHA256  string   // of the InRelease file, or of Release where it has none; lower-case hexadecimal
	Signers []string // fingerprints of the keys whose signatures are good, sorted
	URL     string   // base URL of the mirror

	at time.Time
}

// Release reads the Release of an archive from the first place that has it.
//
// Signatures, Date and Valid-Until are judged at the given time, which is now;
// those of a snapshot at its moment. A place that somebody named as a mirror
// and whose Release is bad ends the search: it must be heard of. Among the
// host's APT sources, which may hold anything, bad ones are passed over. A
// place whose Release is older than the archive's NotBefore lags behind; the
// others are asked.
//
// Its typed errors are those of [signature.Verify], and [*StaleError],
// [*OlderError], [*WrongSuiteError], [*NoSuiteError], [*UnreachableError].
func (c *Client) Release(ctx context.Context, archive Archive, at time.Time) (*Release, error) {
	if !archive.Snapshot.IsZero() {
		at = archive.Snapshot
	}
	var tried, absent []Attempt
	var bad error
	var older *OlderError
	for _, p := range c.releasePlaces(archive, at) {
		message, detached, err := c.getRelease(ctx, p, archive)
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
		release, err := c.readRelease(message, detached, archive, at)
		switch {
		case err == nil && release.Date.Before(archive.NotBefore):
			c.trust(p, archive.Suite, true)
			if older == nil || release.Date.After(older.Date) {
				older = &OlderError{Archive: archive, URL: p.base, Date: release.Date}
			}
			continue
		case err == nil:
			release.URL = p.base
			c.trust(p, archive.Suite, true)
			return release, nil
		}
		err = fmt.Errorf("%s/%s: %w", p.base, archive.file("InRelease"), err)
		if !p.mustVerify {
			return nil, err
		}
		if bad == nil || better(err, bad) {
			bad = err
		}
	}
	switch {
	case older != nil:
		return nil, older
	case bad != nil:
		return nil, bad
	case len(absent) > 0:
		return nil, &NoSuiteError{archive, tried}
	}
	return nil, &UnreachableError{Attempts: tried, Repository: archive.repository(), Snapshot: archive.Snapshot}
}

// getRelease reads InRelease; of a repository that has none, Release and the
// signature beside it.
func (c *Client) getRelease(ctx context.Context, p place, archive Archive) (message, detached []byte, err error) {
	message, err = c.get(ctx, p, archive.file("InRelease"), maxInRelease)
	if archive.URL == "" || !errors.Is(err, errAbsent) {
		return message, nil, err
	}
	if message, err = c.get(ctx, p, archive.file("Release"), maxInRelease); err != nil {
		return nil, nil, err
	}
	detached, err = c.get(ctx, p, archive.file("Release.gpg"), maxInRelease)
	if errors.Is(err, errAbsent) {
		err = errors.New("it has neither InRelease nor Release.gpg: a repository that nobody signs is not trusted")
	}
	return message, detached, err
}

// better reports whether err says more than old: a Release by Debian's own
// keys that is out of date is worth more words than a stranger's.
func better(err, old error) bool {
	var stranger *signature.UnknownKeyError
	return errors.As(old, &stranger) && !errors.As(err, &stranger)
}

func (c *Client) readRelease(message, detached []byte, archive Archive, at time.Time) (*Release, error) {
	signed, err := verify(message, detached, c.keysOf(archive), at)
	if err != nil {
		return nil, err
	}
	parsed, err := debian.ParseRelease(signed.Text)
	if err != nil {
		return nil, err
	}
	// What a repository calls itself is its own matter, as it is for apt.
	if archive.URL == "" && archive.Suite != parsed.Suite && archive.Suite != parsed.Codename {
		return nil, &WrongSuiteError{Wanted: archive.Suite, Suite: parsed.Suite, Codename: parsed.Codename}
	}
	if parsed.Date.After(at.Add(futureSlack)) {
		return nil, &signature.FutureError{Date: parsed.Date, Now: at}
	}
	if !parsed.ValidUntil.IsZero() && at.After(parsed.ValidUntil) {
		return nil, &StaleError{Archive: archive, ValidUntil: parsed.ValidUntil, Now: at}
	}
	sum := sha256.Sum256(message)
	return &Release{
		Release: parsed, Archive: archive, at: at,
		SHA256: hex.EncodeToString(sum[:]), Signers: signed.Signers,
	}, nil
}

func verify(message, detached []byte, keys *signature.Keyring, at time.Time) (*signature.Signed, error) {
	if detached != nil {
		return signature.VerifyDetached(message, detached, keys, at)
	}
	return signature.Verify(message, keys, at)
}

// keysOf are the keys that may sign for an archive: a repository's own and no
// others, so that whoever keeps it cannot speak for Debian, nor the reverse.
func (c *Client) keysOf(archive Archive) *signature.Keyring {
	if archive.URL != "" {
		return archive.Keys
	}
	return c.keys
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
	message, err := c.get(ctx, p, archive.file("InRelease"), maxInRelease)
	if errors.Is(err, errAbsent) {
		c.trust(p, archive.Suite, false)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = signature.Verify(message, c.keysOf(archive), time.Time{})
	c.trust(p, archive.Suite, err == nil)
	return err == nil, nil
}
