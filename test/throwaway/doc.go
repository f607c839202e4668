// Package throwaway opens shells among a few packages, as `stet shell -p`
// does, with a repository and without one.
package throwaway
