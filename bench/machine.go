package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
)

// describeMachine is one line of what matters for the figures. It names neither
// the machine nor the maker of its parts.
func describeMachine() string {
	var memory int64
	_, _ = fmt.Sscanf(text("/proc/meminfo"), "MemTotal: %d kB", &memory)
	kernel := regexp.MustCompile(`^\d+\.\d+`).FindString(text("/proc/sys/kernel/osrelease"))
	load, _, _ := strings.Cut(text("/proc/loadavg"), " ")
	return fmt.Sprintf("Machine: %d cores, %d GiB, Linux %s on %s, files on %s; %s; %s; load average at the start %s.",
		runtime.NumCPU(), (memory+1<<19)>>20, kernel, runtime.GOARCH, fileSystem(os.TempDir()),
		runtime.Version(), strings.Join(programs(), ", "), load)
}

// programs are the servers and the load generator, with their versions.
func programs() (found []string) {
	version := regexp.MustCompile(`\d+\.\d+(\.\d+)?`)
	for _, p := range [][2]string{{"Redis", "redis-server"}, {"Postgres", postgresProgram()}, {"wrk", "wrk"}} {
		name := p[0]
		output, _ := exec.Command(p[1], "--version").CombinedOutput() // wrk exits with 1
		if v := version.FindString(string(output)); v != "" {
			found = append(found, name+" "+v)
		} else {
			found = append(found, "no "+name)
		}
	}
	return found
}

// postgresProgram is where Debian keeps it.
func postgresProgram() string {
	places, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(places) == 0 {
		return "postgres"
	}
	return places[len(places)-1]
}

// fileSystem names the kind of file system: fsync means nothing on some.
func fileSystem(path string) string {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return "an unknown file system"
	}
	names := map[int64]string{0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x01021994: "tmpfs", 0x794c7630: "overlayfs", 0x2fc12fc1: "zfs"}
	if name, ok := names[s.Type]; ok {
		return name
	}
	return fmt.Sprintf("file system %#x", s.Type)
}

// text is a file's content, empty when it cannot be read.
func text(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}
