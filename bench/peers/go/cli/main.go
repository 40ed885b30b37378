// cli measures grpc-go as a client. Its modes, each printing words like name=number:
//
//	bench  closed loop, -c calls outstanding: rps= cpu_us= p50= p99= p999= hwm_kb= (us)
//	open   calls at random times (Poisson), -rate a second; a call's time counts from when it was due
//	scale  -n endpoints: settle_s= cpu_ms_settled= per_ep_kb= idle_cpu_ms_per_s=, then as bench
//	seen   -rate calls a second; a line "seen code= t=" when a server answers that has not for 100 ms
package main

import (
	"flag"
	"fmt"
	"log"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/stats"
)

var (
	mode    = flag.String("mode", "bench", "bench, open, scale or seen")
	host    = flag.String("host", "127.0.0.1", "of all endpoints")
	base    = flag.Int("base", 50051, "first port")
	n       = flag.Int("n", 3, "endpoints")
	conc    = flag.Int("c", 64, "calls outstanding")
	warm    = flag.Float64("warm", 1, "seconds before it counts")
	dur     = flag.Float64("dur", 5, "seconds that count")
	rate    = flag.Float64("rate", 1000, "calls a second")
	policy  = flag.String("policy", "round_robin", "load balancing policy")
	config  = flag.String("config", "{}", "its parameters")
	timeout = flag.Float64("timeout", 5, "deadline of each call, in seconds")
	etcd    = flag.String("etcd", "", "etcd's address; else the endpoints are given")
	service = flag.String("service", "svc/hello", "prefix in etcd, as etcd's own naming writes it")
	ca      = flag.String("ca", "", "TLS with certificates of this issuer")
)

func seconds(s float64) time.Duration { return time.Duration(s * 1e9) }

func given() (resolver.Builder, string) {
	builder := manual.NewBuilderWithScheme("given")
	var addresses []resolver.Address
	for i := 0; i < *n; i++ {
		addresses = append(addresses, resolver.Address{Addr: fmt.Sprintf("%s:%d", *host, *base+i)})
	}
	builder.InitialState(resolver.State{Addresses: addresses})
	return builder, "given:///servers"
}

func dial(handler stats.Handler) *grpc.ClientConn {
	builder, target := given()
	if *etcd != "" {
		builder, target = discovered()
	}
	options := []grpc.DialOption{grpc.WithResolvers(builder),
		grpc.WithDefaultServiceConfig(fmt.Sprintf(`{"loadBalancingConfig":[{"%s":%s}]}`, *policy, *config))}
	if *ca == "" {
		options = append(options, grpc.WithInsecure())
	} else {
		trusted, err := credentials.NewClientTLSFromFile(*ca, "localhost")
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, grpc.WithTransportCredentials(trusted))
	}
	if handler != nil {
		options = append(options, grpc.WithStatsHandler(handler))
	}
	conn, err := grpc.Dial(target, options...)
	if err != nil {
		log.Fatal(err)
	}
	return conn
}

type quiet struct{}

func (quiet) Write(p []byte) (int, error) { return len(p), nil }

func main() {
	flag.Parse()
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(quiet{}, quiet{}, quiet{}))
	switch *mode {
	case "bench":
		bench(dial(nil))
	case "open":
		open(dial(nil))
	case "scale":
		scale()
	case "seen":
		seen(dial(nil))
	default:
		log.Fatal("no mode ", *mode)
	}
}
