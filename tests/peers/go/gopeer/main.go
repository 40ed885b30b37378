// gopeer is the Peer service of peer.proto in Go.
//
//	gopeer server [--port=127.0.0.1:0]   serves; the first line says where, then a line per call begun and ended
//	gopeer client HOST:PORT [CHECK...]   tries a server, prints ok or FAIL per check, then the totals
//	gopeer say HOST:PORT...              asks each for proto.HelloService/Say, prints a line: address, status, text
package main

import (
	"fmt"
	"io/ioutil"
	"os"

	"google.golang.org/grpc/grpclog"
)

func main() {
	if os.Getenv("PEERS_VERBOSE") == "" {
		grpclog.SetLoggerV2(grpclog.NewLoggerV2(ioutil.Discard, ioutil.Discard, ioutil.Discard))
	}
	switch {
	case len(os.Args) >= 2 && os.Args[1] == "server":
		serve(os.Args[2:])
	case len(os.Args) >= 3 && os.Args[1] == "client":
		os.Exit(try(os.Args[2], os.Args[3:]))
	case len(os.Args) >= 3 && os.Args[1] == "say":
		sayAll(os.Args[2:])
	default:
		fmt.Fprintln(os.Stderr, "usage: gopeer server [--port=HOST:PORT] | gopeer client HOST:PORT [CHECK...] | gopeer say HOST:PORT...")
		os.Exit(2)
	}
}
