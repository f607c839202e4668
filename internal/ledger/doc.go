// Package ledger says whose the state of a machine is: what lives in /var, /home,
// /root, /srv, /opt and /usr/local, and whether its owner is still there.
//
// It takes the trees of systems, as data, and what was [Seen] of the state, and
// gives entries with their owners. An owner is who says in a system that a path is
// its own: dpkg's database, tmpfiles.d(5), units, logrotate(8), the residue table,
// accounts, the configuration.
//
// It must never open anything itself: package facts walks, and package archive takes
// away. facts, archive and cli may import it.
package ledger
