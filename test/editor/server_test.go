package editor_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// server is a language server: JSON-RPC with a header, over a process's
// standard input and output.
type server struct {
	t       *testing.T
	in      io.WriteCloser
	serial  int
	answers chan message
}

// message is a request, an answer or a notification.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      *int            `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// start runs the server and greets it.
func start(t *testing.T, program, root string) *server {
	t.Helper()
	cmd := exec.Command("node", program, "--stdio")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: `make setup-test` installs it", err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s := &server{t: t, in: in, answers: make(chan message, 64)}
	go s.listen(bufio.NewReader(out))
	s.call("initialize", map[string]any{"processId": nil, "rootUri": "file://" + root, "capabilities": map[string]any{
		"textDocument": map[string]any{"completion": map[string]any{"completionItem": map[string]any{"documentationFormat": []string{"plaintext"}}}},
	}}, nil)
	s.send(message{Method: "initialized", Params: json.RawMessage("{}")})
	return s
}

// listen passes on what the server says, until it ends.
func (s *server) listen(out *bufio.Reader) {
	defer close(s.answers)
	for {
		length := 0
		for {
			line, err := out.ReadString('\n')
			if err != nil {
				return
			}
			if line = strings.TrimSpace(line); line == "" {
				break
			}
			if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
				length, _ = strconv.Atoi(value)
			}
		}
		text := make([]byte, length)
		if _, err := io.ReadFull(out, text); err != nil {
			return
		}
		var m message
		if json.Unmarshal(text, &m) == nil {
			s.answers <- m
		}
	}
}

func (s *server) send(m message) {
	s.t.Helper()
	m.Version = "2.0"
	text, err := json.Marshal(m)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(s.in, "Content-Length: %d\r\n\r\n%s", len(text), text); err != nil {
		s.t.Fatal(err)
	}
}

// next waits for a message, and answers what the server asks meanwhile.
func (s *server) next(is func(message) bool) message {
	s.t.Helper()
	late := time.After(2 * time.Minute)
	for {
		select {
		case m, ok := <-s.answers:
			switch {
			case !ok:
				s.t.Fatal("the language server ended")
			case is(m):
				return m
			case m.ID != nil && m.Method == "workspace/configuration": // it has no settings: the file names its schema
				s.send(message{ID: m.ID, Result: json.RawMessage("[{},{},{},{},{},{}]")})
			case m.ID != nil && m.Method != "":
				s.send(message{ID: m.ID, Result: json.RawMessage("null")})
			}
		case <-late:
			s.t.Fatal("the language server is silent")
		}
	}
}

// call asks the server and waits for the answer.
func (s *server) call(method string, params, result any) {
	s.t.Helper()
	text, err := json.Marshal(params)
	if err != nil {
		s.t.Fatal(err)
	}
	s.serial++
	id := s.serial
	s.send(message{ID: &id, Method: method, Params: text})
	answer := s.next(func(m message) bool { return m.ID != nil && *m.ID == id && m.Method == "" })
	if len(answer.Error) > 0 {
		s.t.Fatalf("%s: %s", method, answer.Error)
	}
	if result != nil {
		if err := json.Unmarshal(answer.Result, result); err != nil {
			s.t.Fatalf("%s: %v in %s", method, err, answer.Result)
		}
	}
}
