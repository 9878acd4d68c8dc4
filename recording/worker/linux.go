//go:build linux

package worker

import (
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// lowest is the nice value that leaves most to others.
const lowest = 19

// socketPair returns two sockets that are connected and keep messages apart.
func socketPair() (ours, theirs *os.File, err error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(pair[0]), "worker"), os.NewFile(uintptr(pair[1]), "serve"), nil
}

// ofWorker lets a worker end with the process that has started it. A key that ends
// that one in a terminal does not reach it.
func ofWorker() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// restart lowers the priority of this thread and runs the program anew in the place of this
// process, without environment and open files but 0 to 3. With idle it runs only when
// nobody else wants the processor (sched(7), SCHED_IDLE).
func restart(idle bool, arguments []string) error {
	_ = keepToLast() // if that is forbidden it works all the same
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, lowest); err != nil {
		return os.NewSyscallError("setpriority", err)
	}
	if idle {
		attributes := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
		if err := unix.SchedSetAttr(0, &attributes, 0); err != nil {
			return os.NewSyscallError("sched_setattr", err)
		}
	}
	if err := closeOthersOnExec(); err != nil {
		return err
	}
	return fmt.Errorf("exec: %w", syscall.Exec(program, arguments, nil))
}

// keepToLast keeps this thread to the last of the processors that it may use. All workers share
// that one, so that a call never waits until one of them has left a processor while there
// is another.
func keepToLast() error {
	var may, last unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	for cpu := range len(may) * bits.UintSize {
		if may.IsSet(cpu) {
			last.Zero()
			last.Set(cpu)
		}
	}
	return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &last))
}

// closeOthersOnExec closes the descriptors that were open in whatever has started serve.
func closeOthersOnExec() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range open {
		if number, err := strconv.Atoi(entry.Name()); err == nil && number > socketNumber {
			syscall.CloseOnExec(number)
		}
	}
	return nil
}
