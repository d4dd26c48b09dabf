package testenv

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// children returns the ids of the direct children of a process.
func children(parent int) []int {
	var found []int
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		if _, ppid := readStat(file); ppid == parent {
			pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
			found = append(found, pid)
		}
	}
	return found
}

// stopped tells whether every thread of the process has stopped or ended. SIGSTOP only asks for it.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		switch state, _ := readStat(thread); state {
		case 'T', 't', 'Z', 'X', gone:
		default:
			return false
		}
	}
	return true
}

// alive tells whether the process still has files and memory. A zombie has none: it waits for its parent, which for an
// orphan is process 1, to ask how it ended.
func alive(pid int) bool {
	state, _ := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	return state != gone && state != 'X' && state != 'Z'
}

const gone = 0

// readStat returns the state and the parent of a process or thread; state gone if it is no more.
func readStat(file string) (state byte, parent int) {
	line, err := os.ReadFile(file)
	if err != nil {
		return gone, 0
	}
	// The second field is the program's name in parentheses; it may hold spaces and parentheses itself.
	rest := line[bytes.LastIndexByte(line, ')')+1:]
	fields := bytes.Fields(rest)
	if len(fields) < 2 {
		return gone, 0
	}
	parent, _ = strconv.Atoi(string(fields[1]))
	return fields[0][0], parent
}
