// gohealth serves proto.HelloService/Say and tells its health, which signals change: SIGUSR1 is NOT_SERVING, SIGUSR2 is
// SERVING again. The first line says where it listens; then comes a line per change, once it was told.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"peers/hellopb"
)

const service = "proto.HelloService"

type hello struct{}

func (hello) Say(_ context.Context, req *hellopb.HelloRequest) (*hellopb.HelloReply, error) {
	return &hellopb.HelloReply{Code: 200, Value: "hello " + req.Name}, nil
}

func main() {
	port := flag.String("port", "127.0.0.1:0", "address to listen on")
	flag.Parse()
	listener, err := net.Listen("tcp", *port)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	server := grpc.NewServer()
	checks := health.NewServer()
	checks.SetServingStatus(service, grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, checks)
	hellopb.RegisterHelloServiceServer(server, hello{})
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM)
	go func() { _ = server.Serve(listener) }()
	fmt.Println("listening on " + listener.Addr().String())
	for got := range signals {
		status := grpc_health_v1.HealthCheckResponse_SERVING
		switch got {
		case syscall.SIGTERM:
			server.Stop()
			return
		case syscall.SIGUSR1:
			status = grpc_health_v1.HealthCheckResponse_NOT_SERVING
		}
		checks.SetServingStatus(service, status)
		fmt.Println(status)
	}
}
