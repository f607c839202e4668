package machine_test

import (
	"strings"
	"testing"
)

// tellsWhereThingsComeFrom asks the machine itself. It has one generation, and knows
// nothing of the repository.
func (m *life) tellsWhereThingsComeFrom(t *testing.T) {
	for _, c := range []struct {
		of   string
		says []string
	}{
		{"/etc/motd", []string{"as it is since generation 1 (", "generation 1 does not say where it was written"}},
		{"/etc/nginx/mime.types", []string{"/etc/nginx/mime.types is of package nginx-common\n", "as it is since generation 1 ("}},
		{"curl", []string{"curl is a package\n", " since generation 1 ("}},
		{"libssl3", []string{"libssl3 is provided by package libssl3t64\n", "needed by "}},
		{"hello.service", []string{"brought along by multi-user.target (Wants=)\n"}},
		{"ada", []string{"as it is since generation 1 ("}},
		{"net.ipv4.ip_forward", []string{"1 since generation 1 ("}},
		{"80/tcp", []string{"80/tcp: nginx.service (/usr/sbin/nginx) listens at ", "nginx.service is of package nginx"}},
		{"22", []string{"22/tcp: ssh.service (", "ssh.service is of package openssh-server\n"}},
	} {
		said := m.Run(t, "stet why "+c.of) + "\n"
		for _, part := range c.says {
			if !strings.Contains(said, part) {
				t.Errorf("why %s lacks %q:\n%s", c.of, part, said)
			}
		}
	}
	if out, status := m.Try(t, "stet why 4444/tcp"); status != 2 || !strings.Contains(out, "nothing on hello listens at 4444/tcp") {
		t.Errorf("exit status %d: %s", status, out)
	}
}
