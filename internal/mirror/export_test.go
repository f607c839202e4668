package mirror

import "time"

// Hasten makes the client's waits short.
func (c *Client) Hasten(backoff, stall time.Duration) {
	c.backoff, c.settle, c.stall = backoff, backoff, stall
}

// IndexPath is where a parsed index is kept.
func (c *Client) IndexPath(sha256 string) string { return c.indexPath(sha256) }

// Places lists the base URLs that are asked for an archive, in order.
func (c *Client) Places(archive Archive, at time.Time) []string {
	var urls []string
	for _, p := range c.places(archive, at) {
		urls = append(urls, p.base)
	}
	return urls
}
