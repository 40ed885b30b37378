// goclient is the hello client in Go: a resolver of its own over clientv3, a policy of grpc-go, a number of
// calls in a row. It exits 0 only if all calls succeeded.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"peers/common"
	"peers/hellopb"
)

func main() {
	registry := flag.String("registry", "http://127.0.0.1:2379", "URLs of etcd, separated by commas")
	service := flag.String("service", "grpclb_test1", "name to look for")
	count := flag.Int("count", 20, "calls to make")
	interval := flag.Int("interval", 0, "milliseconds between calls")
	policy := flag.String("policy", "round_robin", "policy of grpc-go: round_robin or pick_first")
	flag.Parse()

	cli := common.Registry(*registry)
	config := fmt.Sprintf(`{"loadBalancingConfig":[{%q:{}}]}`, *policy)
	conn, err := grpc.Dial("etcd:///"+*service, grpc.WithInsecure(), grpc.WithDefaultServiceConfig(config),
		grpc.WithResolvers(&builder{cli: cli}))
	if err != nil {
		common.Fatalf("dial: %v", err)
	}
	failed := 0
	hello := hellopb.NewHelloServiceClient(conn)
	for i := 1; i <= *count; i++ {
		if !call(hello, fmt.Sprintf("grpc%d", i)) {
			failed++
		}
		if i < *count {
			time.Sleep(time.Duration(*interval) * time.Millisecond)
		}
	}
	conn.Close()
	cli.Close()
	common.Logf("discovery close")
	if failed > 0 {
		common.Logf("%d of %d calls failed", failed, *count)
		os.Exit(1)
	}
}

func call(hello hellopb.HelloServiceClient, name string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	reply, err := hello.Say(ctx, &hellopb.HelloRequest{Name: name}, grpc.WaitForReady(true))
	if err != nil {
		common.Logf("error:%s %q", status.Code(err), status.Convert(err).Message())
		return false
	}
	common.Logf("code:%d value:%q", reply.Code, reply.Value)
	return true
}
