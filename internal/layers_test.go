package internal

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// kind is what a room is allowed to touch.
type kind int

const (
	// pure rooms compute: the same input gives the same output, on every host
	// and in every year. They know no clock, environment, process or network.
	pure kind = iota
	// stages carry a machine one step further, by pure rooms and by edges.
	stage
	// edges touch the world: the disk, the kernel, the network, a guest.
	edge
)

func (k kind) String() string { return [...]string{"pure", "stage", "edge"}[k] }

// room is one package: its kind, the packages of Stet it may import, and why
// it may import no more.
type room struct {
	kind    kind
	imports string // separated by spaces, below internal/ if not told otherwise
	why     string
}

// rooms is the whole house. To add a package, add its row; to let a package
// import another, say here why the line still leads only forward.
var rooms = map[string]room{
	"internal/xz":        {pure, "", "it is one format of compression, which knows nothing of packages"},
	"internal/debian":    {pure, "xz", "it knows formats, and everybody may import it"},
	"internal/machine":   {pure, "", "it is only types, which every room speaks in"},
	"internal/progress":  {pure, "", "it is only a type, which every room reports by"},
	"internal/graph":     {pure, "", "it is what a build says of itself, as data: every room that works tells it, and who listens knows the time"},
	"internal/trace":     {pure, "graph", "it draws what was measured; who measures comes before it"},
	"internal/lock":      {pure, "", "it is a format; who resolves and who compares is not its matter"},
	"internal/unit":      {pure, "", "it is a format; no running systemd is asked"},
	"internal/verity":    {pure, "", "a digest depends on bytes alone; the two ioctls are given an open file"},
	"internal/buildid":   {pure, "", "it reads one note of one program"},
	"internal/plainjson": {pure, "", "stet-init has it too: it stays small"},
	"internal/tree":      {pure, "verity", "a tree names contents and never opens them"},
	"internal/erofs":     {pure, "tree", "an image is a function of a tree: its bytes are identity"},
	"internal/unified":   {pure, "", "it compares texts and knows nothing of where they lie"},
	"internal/gpt":       {pure, "", "stet-init has it too: it stays small, and opens no disk"},
	"internal/fat":       {pure, "", "a file system is a function of its files: two images of one system are the same bytes"},
	"internal/ext4":      {pure, "", "a file system is a function of its files; who has their contents is not its matter"},
	"internal/similar":   {pure, "", "it compares words and knows nothing of what they name"},
	"internal/option":    {pure, "similar", "it is what the schema says, as data; who reads the schema is config"},
	"internal/plan":      {pure, "debian residue tree unified unit verity", "a plan is a function of two systems and of facts; who gathers those, and who carries it out, comes before and after"},
	"internal/adopt":     {pure, "drift edit machine plan tree unit", "it says what to edit; the edits are made, and judged by the evaluated result, after it"},
	"internal/edit":      {pure, "", "it edits trees in a text; what they mean is config's matter, and a file's name and bytes come from who opens it"},
	"internal/drift":     {pure, "plan residue tree unit", "what differs is a function of a system and of what was seen; who looks comes before, and who mends after"},
	"internal/ledger":    {pure, "residue tree unit verity", "whose the state is follows from what systems say; who looks at it, and who takes it away, comes before and after"},
	"internal/residue":   {pure, "debian", "it is a table; rootfs and system carry the rules out"},
	"internal/initrd":    {pure, "buildid debian", "an initrd is a function of the kernel's modules and stet-init"},
	"internal/catalog":   {pure, "debian", "it finds packages by name; which of them is wanted comes after it"},
	"internal/solve":     {pure, "catalog debian similar", "a solution depends on the indices and the wishes alone"},

	"internal/signature": {pure, "", "a signature is good or not whoever asks, and wherever the bytes came from"},

	"internal/config":            {stage, "debian machine modules option schema signature similar", "text becomes machines before anything is resolved, fetched or built"},
	"internal/unpack":            {stage, "debian store tree", "a package is unpacked by itself, whatever else the machine has"},
	"internal/rootfs":            {stage, "debian erofs graph layout lock meminfo mount progress residue sandbox solve store tree unpack verity", "it configures packages; what the machine declares comes after it"},
	"internal/system":            {stage, "debian erofs graph health initrd lock machine residue state store tree unit verity", "it lays the declared over the packages natively, and runs nothing: programs are finishers, which build runs"},
	"internal/disk":              {stage, "boot ext4 fat fault generation gpt progress rootfs sandbox state store system tree verity", "it makes images of built systems; it builds none"},
	"internal/system/systemtest": {stage, "erofs store system tree verity", "only tests import it"},
	"internal/integrity":         {stage, "generation progress residue store system tree verity", "it looks at a store and what that names; what becomes of the findings is not its matter"},
	"internal/trial":             {stage, "machine vm", "it carries out declared tests in a guest that somebody else made"},

	"internal/mirror":              {edge, "catalog debian lock progress signature", "it brings verified bytes; what is wanted is decided before it"},
	"internal/mirror/mirrortest":   {edge, "debian mirror signature", "only tests import it"},
	"internal/mount/mounttest":     {edge, "", "only tests import it"},
	"internal/systemd/systemdtest": {edge, "", "only tests import it"},
	"internal/store":               {edge, "fault tree verity", "it keeps bytes and decides nothing about them"},
	"internal/mount":               {edge, "", "stet-init has it too: it stays small"},
	"internal/layout":              {edge, "mount tree", "it writes a tree down; who mounts it, and for how long, is not its matter"},
	"internal/namespace":           {edge, "", "it is done before anything of Stet begins"},
	"internal/fault":               {edge, "", "stet-init has it too, and it does nothing but end a process: it stays small"},
	"internal/durable":             {edge, "", "it waits for the disk, and knows nothing of what it writes: everybody may import it"},
	"internal/boot":                {edge, "durable fault verity", "the boot loader reads entries and kernels, and knows no store"},
	"internal/census":              {edge, "store system tree verity", "it counts what is needed; who may be let go is decided with its figures"},
	"internal/past":                {edge, "census debian plan store system tree unit verity", "it compares systems; which are the generations of a machine, and what was declared, knows whoever asks"},
	"internal/generation":          {edge, "durable fault source store verity", "it keeps what was installed; what is installed next is decided before it"},
	"internal/health":              {edge, "machine systemd", "it says how a machine is; what follows from that is not its matter"},
	"internal/assessment":          {edge, "boot generation", "it settles what a boot has shown; whether the machine was well, health says"},
	"internal/gc":                  {edge, "boot census fault generation stage state store system verity", "it lets go; what comes instead is staged by somebody else"},
	"internal/handover":            {edge, "generation progress store system tree verity", "it takes what it is offered; whether that starts is decided by somebody else"},
	"internal/edition":             {edge, "adopt config drift edit machine unified", "it edits what is declared, and evaluates it; it neither locks nor builds"},
	"internal/stage":               {edge, "boot generation store system verity", "it installs what is built, and never asks where it came from"},
	"internal/hardware":            {edge, "", "it looks and gives values; what a configuration makes of them is not its matter"},
	"internal/grow":                {edge, "fault gpt", "stet-init has it too: it stays small"},
	"internal/state":               {edge, "plainjson", "stet-init has it too: it stays small"},
	"internal/systemd":             {edge, "", "it asks and tells managers; what becomes of units is a plan's matter"},
	"internal/facts":               {edge, "boot drift generation ledger mount plan progress state store system systemd tree unified verity", "it sees, and changes nothing: what follows is a plan's matter"},
	"internal/activate":            {edge, "facts fault mount plan state systemd", "it carries a plan out; what is done was decided before, and what starts next comes after"},
	"internal/archive":             {edge, "durable ledger", "it takes away what it is told to, and brings it back; whether somebody misses it was asked before"},
	"internal/surroundings":        {edge, "", "it changes how a process starts; what the process does is not its matter"},
	"internal/meminfo":             {edge, "", "it says what a host has; what is enough is a matter of who asks"},
	"internal/sandbox":             {edge, "mount seccomp", "it runs one program in a root; what is in the root is not its matter"},
	"internal/seccomp":             {edge, "", "it is about a thread; who wants what skipped is not its matter"},
	"internal/understudy":          {edge, "seccomp", "it is in the root while scripts run, as the program that it stands for: it stays small"},
	"internal/source":              {edge, "", "it asks git and knows nothing of machines"},
	"internal/vm":                  {edge, "initrd meminfo nbd vm/agent", "it drives any kernel, initrd and disk: it must not know how they are made"},
	"internal/vm/agent":            {edge, "", "it is in the guest too: it stays small"},
	"internal/nbd":                 {edge, "", "it speaks with who is connected; who listens, and what a disk is made of, is not its matter"},
	"internal/term":                {edge, "progress", "it knows plain values: no configurations, machines or commands"},

	"internal/build": {stage, "catalog debian disk erofs generation graph initrd lock machine mirror mount progress residue rootfs sandbox signature solve store system tree unpack verity vm", "it is the only orchestrator; it takes machines and gives values, and knows neither text, flags nor terminals"},
	"internal/cli":   {edge, "activate adopt archive assessment boot build buildid census config debian disk drift edition facts gc generation gpt graph handover hardware health initrd integrity ledger lock machine mirror mount namespace option past plan progress residue rootfs sandbox signature similar solve source stage state store surroundings system systemd term trace tree trial unit unpack verity vm", "flags in, report out: what can be done without flags belongs to a room"},

	"modules":             {pure, "", "built-in modules are data: no Go code names a service"},
	"schema":              {pure, "", "the language is data"},
	"cmd/stet":            {edge, "cli namespace sandbox", "all it does is in cli; namespace and sandbox must come first in their second runs"},
	"cmd/stet-agent":      {edge, "vm/agent", "it is put into every guest: it stays small"},
	"cmd/stet-understudy": {edge, "understudy", "it is put into roots while scripts run: it stays small"},
	// cmd/stet-init has an allow-list of all it depends on, beside its code.
	"cmd/stet-init": {edge, "fault gpt grow mount plainjson state verity", "each package in it runs before anybody can log in"},
}

// narrow are the packages that only some may import.
var narrow = map[string]struct {
	by  []string
	why string
}{
	"internal/build":               {[]string{"internal/cli"}, "only build orchestrates, and only the command line asks it to: a room that imports it would reach back"},
	"internal/term":                {[]string{"internal/cli"}, "only cli shows things to people: return an error or report progress instead"},
	"internal/cli":                 {[]string{"cmd/stet"}, "nothing comes after the command line"},
	"internal/mirror":              {[]string{"internal/build", "internal/cli", "internal/mirror/mirrortest"}, "only lock, update and fetch touch the network; a build is offline"},
	"internal/fat":                 {[]string{"internal/disk"}, "a machine's own file systems are the kernel's matter"},
	"internal/mirror/mirrortest":   {nil, "it is for tests"},
	"internal/mount/mounttest":     {nil, "it is for tests"},
	"internal/systemd/systemdtest": {nil, "it is for tests"},
	"internal/system/systemtest":   {nil, "it is for tests"},
	"internal/xz":                  {[]string{"internal/debian"}, "debian opens every compression by its name, and limits what comes out"},
	"internal/hardware":            {[]string{"internal/cli"}, "a machine is described, not asked: only a first description looks at hardware"},
	"internal/config":              {[]string{"internal/cli", "internal/edition"}, "rooms take machines, not text"},
	"internal/namespace":           {[]string{"internal/cli", "cmd/stet"}, "a process is in a namespace before it does anything, or never"},
	"internal/understudy":          {[]string{"cmd/stet-understudy"}, "what it does, it does to the root that it runs in"},
	"internal/vm":                  {[]string{"internal/build", "internal/cli", "internal/trial"}, "a room that makes something never depends on a guest"},
	"internal/sandbox":             {[]string{"internal/build", "internal/cli", "internal/disk", "internal/rootfs", "cmd/stet"}, "foreign programs run only where a root is configured, finished or made into an image"},
}

// impure are names that make a pure room's output depend on where and when it
// ran.
var impure = map[string][]string{
	"time":         {"Now", "Since", "Until", "Local"},
	"os":           {"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Hostname", "Getwd", "Args", "TempDir", "UserHomeDir"},
	"math/rand":    nil, // nil: the import alone
	"math/rand/v2": nil,
	"crypto/rand":  nil,
	"os/exec":      nil,
	"net":          nil,
	"net/http":     nil,
	"runtime":      {"NumCPU", "GOOS", "GOARCH", "Version"},
}

// noNames say nothing of what is in a package.
var noNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "base", "shared", "pkg", "lib"}

// listed is what `go list -json` tells of a package.
type listed struct {
	ImportPath, Dir, Doc string
	GoFiles, Imports     []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,GoFiles,Imports", "./...")
	command.Dir = ".."
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			p.ImportPath = strings.TrimPrefix(p.ImportPath, "stet/")
			all = append(all, p)
		}
	}
	if len(all) < len(rooms)/2 {
		t.Fatalf("only %d packages were found", len(all))
	}
	return all
}

// aside reports whether a package is no room of the house: tests and
// benchmarks use Stet as others do.
func aside(name string) bool {
	return strings.HasPrefix(name, "test/") || name == "bench" || strings.HasPrefix(name, "bench/") || strings.Contains(name, "/testdata/")
}

func TestImportsLeadOnlyForward(t *testing.T) {
	for _, p := range listPackages(t) {
		if aside(p.ImportPath) {
			continue
		}
		r, ok := rooms[p.ImportPath]
		if !ok {
			t.Errorf("%s has no row in the table of rooms: say there what it may import, and why no more", p.ImportPath)
			continue
		}
		allowed := r.allowed()
		for _, name := range p.Imports {
			imported, ours := strings.CutPrefix(name, "stet/")
			if !ours {
				continue
			}
			if aside(imported) {
				t.Errorf("%s imports %s: no room depends on tests", p.ImportPath, imported)
			} else if !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s, which it may not: %s", p.ImportPath, imported, r.why)
			}
			if n, ok := narrow[imported]; ok && !slices.Contains(n.by, p.ImportPath) {
				t.Errorf("%s imports %s, which only %v may: %s", p.ImportPath, imported, n.by, n.why)
			}
		}
	}
}

func (r room) allowed() []string {
	var all []string
	for _, name := range strings.Fields(r.imports) {
		if name != "modules" && name != "schema" {
			name = "internal/" + name
		}
		all = append(all, name)
	}
	return all
}

func TestTheTableKeepsPureRoomsPure(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(rooms)) {
		r := rooms[name]
		for _, imported := range r.allowed() {
			other, ok := rooms[imported]
			switch {
			case !ok:
				t.Errorf("the row of %s names %s, which has no row", name, imported)
			case r.kind == pure && other.kind != pure:
				t.Errorf("the row of %s lets it import %s, but a pure room may import no %s", name, imported, other.kind)
			}
		}
		if r.why == "" {
			t.Errorf("the row of %s has no reason", name)
		}
	}
}

func TestPureRoomsAskNobody(t *testing.T) {
	for _, p := range listPackages(t) {
		if r, ok := rooms[p.ImportPath]; !ok || r.kind != pure {
			continue
		}
		for _, file := range p.GoFiles {
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, problem := range impurities(parsed) {
				t.Errorf("%s: %s: %s is pure: the same input gives the same output on every host and in every year; "+
					"let the caller pass the value in", path.Join(p.ImportPath, file), problem, p.ImportPath)
			}
		}
	}
}

// impurities lists the uses of impure names in a file.
func impurities(file *ast.File) []string {
	var found []string
	local := map[string]string{} // name in the file to import path
	for _, spec := range file.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		names, listed := impure[name]
		if !listed {
			continue
		}
		if names == nil {
			found = append(found, "it imports "+name)
		}
		as := path.Base(name)
		if spec.Name != nil {
			as = spec.Name.Name
		}
		local[as] = name
	}
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && slices.Contains(impure[local[x.Name]], selector.Sel.Name) {
			found = append(found, "it uses "+x.Name+"."+selector.Sel.Name)
		}
		return true
	})
	return found
}

func TestImpuritiesAreFound(t *testing.T) {
	const text = `package p
import ("time"; env "os"; "math/rand")
var _ = time.Now()
var _ = env.Getenv("x")
var _ = time.Second
var _ = rand.Int()`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"it imports math/rand", "it uses time.Now", "it uses env.Getenv"}
	if got := impurities(file); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range listPackages(t) {
		if strings.Contains(p.ImportPath, "/testdata/") {
			continue
		}
		if p.Doc == "" {
			t.Errorf("%s has no package comment: doc.go says what it takes, gives and must never do, and who may import it", p.ImportPath)
		}
		for element := range strings.SplitSeq(p.ImportPath, "/") {
			if slices.Contains(noNames, element) {
				t.Errorf("%s: %q says nothing of what is in the package: a package is a noun with one job", p.ImportPath, element)
			}
		}
	}
}

// TestEveryModuleIsAccountedFor compares go.mod with the page that says why.
func TestEveryModuleIsAccountedFor(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/dev/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	direct, _, _ := strings.Cut(string(mod), "\n)")
	for _, found := range regexp.MustCompile(`(?m)^\t(\S+) v`).FindAllStringSubmatch(direct, -1) {
		if !strings.Contains(string(page), "| `"+found[1]+"` |") {
			t.Errorf("docs/dev/dependencies.md does not say why Stet needs %s, its licence, and who keeps it", found[1])
		}
	}
}
