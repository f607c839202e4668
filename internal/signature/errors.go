package signature

import (
	"fmt"
	"strings"
	"time"
)

// AlteredError says that a signed text is not what was signed, or not a signed
// text at all.
type AlteredError struct {
	Problem string
}

func (e *AlteredError) Error() string {
	return "bad signature: " + e.Problem + ": the mirror, or something between it and here, changed it; use another mirror"
}

// UnknownKeyError says that nobody Stet knows has signed.
type UnknownKeyError struct {
	Fingerprints []string // of the keys that did, as far as the signatures say
	Keys         *Keyring // that were looked through
}

func (e *UnknownKeyError) Error() string {
	signed := "signed by a key that is not " + e.Keys.place() + " (" + strings.Join(e.Fingerprints, ", ") + ")"
	if e.Keys.own() {
		return signed + ": if Debian has new archive keys, use a newer Stet; else this is not Debian's archive"
	}
	return signed + ", which has " + strings.Join(e.Keys.Primaries(), ", ") +
		": if the repository has a new key, ask those who keep it for the fingerprint, and declare the new key; else this is not that repository"
}

// ExpiredKeyError says that the signing key is no longer valid.
type ExpiredKeyError struct {
	Fingerprint  string
	Expired, Now time.Time // Expired is zero when it is the signature that expired
	Keys         *Keyring
}

func (e *ExpiredKeyError) Error() string {
	when := "the signature has expired"
	if !e.Expired.IsZero() {
		when = "which expired on " + day(e.Expired)
	}
	remedy := "use a newer Stet, which embeds newer keys"
	if !e.Keys.own() {
		remedy = "declare the renewed key as " + e.Keys.Owner
	}
	return fmt.Sprintf("signed by key %s, %s: %s, or correct the clock, which says %s", e.Fingerprint, when, remedy, day(e.Now))
}

// FutureError says that a Release or its signature was made after now.
type FutureError struct {
	Date, Now time.Time
}

func (e *FutureError) Error() string {
	return fmt.Sprintf("made on %s, which is in the future: now it is %s; correct the clock", minute(e.Date), minute(e.Now))
}

func day(t time.Time) string    { return t.UTC().Format("2006-01-02") }
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
