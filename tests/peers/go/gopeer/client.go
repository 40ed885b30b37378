package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peers/peerpb"
)

type check struct {
	name string
	run  func(ctx context.Context, peer peerpb.PeerClient) error
}

// try runs all checks, or those named, and gives the exit code.
func try(addr string, names []string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := grpc.DialContext(ctx, addr, grpc.WithInsecure(), grpc.WithBlock())
	if err != nil {
		fmt.Printf("FAIL connect: %v\n", err)
		return 1
	}
	defer conn.Close()
	peer := peerpb.NewPeerClient(conn)
	passed, failed := 0, 0
	for _, c := range append(unaryChecks(conn), streamChecks()...) {
		if len(names) > 0 && !contains(names, c.name) {
			continue
		}
		if err := runOne(c, peer); err != nil {
			failed++
			fmt.Printf("FAIL %s: %v\n", c.name, err)
		} else {
			passed++
			fmt.Printf("ok %s\n", c.name)
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		return 1
	}
	return 0
}

func runOne(c check, peer peerpb.PeerClient) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.run(ctx, peer)
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// wantStatus is nil when err is that status.
func wantStatus(err error, code codes.Code, message string) error {
	got := status.Convert(err)
	if got.Code() != code || (message != "" && got.Message() != message) {
		return fmt.Errorf("status is %v %q, want %v %q", got.Code(), got.Message(), code, message)
	}
	return nil
}

func wantValues(got []string, want ...string) error {
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		return fmt.Errorf("values are %q, want %q", got, want)
	}
	return nil
}

func wantMsg(got *peerpb.Msg, body string, count int32) error {
	if string(got.GetBody()) != body || got.GetCount() != count {
		return fmt.Errorf("reply is %d bytes, count %d; want %d bytes, count %d",
			len(got.GetBody()), got.GetCount(), len(body), count)
	}
	return nil
}
