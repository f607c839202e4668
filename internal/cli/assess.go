package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stet/internal/assessment"
	"stet/internal/health"
)

// noticeFile is read by pam_motd(8) at every login, on consoles and over SSH,
// as Debian configures it.
const noticeFile = "/run/motd.d/stet"

// newAssess has the commands of the units that judge a boot
// (docs/formats/boot.md); people have no need of them.
func newAssess(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:    "assess",
		Short:  "Judge this boot (units of the machine call it)",
		Hidden: true,
	}
	for _, step := range []struct {
		name, short string
		do          func(judgement, context.Context) error
	}{
		{"begin", "Say which generations failed", judgement.begin},
		{"health", "Check the health of this generation", judgement.health},
		{"good", "Mark this generation as good", judgement.good},
		{"deadline", "Give up a boot that hangs", judgement.deadline},
	} {
		cmd.AddCommand(&cobra.Command{Use: step.name, Short: step.short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			j, err := a.judgement()
			if err != nil {
				return err
			}
			err = step.do(j, cmd.Context())
			return errors.Join(err, j.tell())
		}})
	}
	return cmd
}

// judgement is one look at this boot.
type judgement struct {
	installed
	boot assessment.Machine
	now  time.Time
}

func (a *app) judgement() (judgement, error) {
	here, err := a.installed(espFlag{})
	if err != nil {
		return judgement{}, err
	}
	booted, err := here.started()
	if err == nil && booted == 0 {
		err = wrongInput(errors.New("this boot is no generation's: the kernel command line has no stet.generation="), "")
	}
	if err != nil {
		return judgement{}, err
	}
	return judgement{here, assessment.Machine{ESP: here.esp(), Generations: here.generations(), Booted: booted}, a.Now()}, nil
}

// started is the generation that systemd began with: after a soft reboot another
// one than that of the kernel command line.
func (i installed) started() (int, error) {
	booted, err := i.booted()
	if err != nil || booted == 0 {
		return 0, err
	}
	record, err := i.record()
	return cmp.Or(record.Generation, booted), err
}

// begin marks what the boot loader gave up.
func (j judgement) begin(ctx context.Context) error {
	_, err := j.boot.Fallen(func(number int) string { return lastWords(ctx, number) })
	return err
}

// health carries out the checks, and starts the machine again where that leads
// to a generation that works.
func (j judgement) health(ctx context.Context) error {
	results, err := j.examine(ctx, health.Before{})
	if err != nil {
		return err
	}
	if err := j.note(examination{j.boot.Booted, j.now.UTC(), results}); err != nil {
		return err
	}
	failed := health.Failed(results)
	if len(failed) == 0 {
		return nil
	}
	return j.unwell(ctx, sentence(failed), "reboot")
}

// examine carries out the checks that the running system declares.
func (i installed) examine(ctx context.Context, before health.Before) ([]health.Result, error) {
	text, err := os.ReadFile(i.at("/usr/" + health.File))
	if err != nil {
		return nil, err
	}
	declared, err := health.Parse(text)
	if err != nil {
		return nil, err
	}
	return health.Run(ctx, i.local(), declared, before)
}

// note writes down what an examination found.
func (i installed) note(e examination) error {
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	return i.place(healthFile, append(text, '\n'), 0o644)
}

// good is the end of a boot that went well.
func (j judgement) good(context.Context) error { return j.boot.Good() }

// deadline gives up a boot that has not come to its end; by force, because what
// hangs may hang when it is stopped, too.
func (j judgement) deadline(ctx context.Context) error {
	state, err := j.local().ActiveState(ctx, "boot-complete.target")
	if err != nil || state == "active" {
		return err
	}
	return j.unwell(ctx, "it did not come up in time"+waiting(ctx), "reboot", "--force")
}

// unwell settles that this boot failed, and says what follows.
func (j judgement) unwell(ctx context.Context, why string, restart ...string) error {
	outlook, err := j.boot.Unwell(why)
	if err != nil {
		return err
	}
	err = fmt.Errorf("generation %d is not well: %s; %s", j.boot.Booted, why, outlook)
	if !outlook.GoesBack() {
		return err
	}
	if out, failure := exec.CommandContext(ctx, "systemctl", append(restart, "--no-block")...).CombinedOutput(); failure != nil {
		return errors.Join(err, fmt.Errorf("start the machine again: %w: %s", failure, strings.TrimSpace(string(out))))
	}
	return err
}

// tell writes down what a person is told at login.
func (j judgement) tell() error {
	report, err := j.status()
	if err != nil {
		return err
	}
	text := report.notice()
	if text == "" {
		if err := os.Remove(j.at(noticeFile)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return j.place(noticeFile, []byte(text), 0o644)
}

// place writes a file below /run, whole.
func (i installed) place(name string, text []byte, mode fs.FileMode) error {
	hidden := i.at("/run/stet/." + filepath.Base(name))
	if err := os.WriteFile(hidden, text, mode); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(i.at(name)), 0o755); err != nil {
		return err
	}
	return os.Rename(hidden, i.at(name))
}

// waiting names the units that systemd still starts.
func waiting(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "systemctl", "list-jobs", "--no-legend", "--plain", "--full").Output()
	if err != nil {
		return ""
	}
	var units []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) == 4 && fields[3] == "running" && !strings.HasPrefix(fields[1], "stet-") {
			units = append(units, fields[1])
		}
	}
	if len(units) == 0 {
		return ""
	}
	return ": " + strings.Join(units, ", ") + " did not finish starting"
}

// lastWords asks the journal what went wrong in the last boot of a generation:
// the last error that was written down before it ended.
func lastWords(ctx context.Context, number int) string {
	var entry struct {
		Boot string `json:"_BOOT_ID"`
	}
	// The kernel repeats its command line in one of its first messages.
	out, err := journal(ctx, "--output=json", "--output-fields=_BOOT_ID", "--lines=1",
		fmt.Sprintf(`--grep=Command line:.* stet\.generation=%d( |$)`, number), "_TRANSPORT=kernel")
	if err != nil || json.Unmarshal([]byte(out), &entry) != nil || entry.Boot == "" {
		return ""
	}
	out, err = journal(ctx, "--output=cat", "--lines=1", "--priority=err", "--boot="+entry.Boot)
	if words := strings.TrimSpace(out); err == nil && words != "" {
		return strings.Join(strings.Fields(words), " ")
	}
	return "its journal ends without an error: it hung, or the power failed"
}

func journal(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "journalctl", append([]string{"--quiet", "--no-pager"}, args...)...).Output()
	return string(out), err
}
