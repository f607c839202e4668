// Package namespace takes an ordinary user's process into a user namespace
// where it is root over ids of its own, so that everything after it mounts,
// changes owners and runs scripts as it does for root.
//
// [Enter] takes nothing and gives either nothing, where there is nothing to
// do, or an error that says which setting of the host forbids it and how it is
// changed. Else it does not return: the program runs again, inside. It must
// be called before anything is locked, opened or started. It never gives
// rights that the user has not: the ids are those that the host's
// administrator wrote down in /etc/subuid and /etc/subgid, and newuidmap(1)
// and newgidmap(1) map them.
//
// It is an edge; only cli uses it. [Main] must be among the first calls of the
// main function that leads here.
package namespace
