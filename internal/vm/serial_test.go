package vm

import (
	"bytes"
	"io"
	"testing"
)

// What the kernel said of a boot that the emulator broke, and of one that is only
// slow.
func TestTheConsoleTellsABrokenKernelFromASlowOne(t *testing.T) {
	for said, broken := range map[string]bool{
		"[    1.320151] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\n":                                                                            true,
		"[ 1604.046721] rcu: rcu_preempt kthread timer wakeup didn't happen for 15746 jiffies! g-995 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x402\n": true,
		"[ 1604.044197] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n[    0.1] clocksource: timekeeping watchdog\n":                 false,
	} {
		c := newSerial(nil).connect(struct {
			io.Reader
			io.Writer
		}{bytes.NewReader([]byte(said)), io.Discard})
		<-c.ended
		select {
		case <-c.misled:
			if !broken {
				t.Errorf("taken for broken: %s", said)
			}
		default:
			if broken {
				t.Errorf("taken for a boot: %s", said)
			}
		}
	}
}
