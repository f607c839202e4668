package understudy

import (
	"os"
	"strconv"
	"time"

	"stet/internal/seccomp"
)

// nothing is what mandb(8) and VLC's vlc-cache-gen have to do: an index of manuals and a
// list of plugins are in no image (residue's table).
func (c *Call) nothing() (int, error) { return 0, nil }

// fcCache is fc-cache(1). What scripts make by it is made anew when all ran
// (fontconfig in residue's table): so they need not. When it is made last, the packaged
// program does it, but does not sleep for two seconds, which it does lest directories
// change within the second of its cache's time stamp: all time stamps are one epoch.
func (c *Call) fcCache() (int, error) {
	if c.Getenv("DPKG_MAINTSCRIPT_NAME") != "" {
		return 0, nil
	}
	if err := seccomp.Skip(seccomp.Sleeps); err != nil {
		return 0, err
	}
	return 0, errDeclined
}

// postfixFile is the file that all programs of Postfix read first. One that was
// written within the last seconds they read again and again until it is older.
const postfixFile = "/etc/postfix/main.cf"

// postconf makes that file as old as all files of an image are, and lets the packaged
// program do the work.
func (c *Call) postconf() (int, error) {
	epoch, err := strconv.ParseInt(c.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if info, statErr := os.Stat(postfixFile); err == nil && statErr == nil && time.Since(info.ModTime()) < time.Minute {
		_ = os.Chtimes(postfixFile, time.Unix(epoch, 0), time.Unix(epoch, 0)) // else it waits
	}
	return 0, errDeclined
}
