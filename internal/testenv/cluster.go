package testenv

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

const slots = 16384

// RedisCluster starts a cluster of n primaries that share the slots evenly, and returns when each knows all others.
func RedisCluster(t testing.TB, n int, args ...string) []*RedisServer {
	t.Helper()
	nodes, buses := make([]*RedisServer, n), make([]string, n)
	for i := range nodes {
		buses[i] = strconv.Itoa(FreePort(t)) // the default, 10,000 above its port, may not exist
		nodes[i] = Redis(t, append([]string{"--cluster-enabled", "yes", "--cluster-port", buses[i]}, args...)...)
		first, last := i*slots/n, (i+1)*slots/n-1
		if _, err := nodes[i].Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last)); err != nil {
			t.Fatalf("give %s its slots: %v", nodes[i].Addr, err)
		}
		if i == 0 {
			continue
		}
		host, port, _ := net.SplitHostPort(nodes[0].Addr)
		if _, err := nodes[i].Do("CLUSTER", "MEET", host, port, buses[0]); err != nil {
			t.Fatalf("let %s meet the others: %v", nodes[i].Addr, err)
		}
	}
	deadline := time.Now().Add(syncTimeout)
	for _, node := range nodes {
		for !node.joined(n) {
			if time.Now().After(deadline) {
				t.Fatalf("after %v %s is not in a cluster of %d", syncTimeout, node.Addr, n)
			}
			time.Sleep(probeEvery)
		}
	}
	return nodes
}

func (s *RedisServer) joined(n int) bool {
	info, err := s.Do("CLUSTER", "INFO")
	return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_size:"+strconv.Itoa(n)+"\r")
}
