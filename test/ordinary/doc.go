// Package ordinary uses Stet as a user without any rights: one who is known to
// the host, has subordinate ids, and is not root. What such a user builds is
// held against what root builds.
//
// The user exists in a mount namespace of each run only: the host's /etc stays
// as it is.
package ordinary
