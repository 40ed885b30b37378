// min makes one call and ends: min HOST:PORT
package main

import (
	"context"
	"os"

	"google.golang.org/grpc"

	"bench/hellopb"
)

func main() {
	conn, err := grpc.Dial("passthrough:///"+os.Args[1], grpc.WithInsecure(),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
	if err != nil {
		os.Exit(1)
	}
	reply, err := hellopb.NewHelloServiceClient(conn).Say(context.Background(), &hellopb.HelloRequest{Name: "world"})
	if err != nil || reply.Value != "hello world" {
		os.Exit(1)
	}
}
