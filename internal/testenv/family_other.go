//go:build unix && !linux

package testenv

import "syscall"

// Elsewhere there is no Pdeathsig and no /proc: a killed test binary leaves its processes behind, and only the process
// itself is frozen or killed. That is enough to write tests on a laptop; Linux is where they count.

func dieWithParent(*syscall.SysProcAttr) {}

func children(int) []int { return nil }

func stopped(int) bool { return true }

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
