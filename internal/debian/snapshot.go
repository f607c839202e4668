package debian

import "time"

// SnapshotURL is Debian's public snapshot service, which keeps every state of
// the archive. It is the only host that Stet itself knows.
const SnapshotURL = "https://snapshot.debian.org"

// SnapshotDelay is how long after a Release's Date a snapshot surely has that
// Release: four are made a day. Files stay in the pool for longer than that
// after they left the suite.
const SnapshotDelay = 12 * time.Hour

// SnapshotBase gives the base URL of an archive ("debian", "debian-security")
// as it was at a moment, at a service that is laid out like Debian's own.
func SnapshotBase(service, archive string, at time.Time) string {
	return service + "/archive/" + archive + "/" + at.UTC().Format("20060102T150405Z")
}
