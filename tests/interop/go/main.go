// gointerop is gRPC's interop client and server over grpc-go.
//
//	gointerop server --port=PORT
//	gointerop client --server_host=HOST --server_port=PORT --test_case=CASE [--soak_...]
//	gointerop probe HOST PORT DEADLINE_MS CALLS GAP_MS [par]
//
// The client's exit code: 0 passed, 1 failed, 2 wrong arguments or a case that is not supported.
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
	case len(os.Args) >= 2 && os.Args[1] == "client":
		os.Exit(try(os.Args[2:]))
	case len(os.Args) >= 2 && os.Args[1] == "probe":
		os.Exit(probe(os.Args[2:]))
	default:
		fmt.Fprintln(os.Stderr, "usage: gointerop server|client FLAGS")
		os.Exit(2)
	}
}

func refuse(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(2)
}
