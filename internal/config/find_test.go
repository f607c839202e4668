package config

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWhatAWordMeans(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(`name: a
kernel: {parameters: [quiet]}
services: {nginx: {sites: {shop: {root: /srv, listen: 8080}}}}
firewall:
  allow:
    web: {tcp: [80, "8000-8100"]}
    vpn: {udp: [51820]}
`), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	const web, site = `firewall.allow.web.tcp`, `services.nginx.sites.shop.listen`
	for word, want := range map[string][]string{
		"quiet": {"kernel.parameters.quiet"}, "80": {web + "[0]"}, ":80/tcp": {web + "[0]"}, "80/udp": nil,
		"8080": {web + "[1]", site}, "8080/tcp": {web + "[1]", site}, "8101": nil, "51820/udp": {"firewall.allow.vpn.udp[0]"}, "51820/tcp": nil,
		"0": nil, "65536": nil, "80/sctp": nil, "": nil,
	} {
		if have := c.Find("a", word); !slices.Equal(have, want) {
			t.Errorf("%q means %q, want %q", word, have, want)
		}
	}
}
