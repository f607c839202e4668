// Command demo shows what Stet does, as a person would do it: it takes
// examples/hello, fetches what its lock names, builds it, boots it in QEMU, and
// reads its web page from outside. `make demo` runs it.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"stet/test/example"
)

// patience is how long an emulated machine may take to serve its page.
const patience = 10 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := demo(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context) error {
	stet, err := example.Stet()
	if err != nil {
		return err
	}
	fmt.Println("# fetch what examples/hello has locked")
	dir, _, err := example.Prepare(ctx, stet, "hello")
	if err != nil {
		return err
	}
	fmt.Println("\n# build it, twice: the second time there is nothing to do")
	for range 2 {
		if err := shown(ctx, stet, dir, "build"); err != nil {
			return err
		}
	}
	built, err := example.Built(ctx, stet, dir)
	if err != nil {
		return err
	}
	page, state, err := boot(ctx, stet, dir)
	if err != nil {
		return err
	}
	fmt.Println("\nsystem:  ", built.Digest)
	fmt.Println("page:    ", page)
	fmt.Println("guest is:", state)
	if state != "running" {
		return fmt.Errorf("the guest is %s: systemctl --failed in `stet vm` tells why", state)
	}
	return nil
}

// shown runs a command of stet and shows it and what it prints.
func shown(ctx context.Context, stet, dir string, args ...string) error {
	command := exec.CommandContext(ctx, stet, append([]string{"-C", dir}, args...)...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	fmt.Println(commandLine(dir, args))
	return command.Run()
}

// commandLine is a command as a person would type it at the top of the repository.
func commandLine(dir string, args []string) string {
	if root, err := example.Root(); err == nil {
		if short, err := filepath.Rel(root, dir); err == nil {
			dir = short
		}
	}
	line := "$ bin/stet -C " + dir
	for _, arg := range args {
		if strings.ContainsAny(arg, " ;") {
			arg = "'" + arg + "'"
		}
		line += " " + arg
	}
	return line
}

// boot boots the machine, fetches its page while it runs, and gives the page's
// text and what systemd says of the machine.
func boot(ctx context.Context, stet, dir string) (page, state string, err error) {
	port, err := freePort()
	if err != nil {
		return "", "", err
	}
	// The machine stops when the command ends: it waits for our second request.
	const inGuest = `systemctl is-system-running --wait; timeout 120 sh -c 'until grep -qs "GET /thanks" /var/log/*/access.log; do sleep 0.1; done'`
	args := []string{"-C", dir, "vm", "--forward", fmt.Sprintf("%d:80", port), "--exec", inGuest}
	fmt.Println("\n# boot it, and fetch its page from here")
	fmt.Println(commandLine(dir, []string{"vm", "--forward", fmt.Sprintf("%d:80", port), "--exec", "systemctl is-system-running --wait; …"}))
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	command := exec.CommandContext(ctx, stet, args...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, os.Stderr
	if err := command.Start(); err != nil {
		return "", "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()

	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	fetched := make(chan string, 1)
	go func() { fetched <- poll(ctx, address) }()
	select {
	case page = <-fetched:
		fmt.Println("$ curl " + address + "/")
		err = <-ended
	case err = <-ended:
		cancel()
		err = errors.Join(errors.New("the machine stopped before it served its page"), err)
	}
	return page, strings.TrimSpace(out.String()), err
}

// freePort gives a TCP port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// poll asks for the page until it comes, then says thanks, and gives its text;
// "" when the context ends first.
func poll(ctx context.Context, address string) string {
	client := http.Client{Timeout: 10 * time.Second}
	for ctx.Err() == nil {
		if text, err := get(ctx, &client, address+"/"); err == nil {
			_, _ = get(ctx, &client, address+"/thanks") // there is no such page
			return text
		}
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
	return ""
}

func get(ctx context.Context, client *http.Client, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	return plain(string(text)), err
}

// plain is the text of a simple page's body.
func plain(page string) string {
	page = regexp.MustCompile(`(?s)<title>.*?</title>`).ReplaceAllString(page, "")
	text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")
	return strings.Join(strings.Fields(text), " ")
}
