// Drives an etcd endpoint with etcd's own Go client and prints what it found as JSON. One source for
// every version of the client: the versions are in the .mod files beside it.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type check struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

type report struct {
	Client string  `json:"client"`
	Checks []check `json:"checks"`
}

var (
	endpoint = flag.String("endpoint", "http://127.0.0.1:2379", "URL of a client port")
	ca       = flag.String("ca", "", "certificate that https is trusted by")
	prefix   = flag.String("prefix", "go/", "keys that are used")
	small    = flag.Bool("small", false, "without large values and with few calls, for a recording")
)

func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	return "unknown"
}

func expect(ok bool, format string, args ...interface{}) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func connect() (*clientv3.Client, error) {
	config := clientv3.Config{Endpoints: []string{*endpoint}, DialTimeout: 5 * time.Second, MaxCallSendMsgSize: 16 << 20}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		config.TLS = &tls.Config{RootCAs: pool}
	}
	return clientv3.New(config)
}

type test struct {
	name string
	run  func(ctx context.Context, c *clientv3.Client) error
}

func key(name string) string { return *prefix + name }

var tests = []test{
	{"put and get keep every byte", func(ctx context.Context, c *clientv3.Client) error {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		if _, err := c.Put(ctx, key("bytes"), string(all)); err != nil {
			return err
		}
		got, err := c.Get(ctx, key("bytes"))
		if err != nil {
			return err
		}
		return expect(len(got.Kvs) == 1 && bytes.Equal(got.Kvs[0].Value, all), "got %v", got)
	}},
	{"range with limit, order, keys only and count only", func(ctx context.Context, c *clientv3.Client) error {
		for i := 0; i < 5; i++ {
			if _, err := c.Put(ctx, key(fmt.Sprintf("range/%d", i)), "v"); err != nil {
				return err
			}
		}
		got, err := c.Get(ctx, key("range/"), clientv3.WithPrefix(), clientv3.WithLimit(2), clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend), clientv3.WithKeysOnly())
		if err != nil {
			return err
		}
		if err := expect(len(got.Kvs) == 2 && got.More && string(got.Kvs[0].Key) == key("range/4") && len(got.Kvs[0].Value) == 0, "got %v", got); err != nil {
			return err
		}
		count, err := c.Get(ctx, key("range/"), clientv3.WithPrefix(), clientv3.WithCountOnly(), clientv3.WithSerializable())
		if err != nil {
			return err
		}
		return expect(count.Count == 5 && len(count.Kvs) == 0, "counted %v", count)
	}},
	{"txn takes either branch", func(ctx context.Context, c *clientv3.Client) error {
		k := key("txn")
		if _, err := c.Put(ctx, k, "a"); err != nil {
			return err
		}
		for i, want := range []bool{true, false} {
			got, err := c.Txn(ctx).If(clientv3.Compare(clientv3.Value(k), "=", "a")).Then(clientv3.OpPut(k, "b")).Else(clientv3.OpGet(k)).Commit()
			if err != nil {
				return err
			}
			if err := expect(got.Succeeded == want, "txn %d: %v", i, got); err != nil {
				return err
			}
		}
		return nil
	}},
	{"delete says what was there", func(ctx context.Context, c *clientv3.Client) error {
		for _, name := range []string{"gone/a", "gone/b"} {
			if _, err := c.Put(ctx, key(name), name); err != nil {
				return err
			}
		}
		got, err := c.Delete(ctx, key("gone/"), clientv3.WithPrefix(), clientv3.WithPrevKV())
		if err != nil {
			return err
		}
		return expect(got.Deleted == 2 && len(got.PrevKvs) == 2 && string(got.PrevKvs[1].Value) == "gone/b", "got %v", got)
	}},
	{"a large value, both ways", func(ctx context.Context, c *clientv3.Client) error {
		size := 1 << 20
		if *small {
			size = 40 << 10
		}
		value := strings.Repeat("0123456789abcdef", size/16)
		if _, err := c.Put(ctx, key("large"), value); err != nil {
			return err
		}
		got, err := c.Get(ctx, key("large"))
		if err != nil {
			return err
		}
		return expect(len(got.Kvs) == 1 && string(got.Kvs[0].Value) == value, "got %d kvs", len(got.Kvs))
	}},
	{"a request beyond the limit is refused", func(ctx context.Context, c *clientv3.Client) error {
		if *small {
			return nil
		}
		_, err := c.Put(ctx, key("too-large"), strings.Repeat("x", 1600<<10))
		if err := expect(err == rpctypes.ErrRequestTooLarge, "1600 KiB: %v", err); err != nil {
			return err
		}
		_, err = c.Put(ctx, key("too-large"), strings.Repeat("x", 8<<20))
		if err := expect(err != nil && strings.Contains(err.Error(), "larger than max"), "8 MiB: %v", err); err != nil {
			return err
		}
		_, err = c.Get(ctx, key("bytes"))
		return err
	}},
	{"compressed requests", func(ctx context.Context, c *clientv3.Client) error {
		conn := c.ActiveConnection()
		health := grpc_health_v1.NewHealthClient(conn)
		got, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.UseCompressor("gzip"))
		if err != nil {
			return err
		}
		return expect(got.Status == grpc_health_v1.HealthCheckResponse_SERVING, "got %v", got)
	}},
	{"many calls at once", func(ctx context.Context, c *clientv3.Client) error {
		calls := 500
		if *small {
			calls = 20
		}
		failures := make(chan error, calls)
		var group sync.WaitGroup
		for i := 0; i < calls; i++ {
			group.Add(1)
			go func(i int) {
				defer group.Done()
				k, v := key(fmt.Sprintf("many/%d", i)), fmt.Sprintf("value %d", i)
				if _, err := c.Put(ctx, k, v); err != nil {
					failures <- err
					return
				}
				got, err := c.Get(ctx, k)
				if err != nil {
					failures <- err
				} else if len(got.Kvs) != 1 || string(got.Kvs[0].Value) != v {
					failures <- fmt.Errorf("%s: got %v", k, got)
				}
			}(i)
		}
		group.Wait()
		close(failures)
		return <-failures
	}},
	{"calls that are cancelled leave the connection well", func(ctx context.Context, c *clientv3.Client) error {
		calls := 100
		if *small {
			calls = 5
		}
		var group sync.WaitGroup
		failures := make(chan error, calls)
		for i := 0; i < calls; i++ {
			group.Add(1)
			go func(i int) {
				defer group.Done()
				short, cancel := context.WithCancel(ctx)
				go func() {
					time.Sleep(time.Duration(i%10) * 100 * time.Microsecond)
					cancel()
				}()
				_, err := c.Get(short, key("large"))
				if err != nil && !errors.Is(err, context.Canceled) && status.Code(err) != codes.Canceled {
					failures <- err
				}
			}(i)
		}
		group.Wait()
		close(failures)
		if err := <-failures; err != nil {
			return err
		}
		_, err := c.Get(ctx, key("bytes"))
		return err
	}},
	{"deadlines", func(ctx context.Context, c *clientv3.Client) error {
		for _, left := range []time.Duration{time.Nanosecond, 50 * time.Microsecond, time.Millisecond} {
			short, cancel := context.WithTimeout(ctx, left)
			_, err := c.Get(short, key("large"))
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) && status.Code(err) != codes.DeadlineExceeded {
				return fmt.Errorf("%v: %v", left, err)
			}
		}
		_, err := c.Get(ctx, key("bytes"))
		return err
	}},
	{"metadata of any kind and size", func(ctx context.Context, c *clientv3.Client) error {
		with := metadata.AppendToOutgoingContext(ctx, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			"baggage", "a=1,b=2", "key-bin", string([]byte{0, 1, 255, 254}), "long", strings.Repeat("m", 5000), "empty", "", "twice", "1", "twice", "2",
			"grpc-previous-rpc-attempts", "1")
		for i := 0; i < 3; i++ {
			if _, err := c.Get(with, key("bytes")); err != nil {
				return err
			}
		}
		for i := 0; i < 140; i += 20 {
			pairs := []string{}
			for j := 0; j < i; j++ {
				pairs = append(pairs, fmt.Sprintf("name-%d", j), fmt.Sprintf("value-%d-%d", i, j))
			}
			if _, err := c.Get(metadata.AppendToOutgoingContext(ctx, pairs...), key("bytes")); err != nil {
				return fmt.Errorf("%d pairs: %v", i, err)
			}
		}
		return nil
	}},
	{"with a required leader", func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Get(clientv3.WithRequireLeader(ctx), key("bytes"))
		return err
	}},
	{"errors in etcd's words", func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Get(ctx, key("bytes"), clientv3.WithRev(1<<40))
		if err := expect(err == rpctypes.ErrFutureRev, "a future revision: %v", err); err != nil {
			return err
		}
		_, err = c.Put(ctx, "", "x")
		return expect(err == rpctypes.ErrEmptyKey, "an empty key: %v", err)
	}},
	{"unknown methods", func(ctx context.Context, c *clientv3.Client) error {
		in, out := &grpc_health_v1.HealthCheckRequest{}, &grpc_health_v1.HealthCheckResponse{}
		err := c.ActiveConnection().Invoke(ctx, "/no.Such/Method", in, out)
		return expect(status.Code(err) == codes.Unimplemented, "got %v", err)
	}},
	{"a stream that is cancelled", func(ctx context.Context, c *clientv3.Client) error {
		short, cancel := context.WithCancel(ctx)
		stream, err := grpc_health_v1.NewHealthClient(c.ActiveConnection()).Watch(short, &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			cancel()
			return err
		}
		got, err := stream.Recv()
		cancel()
		if err != nil {
			return err
		}
		if err := expect(got.Status == grpc_health_v1.HealthCheckResponse_SERVING, "got %v", got); err != nil {
			return err
		}
		_, err = stream.Recv()
		return expect(status.Code(err) == codes.Canceled, "after the end: %v", err)
	}},
	{"maintenance and members", func(ctx context.Context, c *clientv3.Client) error {
		st, err := c.Status(ctx, *endpoint)
		if err != nil {
			return err
		}
		members, err := c.MemberList(ctx)
		if err != nil {
			return err
		}
		return expect(st.Leader != 0 && len(members.Members) > 0, "got %v, %v", st, members)
	}},
}

func main() {
	flag.Parse()
	out := report{Client: "go clientv3 " + version("go.etcd.io/etcd/client/v3") + ", grpc-go " + version("google.golang.org/grpc")}
	client, err := connect()
	if err != nil {
		out.Checks = append(out.Checks, check{Name: "connect", Error: err.Error()})
	} else {
		for _, t := range tests {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			err := t.run(ctx, client)
			cancel()
			one := check{Name: t.name, OK: err == nil}
			if err != nil {
				one.Error = err.Error()
			}
			out.Checks = append(out.Checks, one)
		}
		client.Close()
	}
	json.NewEncoder(os.Stdout).Encode(out)
	for _, one := range out.Checks {
		if !one.OK {
			os.Exit(1)
		}
	}
}
