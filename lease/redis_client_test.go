package lease

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"waybill/internal/testenv"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// withRights makes a user and returns its URL.
func withRights(t testing.TB, server *testenv.RedisServer, name, rights string) string {
	t.Helper()
	if _, err := server.Do(append([]string{"ACL", "SETUSER", name, "reset", "on", ">secret-word"}, strings.Fields(rights)...)...); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(server.URL, "redis://", "redis://"+name+":secret-word@", 1)
}

// everything asks all that an authority is ever asked.
func everything(r *Redis, worker int) error {
	ctx, token := context.Background(), NewToken()
	_, err := r.Free(ctx, Instance{Name: "a"})
	errs := []error{err}
	for _, number := range []uint64{1, 1, 2} {
		_, err := r.Grant(ctx, claim(worker, token, number))
		errs = append(errs, err)
	}
	_, err = r.Holders(ctx)
	return errors.Join(append(errs, err, r.Trim(ctx, worker, token, 0))...)
}

func TestALeaseNeedsTheseRightsAndNoMore(t *testing.T) {
	server := testenv.Redis(t)
	s := redisSpace(t, ByRedisAndPostgres)
	least := withRights(t, server, "least", leastRights)
	if err := everything(openRedis(t, least, s), 1); err != nil {
		t.Error(err)
	}
	explained := func(url, want string) {
		t.Helper()
		err := dialRedis(t, url, "", s).Enter(context.Background(), s)
		if err == nil || !strings.Contains(err.Error(), "its user may not") || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "ACL SETUSER") || strings.Contains(err.Error(), "secret-word") {
			t.Errorf("want %s: %v", want, err)
		}
	}
	for i, right := range strings.Fields(leastRights) {
		url := withRights(t, server, fmt.Sprintf("without%d", i), strings.Replace(leastRights+" ", right+" ", "", 1))
		explained(url, right)
		r := dialRedis(t, url, "", s)
		r.space = s // as if Enter had not noticed
		if right != "+wait" && everything(r, 2+i) == nil {
			t.Errorf("%s is not needed", right)
		}
	}
	explained(withRights(t, server, "all", "-@all +@all -zadd ~waybill:*"), "+zadd")
	explained(withRights(t, server, "elsewhere", "~*:worker:* "+leastRights[len("~waybill:*"):]), "~waybill:*")
	if n, err := server.Do("EXISTS", openRedis(t, server.URL, s).key("probe")); err != nil || n != "0" {
		t.Errorf("the probe leaves a key: %s, %v", n, err)
	}
	// Another database.
	fifth := strings.TrimSuffix(least, "0") + "5"
	explained(fifth, "+select")
	withRights(t, server, "least", leastRights+" +select")
	if err := everything(openRedis(t, fifth, s), 1); err != nil {
		t.Error(err)
	}
	wrong := strings.Replace(server.URL, "redis://", "redis://least:wrong-word@", 1)
	if err := dialRedis(t, wrong, "", s).Enter(context.Background(), s); err == nil || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "wrong-word") {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestARedisThatMayEvictIsRefused(t *testing.T) {
	s := redisSpace(t, ByRedisAndPostgres)
	evicting := testenv.Redis(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	if err := dialRedis(t, evicting.URL, "", s).Enter(context.Background(), s); err == nil || !strings.Contains(err.Error(), "allkeys-lru") || !strings.Contains(err.Error(), "noeviction") {
		t.Errorf("%v", err)
	}
	openRedis(t, testenv.Redis(t, "--maxmemory", "100mb", "--maxmemory-policy", "noeviction").URL, s)
}

func TestARedisThatIsAwayIsAnErrorAndNothingElse(t *testing.T) {
	s := redisSpace(t, ByRedisAndPostgres)
	err := dialRedis(t, fmt.Sprintf("redis://u:secret-word@127.0.0.1:%d/0", testenv.FreePort(t)), "", s).Enter(context.Background(), s)
	if failed, ok := errors.AsType[*StoreError](err); !ok || failed.Store != "redis" || strings.Contains(err.Error(), "secret-word") {
		t.Errorf("%v", err)
	}
	if len(flag.Args()) > 0 {
		return
	}
	again := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "again")
	if output, err := again.CombinedOutput(); err != nil || !strings.HasPrefix(string(output), "PASS\n") {
		t.Errorf("%v: %q", err, output)
	}
}

// certificate writes a self-signed one for 127.0.0.1 and returns its files and
// the pin of its key.
func certificate(t *testing.T) (certFile, keyFile, pin string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256(public)
	return certFile, keyFile, hex.EncodeToString(sum[:])
}

func TestTLSIsVerifiedOrPinnedOrInsecureByName(t *testing.T) {
	certFile, keyFile, pin := certificate(t)
	port := strconv.Itoa(testenv.FreePort(t))
	testenv.Redis(t, "--tls-port", port, "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", certFile, "--tls-auth-clients", "no")
	address := "rediss://127.0.0.1:" + port + "/0"
	s := redisSpace(t, ByRedisAndPostgres)
	enter := func(mode string) error { return dialRedis(t, address, mode, s).Enter(context.Background(), s) }
	for _, mode := range []string{"pin:" + pin, "insecure"} {
		if err := enter(mode); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
	for _, mode := range []string{"", "verify"} {
		if _, ok := errors.AsType[x509.UnknownAuthorityError](enter(mode)); !ok {
			t.Errorf("%q: %v", mode, enter(mode))
		}
	}
	if err := enter("pin:" + strings.Repeat("ab", 32)); err == nil || !strings.Contains(err.Error(), "pin:"+pin) {
		t.Errorf("another key: %v", err)
	}
	for _, mode := range []string{"none", "pin:", "pin:abcd", "pin:" + strings.Repeat("zz", 32)} {
		if err := CheckRedisURL(address, mode); err == nil {
			t.Errorf("%s is taken", mode)
		}
	}
	if err := CheckRedisURL("redis://127.0.0.1/0", "insecure"); err == nil {
		t.Error("a TLS mode without TLS is taken")
	}
}

// With Sentinels the authority follows the primary: at once beside Postgres,
// after the quarantine without.
func TestTheAuthorityFollowsAFailOverOfSentinels(t *testing.T) {
	t.Parallel()
	for _, authorities := range []string{ByRedisAndPostgres, ByRedis} {
		t.Run(authorities, func(t *testing.T) {
			t.Parallel()
			followsAFailOver(t, redisSpace(t, authorities))
		})
	}
}

func followsAFailOver(t *testing.T, s Space) {
	ctx := context.Background()
	primary := testenv.Redis(t)
	testenv.RedisReplica(t, primary.Addr)
	file, watcher := filepath.Join(t.TempDir(), "sentinel.conf"), "127.0.0.1:"+strconv.Itoa(testenv.FreePort(t))
	conf := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor main %s 1\nsentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n",
		strings.TrimPrefix(watcher, "127.0.0.1:"), strings.Replace(primary.Addr, ":", " ", 1))
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	testenv.Sentinel(t, file, watcher)
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: watcher})
	defer sentinel.Close()
	r := openRedis(t, "redis://"+watcher+"/0?master_name=main", s)
	endQuarantine(t, r)
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if known, err := sentinel.Replicas(ctx, "main").Result(); err == nil && len(known) == 1 && known[0]["master-link-status"] == "ok" {
			break
		}
		if time.Since(begin) > 15*time.Second {
			t.Fatal("the sentinel does not know of the replica")
		}
	}
	token := NewToken()
	held := must(t, r, claim(1, token, 1))
	primary.Kill()
	begin := time.Now()
	var err error
	for {
		if _, err = r.Grant(ctx, claim(1, token, 2)); err == nil {
			t.Fatal("the promoted server extends what it may have forgotten")
		}
		if _, unanswered := errors.AsType[*StoreError](err); !unanswered {
			break
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("not within 20 s: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("answered by the promoted server %s after the primary was killed: %v", time.Since(begin).Round(100*time.Millisecond), err)
	if s.fenced() {
		if !errors.Is(err, ErrLost) {
			t.Errorf("%v", err)
		}
		must(t, r, claim(2, NewToken(), 1))
		return
	}
	// Its lock may have run out while Redis was away: then the loss is known first.
	wait, full := quarantine(t, r), 2*time.Second+quarantineSlack
	if _, ok := errors.AsType[*QuarantineError](err); !ok && !errors.Is(err, ErrLost) || wait > full || wait < full-time.Second {
		t.Errorf("%v, and it waits %s, not %s", err, wait, full)
	}
	time.Sleep(wait)
	if next := must(t, r, claim(1, NewToken(), 1)); next.Window.From < held.Window.Until {
		t.Errorf("%+v overlaps %+v", next.Window, held.Window)
	}
}

func TestASpaceIsOneSlotOfACluster(t *testing.T) {
	t.Parallel()
	nodes := testenv.RedisCluster(t, 3)
	user := func(rights string) string {
		for _, node := range nodes {
			withRights(t, node, "least", rights)
		}
		return fmt.Sprintf("redis://least:secret-word@%s?addr=%s&addr=%s", nodes[0].Addr, nodes[1].Addr, nodes[2].Addr)
	}
	s := redisSpace(t, ByRedisAndPostgres)
	err := dialRedis(t, user(leastRights), "", s).Enter(context.Background(), s)
	if err == nil || !strings.Contains(err.Error(), "+cluster|slots") || strings.Contains(err.Error(), "secret-word") {
		t.Errorf("without the map of the cluster: %v", err)
	}
	url := user(leastRights + " +cluster|slots +command")
	var where []string
	for range 12 { // spaces in slots of several nodes
		s.ID = uuid.NewString()
		r := openRedis(t, url, s)
		if err := everything(r, 1); err != nil {
			t.Error(err)
		}
		if h, err := r.Holders(context.Background()); err != nil || len(h.Standby) != 1 {
			t.Errorf("%+v %v", h, err)
		}
		node, err := r.node(context.Background(), r.key("state"))
		if err != nil {
			t.Fatal(err)
		}
		where = append(where, node.Options().Addr)
	}
	slices.Sort(where)
	if len(slices.Compact(where)) == 1 {
		t.Errorf("all of them on one node: %v", where)
	}
	for _, node := range nodes {
		if _, err := node.Do("FLUSHALL"); err != nil {
			t.Fatal(err)
		}
	}
	single := redisSpace(t, ByRedis)
	r := openRedis(t, url, single)
	endQuarantine(t, r)
	if err := everything(r, 1); err != nil {
		t.Error(err)
	}
}

// confirmed repeats a claim, as a keeper does, until a replica that may be slow on
// a busy machine has it.
func confirmed(t *testing.T, r *Redis, c Claim) Grant {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		g, err := r.Grant(context.Background(), c)
		if err == nil {
			return g
		}
		if !strings.Contains(err.Error(), "0 of 1 replicas") || time.Since(begin) > 10*time.Second {
			t.Fatal(err)
		}
	}
}

func TestAGrantIsUsedOnlyOnceItsReplicasHaveIt(t *testing.T) {
	t.Parallel()
	server := testenv.Redis(t)
	s := redisSpace(t, ByRedis)
	s.Replicas = 1
	r := dialRedis(t, server.URL, "", s)
	if err := r.Enter(context.Background(), s); err == nil || !strings.Contains(err.Error(), "REDIS_REPLICAS=1") {
		t.Fatalf("without a replica: %v", err)
	}
	replica := testenv.RedisReplica(t, server.Addr)
	if err := r.Enter(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	endQuarantine(t, r)
	token := NewToken()
	first := confirmed(t, r, claim(1, token, 1))
	again := openRedis(t, server.URL, s) // WAIT waits for what its own connection wrote
	replica.Pause()
	for _, r := range []*Redis{r, r, again} { // a repetition has to be confirmed as well
		if _, err := r.Grant(context.Background(), claim(1, token, 2)); err == nil || !strings.Contains(err.Error(), "0 of 1 replicas") {
			t.Errorf("with its replica frozen: %v", err)
		}
	}
	refused(t, r, claim(1, token, 9), ErrLost) // what is refused needs no confirmation, and says why
	replica.Resume()
	second := confirmed(t, r, claim(1, token, 2))
	if second.Window.From != first.Window.From || second.Window.Until <= first.Window.Until {
		t.Errorf("%+v, then %+v", first, second)
	}
}
