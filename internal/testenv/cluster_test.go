package testenv

import (
	"strings"
	"testing"
)

func TestAClusterSharesTheSlots(t *testing.T) {
	t.Parallel()
	nodes := RedisCluster(t, 3)
	served := 0
	for _, node := range nodes {
		switch _, err := node.Do("SET", "k", "v"); {
		case err == nil:
			served++
		case !strings.HasPrefix(err.Error(), "MOVED"):
			t.Error(err)
		}
	}
	if served != 1 {
		t.Errorf("%d of 3 nodes have a key", served)
	}
}
