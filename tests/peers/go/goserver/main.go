// goserver is the hello server in Go: it serves proto.HelloService/Say and keeps itself in the registry
// under a lease. It does not register again once its lease is lost. SIGTERM and SIGINT
// revoke the lease and finish the calls.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/clientv3"
	"google.golang.org/grpc"

	"peers/common"
	"peers/hellopb"
)

type hello struct{}

func (hello) Say(_ context.Context, req *hellopb.HelloRequest) (*hellopb.HelloReply, error) {
	common.Logf("receive:%s", req.Name)
	return &hellopb.HelloReply{Code: 200, Value: "hello " + req.Name}, nil
}

type options struct {
	port, registry, service, value, advertise, zone string
	weight, lease                                   int
}

func parse() options {
	var o options
	flag.StringVar(&o.port, "port", ":8001", "address to listen on, [host]:port; port 0 takes a free one")
	flag.StringVar(&o.registry, "registry", "http://127.0.0.1:2379", "URLs of etcd, separated by commas")
	flag.StringVar(&o.service, "service", "grpclb_test1", "name to register")
	flag.StringVar(&o.value, "value", "addr", "what to register: addr or json")
	flag.StringVar(&o.advertise, "advertise", "", "address to register (default: localhost and the port)")
	flag.StringVar(&o.zone, "zone", "", "zone in a json value")
	flag.IntVar(&o.weight, "weight", 0, "weight in a json value")
	flag.IntVar(&o.lease, "lease", 5, "seconds the registration lives without keepalive")
	flag.Parse()
	if o.value != "addr" && o.value != "json" {
		common.Fatalf("--value is %q, must be addr or json", o.value)
	}
	return o
}

// advertised is the address that others shall dial: given, or that of the listener with localhost for any host.
func advertised(o options, listener net.Listener) string {
	if o.advertise != "" {
		return o.advertise
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	host := o.port[:strings.LastIndex(o.port, ":")]
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

func register(cli *clientv3.Client, o options, addr string) clientv3.LeaseID {
	value := addr
	if o.value == "json" {
		text, _ := json.Marshal(common.Value{Addr: addr, Weight: o.weight, Zone: o.zone})
		value = string(text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	lease, err := cli.Grant(ctx, int64(o.lease))
	if err != nil {
		common.Fatalf("registry grant: %v", err)
	}
	key := common.Prefix(o.service) + addr
	if _, err = cli.Put(ctx, key, value, clientv3.WithLease(lease.ID)); err != nil {
		common.Fatalf("registry put key:%s: %v", key, err)
	}
	alive, err := cli.KeepAlive(context.Background(), lease.ID)
	if err != nil {
		common.Fatalf("registry keepalive: %v", err)
	}
	go func() {
		for range alive {
		}
		common.Logf("registry lease over")
	}()
	common.Logf("registry put key:%s val:%s success", key, value)
	return lease.ID
}

func main() {
	o := parse()
	listener, err := net.Listen("tcp", o.port)
	if err != nil {
		common.Fatalf("%v", err)
	}
	server := grpc.NewServer()
	hellopb.RegisterHelloServiceServer(server, hello{})
	cli := common.Registry(o.registry)
	lease := register(cli, o, advertised(o, listener))

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if _, err := cli.Revoke(ctx, lease); err != nil {
			common.Logf("registry revoke: %v", err)
		}
		common.Logf("server stopping")
		server.GracefulStop()
	}()
	common.Logf("server starting on %s", listener.Addr())
	if err := server.Serve(listener); err != nil {
		common.Fatalf("server: %v", err)
	}
}
