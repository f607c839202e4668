package modules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stet/modules"
)

// daemons are names that services go by beside those of their modules.
var daemons = []string{"sshd", "openssh", "authorized_keys", "postgres", "nftables", "quadlet"}

// TestNoGoCodeNamesAService scans all Go code outside tests for the names of
// services. Comments may give examples.
func TestNoGoCodeNamesAService(t *testing.T) {
	names := append(serviceNames(t), daemons...)
	word := regexp.MustCompile(`(?i)(` + strings.Join(names, "|") + `)`)
	// Public keys are no service, neither is what people log in by, and a hash
	// only sounds like one.
	innocent := regexp.MustCompile(`(?i)ssh_?keys?|ssh-ed25519|ssh [a-z]+@|sha[0-9]+`)

	files := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (strings.HasPrefix(name, ".") && name != ".." || name == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		report := func(at token.Pos, text string) {
			if found := word.FindString(innocent.ReplaceAllString(text, "")); found != "" {
				t.Errorf("%s: %q names the service %q: no Go code knows a service, or a module in somebody's repository "+
					"could not do what a built-in one does. Say it in modules/*.cue, or as data that a package brings.", set.Position(at), text, found)
			}
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.Ident:
				report(x.Pos(), x.Name)
			case *ast.BasicLit:
				if x.Kind == token.STRING {
					report(x.Pos(), x.Value)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("only %d Go files were found: the scan looks in the wrong place", files)
	}
}

// serviceNames are the fields that modules add to #Services.
func serviceNames(t *testing.T) []string {
	t.Helper()
	field := regexp.MustCompile(`(?m)^\t([a-z_]+)\?: #`)
	paths, err := fs.Glob(modules.Files, "*.cue")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no modules are embedded: %v", err)
	}
	var names []string
	for _, path := range paths {
		text, err := fs.ReadFile(modules.Files, path)
		if err != nil {
			t.Fatal(err)
		}
		_, services, found := strings.Cut(string(text), "#Services: {")
		if !found {
			continue // such as firewall, which is an option of the machine itself
		}
		services, _, _ = strings.Cut(services, "\n}")
		for _, match := range field.FindAllStringSubmatch(services, -1) {
			names = append(names, match[1])
		}
	}
	if len(names) < 4 {
		t.Fatalf("the modules name only %v", names)
	}
	return names
}

// TestEveryOptionIsCommented holds modules to what `stet options` will print.
func TestEveryOptionIsCommented(t *testing.T) {
	for _, dir := range []string{".", "../schema"} {
		paths, err := filepath.Glob(filepath.Join(dir, "*.cue"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(text), "\n")
			inside := ""
			for i, line := range lines {
				if match := definition.FindStringSubmatch(line); match != nil {
					inside = match[1]
				}
				match := option.FindStringSubmatch(line)
				if match == nil || inside == "Machine" && !strings.HasSuffix(path, "machine.cue") && !declares.MatchString(line) {
					continue
				}
				if !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "//") {
					t.Errorf("%s:%d: the option %q of #%s has no comment; comments are its documentation", path, i+1, match[1], inside)
				}
			}
		}
	}
}

var (
	definition = regexp.MustCompile(`^#(\w+):`)
	option     = regexp.MustCompile(`^\t([a-z][a-z_]*)[?!]?: `)
	declares   = regexp.MustCompile(`^\t[a-z_]+[?]: (\[|#)`)
)
