package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"peers/hellopb"
)

// sayAll makes one call to each address, all at once, with a deadline of two seconds.
func sayAll(addrs []string) {
	var all sync.WaitGroup
	for _, addr := range addrs {
		all.Add(1)
		go func(addr string) {
			defer all.Done()
			fmt.Printf("%s %s\n", addr, say(addr))
		}(addr)
	}
	all.Wait()
}

func say(addr string) string {
	conn, err := grpc.Dial(addr, grpc.WithInsecure())
	if err != nil {
		return "DIAL " + err.Error()
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	reply, err := hellopb.NewHelloServiceClient(conn).Say(ctx, &hellopb.HelloRequest{Name: "mischief"})
	if err != nil {
		return fmt.Sprintf("%v %q", status.Code(err), status.Convert(err).Message())
	}
	return fmt.Sprintf("OK %q", reply.Value)
}
