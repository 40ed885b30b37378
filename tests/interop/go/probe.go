package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	pb "peers/interoppb"
)

// probe does what probe-client does: HOST PORT DEADLINE_MS CALLS GAP_MS [par], a line a call.
func probe(args []string) int {
	if len(args) < 5 {
		refuse("usage: gointerop probe HOST PORT DEADLINE_MS CALLS GAP_MS [par]")
	}
	var numbers [3]int
	for i := range numbers {
		number, err := strconv.Atoi(args[2+i])
		if err != nil {
			refuse("%q is no number", args[2+i])
		}
		numbers[i] = number
	}
	deadline, calls, gap := time.Duration(numbers[0])*time.Millisecond, numbers[1], time.Duration(numbers[2])*time.Millisecond
	conn, err := grpc.Dial(args[0]+":"+args[1], grpc.WithInsecure())
	if err != nil {
		refuse("%v", err)
	}
	defer conn.Close()
	stub := pb.NewTestServiceClient(conn)
	var printing sync.Mutex
	call := func() {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		reply, err := stub.UnaryCall(ctx, &pb.SimpleRequest{ResponseSize: 1000, Payload: &pb.Payload{Body: make([]byte, 100)}})
		printing.Lock()
		defer printing.Unlock()
		text := strings.NewReplacer("\n", "\\x0a", "\r", "\\x0d").Replace(status.Convert(err).Message())
		fmt.Printf("code=%d msg=%s size=%d\n", int32(status.Code(err)), text, len(reply.GetPayload().GetBody()))
	}
	for i := 0; i < calls; i++ {
		if i > 0 {
			time.Sleep(gap)
		}
		if i > 0 && len(args) > 5 {
			var all sync.WaitGroup
			for ; i < calls; i++ {
				all.Add(1)
				go func() { defer all.Done(); call() }()
			}
			all.Wait()
			break
		}
		call()
	}
	return 0
}
