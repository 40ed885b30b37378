// srv is a HelloService on grpc-go with its defaults: srv -addr HOST:PORT [-cert FILE -key FILE]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"bench/hellopb"
)

type hello struct{}

func (hello) Say(_ context.Context, request *hellopb.HelloRequest) (*hellopb.HelloReply, error) {
	return &hellopb.HelloReply{Code: 200, Value: "hello " + request.Name}, nil
}

func main() {
	addr := flag.String("addr", "127.0.0.1:50081", "where to listen")
	cert := flag.String("cert", "", "TLS with this certificate")
	key := flag.String("key", "", "and its key")
	flag.Parse()
	var options []grpc.ServerOption
	if *cert != "" {
		ours, err := credentials.NewServerTLSFromFile(*cert, *key)
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, grpc.Creds(ours))
	}
	server := grpc.NewServer(options...)
	hellopb.RegisterHelloServiceServer(server, hello{})
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(os.Stderr, "READY")
	log.Fatal(server.Serve(listener))
}
