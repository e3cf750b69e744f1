// Drives an etcd with clientv3 and what is built on it, and prints what it found, a line for each
// step: the same lines, whoever serves. "kill" asks whoever runs it to kill the leader, and waits
// for a line on standard input.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/client/v3/leasing"
	"go.etcd.io/etcd/client/v3/mirror"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.etcd.io/etcd/client/v3/ordering"
)

var endpoints = flag.String("endpoints", "http://127.0.0.1:2379", "comma separated")
var in = bufio.NewReader(os.Stdin)

func connect(user, password string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: strings.Split(*endpoints, ","), DialTimeout: 10 * time.Second, Username: user, Password: password,
	})
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func keysOf(r *clientv3.GetResponse) string {
	var out []string
	for _, kv := range r.Kvs {
		out = append(out, fmt.Sprintf("%s=%s", kv.Key, kv.Value))
	}
	return strings.Join(out, " ")
}

func kvs(ctx context.Context, c *clientv3.Client) {
	for i, key := range []string{"kv/a", "kv/b", "kv/c", "kv/a"} {
		r, err := c.Put(ctx, key, fmt.Sprint(i), clientv3.WithPrevKV())
		must(err)
		fmt.Println("put", key, r.PrevKv != nil)
	}
	r, err := c.Get(ctx, "kv/", clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend), clientv3.WithLimit(2))
	must(err)
	fmt.Println("get", keysOf(r), r.More, r.Count)
	t, err := c.Txn(ctx).If(clientv3.Compare(clientv3.Value("kv/a"), "=", "3"), clientv3.Compare(clientv3.Version("kv/"), ">", 0).WithPrefix()).
		Then(clientv3.OpPut("kv/d", "4"), clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpGet("kv/d")}, nil)).Else(clientv3.OpDelete("kv/a")).Commit()
	must(err)
	fmt.Println("txn", t.Succeeded, len(t.Responses), keysOf((*clientv3.GetResponse)(t.Responses[1].GetResponseTxn().Responses[0].GetResponseRange())))
	d, err := c.Delete(ctx, "kv/", clientv3.WithPrefix(), clientv3.WithPrevKV())
	must(err)
	fmt.Println("delete", d.Deleted, len(d.PrevKvs))
	_, err = c.Get(ctx, "kv/", clientv3.WithRev(1<<40))
	fmt.Println("future", errors.Is(err, rpctypes.ErrFutureRev))
	_, err = c.Compact(ctx, d.Header.Revision)
	must(err)
	_, err = c.Get(ctx, "kv/", clientv3.WithRev(d.Header.Revision-1))
	fmt.Println("compacted", errors.Is(err, rpctypes.ErrCompacted))
}

func streams(ctx context.Context, c *clientv3.Client) {
	for i := 0; i < 300; i++ {
		_, err := c.Put(ctx, fmt.Sprintf("stream/%03d", i), strings.Repeat("v", 20000))
		must(err)
	}
	r, err := c.Get(ctx, "stream/", clientv3.WithPrefix())
	must(err)
	stream, err := c.GetStream(ctx, "stream/", clientv3.WithPrefix())
	must(err)
	merged, err := clientv3.GetStreamToGetResponse(stream)
	must(err)
	same := len(r.Kvs) == len(merged.Kvs)
	for i := range merged.Kvs {
		same = same && r.Kvs[i].String() == merged.Kvs[i].String()
	}
	fmt.Println("range stream", len(merged.Kvs), merged.Count, merged.More, same)
}

func leases(ctx context.Context, c *clientv3.Client) {
	l, err := c.Grant(ctx, 2)
	must(err)
	_, err = c.Put(ctx, "lease/a", "1", clientv3.WithLease(l.ID))
	must(err)
	keeping, cancel := context.WithCancel(ctx)
	alive, err := c.KeepAlive(keeping, l.ID)
	must(err)
	for deadline := time.Now().Add(4 * time.Second); time.Now().Before(deadline); {
		if r := <-alive; r == nil {
			panic("the lease was lost")
		}
	}
	ttl, err := c.TimeToLive(ctx, l.ID, clientv3.WithAttachedKeys())
	must(err)
	fmt.Println("kept alive", ttl.GrantedTTL, len(ttl.Keys), ttl.TTL > 0)
	cancel()
	w := c.Watch(ctx, "lease/a")
	e := <-w
	fmt.Println("expired", e.Events[0].Type)
	_, err = c.Revoke(ctx, l.ID)
	fmt.Println("revoke", errors.Is(err, rpctypes.ErrLeaseNotFound))
}

func locks(ctx context.Context, c *clientv3.Client) {
	var mu sync.Mutex
	inside, most, total := 0, 0, 0
	var done sync.WaitGroup
	for i := 0; i < 4; i++ {
		done.Add(1)
		go func() {
			defer done.Done()
			s, err := concurrency.NewSession(c, concurrency.WithTTL(30))
			must(err)
			defer s.Close()
			m := concurrency.NewMutex(s, "mutex/")
			for n := 0; n < 3; n++ {
				must(m.Lock(ctx))
				mu.Lock()
				inside, total, most = inside+1, total+1, max(most, inside+1)
				mu.Unlock()
				time.Sleep(2 * time.Millisecond)
				mu.Lock()
				inside--
				mu.Unlock()
				must(m.Unlock(ctx))
			}
		}()
	}
	done.Wait()
	fmt.Println("mutex", total, "at once", most)
	one, err := concurrency.NewSession(c)
	must(err)
	two, err := concurrency.NewSession(c)
	must(err)
	m := concurrency.NewMutex(one, "try/")
	must(m.Lock(ctx))
	fmt.Println("try lock", concurrency.NewMutex(two, "try/").TryLock(ctx) == concurrency.ErrLocked)
	must(one.Close())
	must(concurrency.NewMutex(two, "try/").TryLock(ctx))
	must(two.Close())
}

func elections(ctx context.Context, c *clientv3.Client) {
	one, err := concurrency.NewSession(c)
	must(err)
	two, err := concurrency.NewSession(c)
	must(err)
	e := concurrency.NewElection(one, "election/")
	must(e.Campaign(ctx, "one"))
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := concurrency.NewElection(two, "election/").Observe(watching)
	fmt.Println("leader", string((<-seen).Kvs[0].Value))
	must(e.Proclaim(ctx, "one again"))
	fmt.Println("leader", string((<-seen).Kvs[0].Value))
	second := concurrency.NewElection(two, "election/")
	won := make(chan error)
	go func() { won <- second.Campaign(ctx, "two") }()
	must(e.Resign(ctx))
	must(<-won)
	r, err := second.Leader(ctx)
	must(err)
	fmt.Println("leader", string(r.Kvs[0].Value))
	must(two.Close())
	_, err = second.Leader(ctx)
	fmt.Println("nobody", err)
	must(one.Close())
}

func stm(ctx context.Context, c *clientv3.Client) {
	for i := 0; i < 4; i++ {
		_, err := c.Put(ctx, fmt.Sprint("account/", i), "100")
		must(err)
	}
	for _, isolation := range []concurrency.Isolation{concurrency.SerializableSnapshot, concurrency.Serializable, concurrency.RepeatableReads} {
		var done sync.WaitGroup
		for i := 0; i < 4; i++ {
			done.Add(1)
			go func(from, to int) {
				defer done.Done()
				for n := 0; n < 4; n++ {
					transfer := func(s concurrency.STM) error {
						var a, b int
						_, _ = fmt.Sscan(s.Get(fmt.Sprint("account/", from)), &a)
						_, _ = fmt.Sscan(s.Get(fmt.Sprint("account/", to)), &b)
						s.Put(fmt.Sprint("account/", from), fmt.Sprint(a-1))
						s.Put(fmt.Sprint("account/", to), fmt.Sprint(b+1))
						return nil
					}
					_, err := concurrency.NewSTM(c, transfer, concurrency.WithIsolation(isolation), concurrency.WithAbortContext(ctx))
					// All reads but its first are serializable, at the revision of that one: a member
					// that has not come so far cannot answer them, and the client does not ask again.
					for errors.Is(err, rpctypes.ErrFutureRev) {
						_, err = concurrency.NewSTM(c, transfer, concurrency.WithIsolation(isolation), concurrency.WithAbortContext(ctx))
					}
					must(err)
				}
			}(i, (i+1)%4)
		}
		done.Wait()
		r, err := c.Get(ctx, "account/", clientv3.WithPrefix())
		must(err)
		fmt.Println("stm", isolation, keysOf(r))
	}
}

func layers(ctx context.Context, c *clientv3.Client) {
	kv := namespace.NewKV(c.KV, "tenant/")
	w := namespace.NewWatcher(c.Watcher, "tenant/").Watch(ctx, "x", clientv3.WithPrefix())
	_, err := kv.Put(ctx, "x1", "1")
	must(err)
	fmt.Println("namespace event", string((<-w).Events[0].Kv.Key))
	r, err := c.Get(ctx, "tenant/x1")
	must(err)
	fmt.Println("namespace", keysOf(r))
	lkv, closeIt, err := leasing.NewKV(c, "leasing/")
	must(err)
	_, err = lkv.Put(ctx, "leased", "1")
	must(err)
	a, err := lkv.Get(ctx, "leased")
	must(err)
	_, err = c.Put(ctx, "other", "2")
	must(err)
	b, err := lkv.Get(ctx, "leased")
	must(err)
	fmt.Println("leasing", keysOf(a), keysOf(b))
	closeIt()
	okv := ordering.NewKV(c.KV, func(clientv3.Op, clientv3.OpResponse, int64) error { return ordering.ErrNoGreaterRev })
	r, err = okv.Get(ctx, "leased")
	must(err)
	fmt.Println("ordering", keysOf(r))
	from, done := context.WithCancel(ctx)
	s := mirror.NewSyncer(c, "tenant/", 0)
	base, failed := s.SyncBase(from)
	var copied []string
	for r := range base {
		copied = append(copied, keysOf(r))
	}
	must(<-failed)
	updates := s.SyncUpdates(from)
	_, err = kv.Put(ctx, "x2", "2")
	must(err)
	fmt.Println("mirror", copied, string((<-updates).Events[0].Kv.Key))
	done()
}

func errorsOf(ctx context.Context, c *clientv3.Client) {
	_, err := c.Put(ctx, "", "x")
	fmt.Println("empty key", errors.Is(err, rpctypes.ErrEmptyKey))
	_, err = c.Txn(ctx).Then(clientv3.OpPut("twice", "1"), clientv3.OpPut("twice", "2")).Commit()
	fmt.Println("twice", errors.Is(err, rpctypes.ErrDuplicateKey))
	_, err = c.Put(ctx, "x", "y", clientv3.WithLease(12345))
	fmt.Println("no lease", errors.Is(err, rpctypes.ErrLeaseNotFound))
	_, err = c.MemberRemove(ctx, 12345)
	fmt.Println("no member", errors.Is(err, rpctypes.ErrMemberNotFound))
	m, err := c.MemberList(ctx)
	must(err)
	var names []string
	for _, member := range m.Members {
		names = append(names, member.Name)
	}
	sort.Strings(names)
	fmt.Println("members", names)
	_, err = c.Put(ctx, "large", strings.Repeat("x", 1600000))
	fmt.Println("too large", errors.Is(err, rpctypes.ErrRequestTooLarge))
}

// Every event once and in order, while the leader is killed twice.
func resumes(ctx context.Context, c *clientv3.Client) {
	const count = 200
	w := c.Watch(clientv3.WithRequireLeader(ctx), "resume/", clientv3.WithPrefix())
	seen := make(chan string, count)
	var last error
	go func() {
		for r := range w {
			last = r.Err()
			for _, e := range r.Events {
				seen <- string(e.Kv.Key)
			}
		}
		close(seen)
	}()
	for i := 0; i < count; i++ {
		if i == count/3 || i == 2*count/3 {
			fmt.Println("kill")
			_, err := in.ReadString('\n')
			must(err)
		}
		key := fmt.Sprintf("resume/%03d", i)
		for {
			// Once only, whatever became of the try before.
			at, cancel := context.WithTimeout(ctx, 5*time.Second)
			_, err := c.Txn(at).If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).Then(clientv3.OpPut(key, "x")).Commit()
			cancel()
			if err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	right := 0
	for i := 0; i < count; i++ {
		select {
		case key, ok := <-seen:
			if !ok || key != fmt.Sprintf("resume/%03d", i) {
				fmt.Println("watch: saw", key, "instead of", i, "and then", last)
				os.Exit(1)
			}
			right++
		case <-time.After(20 * time.Second):
			fmt.Println("watch: nothing after", right)
			os.Exit(1)
		}
	}
	fmt.Println("watch over two kills of the leader", right)
}

func auth(ctx context.Context, c *clientv3.Client) {
	for _, user := range []string{"root", "alice"} {
		_, err := c.UserAdd(ctx, user, user)
		must(err)
		_, err = c.RoleAdd(ctx, user)
		must(err)
		_, err = c.UserGrantRole(ctx, user, user)
		must(err)
	}
	_, err := c.RoleGrantPermission(ctx, "alice", "own/", clientv3.GetPrefixRangeEnd("own/"), clientv3.PermissionType(clientv3.PermReadWrite))
	must(err)
	_, err = c.AuthEnable(ctx)
	must(err)
	_, err = c.Get(ctx, "own/a")
	fmt.Println("nobody", err)
	alice, err := connect("alice", "alice")
	must(err)
	_, err = alice.Put(ctx, "own/a", "1")
	fmt.Println("own", err)
	_, err = alice.Put(ctx, "other", "1")
	fmt.Println("other", err)
	answer := <-alice.Watch(ctx, "other")
	refused := answer.Err()
	fmt.Println("watch of another's", refused)
	_, err = connect("alice", "wrong")
	fmt.Println("wrong password", err)
	root, err := connect("root", "root")
	must(err)
	_, err = root.AuthDisable(ctx)
	must(err)
	for _, user := range []string{"root", "alice"} {
		_, err = c.UserDelete(ctx, user)
		must(err)
		_, err = c.RoleDelete(ctx, user)
		must(err)
	}
	must(alice.Close())
	must(root.Close())
}

func main() {
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c, err := connect("", "")
	must(err)
	for _, scenario := range []func(context.Context, *clientv3.Client){
		kvs, streams, leases, locks, elections, stm, layers, errorsOf, resumes, auth,
	} {
		scenario(ctx, c)
	}
	must(c.Close())
}
