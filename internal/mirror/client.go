package mirror

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"stet/internal/progress"
	"stet/internal/signature"
)

// Options are what a [Client] depends on.
type Options struct {
	Sources Sources
	Cache   string             // directory, made when missing
	Keys    *signature.Keyring // nil stands for [signature.DebianKeys]
	HTTP    *http.Client       // nil stands for NewHTTPClient(nil)
	Report  progress.Func      // may be nil
}

// Client reads indices and fetches packages. Any number of goroutines may use
// it, and any number of clients one cache.
type Client struct {
	named    []place
	snapshot string
	cache    string
	keys     *signature.Keyring
	http     *http.Client
	report   progress.Func

	backoff time.Duration // before the second attempt; doubles
	settle  time.Duration // before an archive that is being updated is read again; grows
	stall   time.Duration // the longest silence in the middle of a file

	snapshotTurn chan struct{} // holds one token: the snapshot service likes one connection

	mu      sync.Mutex
	down    map[string]error // base URLs that could not be reached
	trusted map[string]bool  // base URL and suite: has a Release signed by our keys
}

// New makes a client. It touches neither network nor cache yet, but reads the
// host's APT sources when they are to be looked at.
func New(o Options) (*Client, error) {
	if !filepath.IsAbs(o.Cache) {
		return nil, fmt.Errorf("mirror cache %q: want an absolute path", o.Cache)
	}
	named, err := o.Sources.named()
	if err != nil {
		return nil, err
	}
	c := &Client{
		named:        named,
		snapshot:     strings.TrimRight(o.Sources.Snapshot, "/"),
		cache:        o.Cache,
		keys:         o.Keys,
		http:         o.HTTP,
		report:       o.Report,
		backoff:      300 * time.Millisecond,
		settle:       3 * time.Second,
		stall:        30 * time.Second,
		snapshotTurn: make(chan struct{}, 1),
		down:         map[string]error{},
		trusted:      map[string]bool{},
	}
	if c.keys == nil {
		if c.keys, err = signature.DebianKeys(); err != nil {
			return nil, err
		}
	}
	if c.http == nil {
		c.http = NewHTTPClient(nil)
	}
	return c, nil
}

// NewHTTPClient makes a client that gives up on servers that do not answer,
// but takes any time for a file that keeps coming. proxy is as in
// [http.Transport]; [http.ProxyFromEnvironment] is the usual one.
func NewHTTPClient(proxy func(*http.Request) (*url.URL, error)) *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                 proxy,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		MaxIdleConnsPerHost:   parallel,
		IdleConnTimeout:       30 * time.Second,
		DisableCompression:    true, // what is hashed is what was sent
	}}
}

func (c *Client) debPath(sha256 string) string {
	return filepath.Join(c.cache, "debs", sha256+".deb")
}

// Path is where a fetched package is. Whether it is there, see [Client.Has].
func (c *Client) Path(d Deb) string { return c.debPath(d.SHA256) }

// Has reports whether the package is in the cache. Its bytes were verified
// before it got there.
func (c *Client) Has(d Deb) bool {
	info, err := os.Stat(c.debPath(d.SHA256))
	return err == nil && info.Mode().IsRegular() && info.Size() == d.Size
}

// Remove takes a package out of the cache; one that is not there is no error.
func (c *Client) Remove(d Deb) error {
	if err := os.Remove(c.debPath(d.SHA256)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove package %s: %w", d.Name, err)
	}
	return nil
}

// Missing lists the packages that are not in the cache.
func (c *Client) Missing(debs []Deb) []Deb {
	var missing []Deb
	for _, d := range debs {
		if !c.Has(d) {
			missing = append(missing, d)
		}
	}
	return missing
}

// Open opens a fetched package for reading.
func (c *Client) Open(d Deb) (*os.File, error) {
	f, err := os.Open(c.debPath(d.SHA256))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("package %s %s (%s) is not here: run \"stet fetch\": %w", d.Name, d.Version, d.Architecture, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open package %s: %w", d.Name, err)
	}
	return f, nil
}
