package vm

import (
	"embed"
	"errors"
)

// The agent is built into bin/ before stet is; only a README is in git.
//
//go:embed all:bin
var embedded embed.FS

// errNoAgent is a mistake of whoever built this stet, not of its user.
var errNoAgent = errors.New("this stet was built without its guest agent; build it with make, or run: " +
	`CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o internal/vm/bin/stet-agent ./cmd/stet-agent`)

func embeddedAgent() ([]byte, error) {
	agent, err := embedded.ReadFile("bin/stet-agent")
	if err != nil {
		return nil, errNoAgent
	}
	return agent, nil
}
