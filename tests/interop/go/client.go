package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	pb "peers/interoppb"
)

const (
	largeRequest = 271828
	largeReply   = 314159
)

type client struct {
	target   string
	security grpc.DialOption
	conn     *grpc.ClientConn
	pb.TestServiceClient
	soak struct {
		iterations, maxFailures, maxLatencyMs, timeoutS, minMs, requestBytes, replyBytes int
	}
}

var cases = map[string]func(context.Context, *client) error{
	"empty_unary":                 emptyUnary,
	"large_unary":                 largeUnary,
	"concurrent_large_unary":      concurrentLargeUnary,
	"unimplemented_method":        unimplementedMethod,
	"unimplemented_service":       unimplementedService,
	"status_code_and_message":     statusCodeAndMessage,
	"special_status_message":      specialStatusMessage,
	"custom_metadata":             customMetadata,
	"client_streaming":            clientStreaming,
	"server_streaming":            serverStreaming,
	"ping_pong":                   pingPong,
	"empty_stream":                emptyStream,
	"cancel_after_begin":          cancelAfterBegin,
	"cancel_after_first_response": cancelAfterFirstResponse,
	"timeout_on_sleeping_server":  timeoutOnSleepingServer,
	"client_compressed_unary":     clientCompressedUnary,
	"server_compressed_unary":     serverCompressedUnary,
	"server_compressed_streaming": serverCompressedStreaming,
	"rpc_soak":                    rpcSoak,
	"channel_soak":                channelSoak,
}

func try(args []string) int {
	c := &client{}
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	host := flags.String("server_host", "localhost", "")
	port := flags.Int("server_port", 0, "")
	name := flags.String("test_case", "", "")
	tls := flags.Bool("use_tls", false, "whether to speak TLS")
	caFile := flags.String("ca_file", "", "whom to trust, with TLS")
	override := flags.String("server_host_override", "", "the name that the server's certificate has")
	flags.IntVar(&c.soak.iterations, "soak_iterations", 10, "")
	flags.IntVar(&c.soak.maxFailures, "soak_max_failures", 0, "")
	flags.IntVar(&c.soak.maxLatencyMs, "soak_per_iteration_max_acceptable_latency_ms", 1000, "")
	flags.IntVar(&c.soak.timeoutS, "soak_overall_timeout_seconds", 10, "")
	flags.IntVar(&c.soak.minMs, "soak_min_time_ms_between_rpcs", 0, "")
	flags.IntVar(&c.soak.requestBytes, "soak_request_size", largeRequest, "")
	flags.IntVar(&c.soak.replyBytes, "soak_response_size", largeReply, "")
	flags.Parse(args)
	run, ok := cases[*name]
	if !ok {
		refuse("the case %q is not supported", *name)
	}
	var err error
	c.security = grpc.WithInsecure()
	if *tls {
		var creds credentials.TransportCredentials
		creds, err = credentials.NewClientTLSFromFile(*caFile, *override)
		c.security = grpc.WithTransportCredentials(creds)
	}
	c.target = net.JoinHostPort(*host, strconv.Itoa(*port))
	if err == nil {
		err = c.dial()
	}
	if err == nil {
		err = run(context.Background(), c)
	}
	if err != nil {
		fmt.Printf("%s: failed: %v\n", *name, err)
		return 1
	}
	fmt.Printf("%s: passed\n", *name)
	return 0
}

func (c *client) dial() error {
	conn, err := grpc.Dial(c.target, c.security, grpc.WithStatsHandler(watcher{}))
	c.conn, c.TestServiceClient = conn, pb.NewTestServiceClient(conn)
	return err
}

func wantSize(payload *pb.Payload, size int) error {
	if got := len(payload.GetBody()); got != size {
		return fmt.Errorf("the payload has %d bytes, expected %d", got, size)
	}
	for _, b := range payload.GetBody() {
		if b != 0 {
			return fmt.Errorf("the payload is not zeros")
		}
	}
	return nil
}

func wantCode(err error, code codes.Code) error {
	if status.Code(err) != code {
		return fmt.Errorf("the call ended with %v, expected %v", err, code)
	}
	return nil
}

func wantStatus(err error, code codes.Code, message string) error {
	if err := wantCode(err, code); err != nil {
		return err
	}
	if got := status.Convert(err).Message(); got != message {
		return fmt.Errorf("the message is %q, expected %q", got, message)
	}
	return nil
}

func (c *client) large(ctx context.Context, requestBytes, replyBytes int, options ...grpc.CallOption) error {
	req := &pb.SimpleRequest{ResponseSize: int32(replyBytes), Payload: zeros(int32(requestBytes))}
	reply, err := c.UnaryCall(ctx, req, options...)
	if err != nil {
		return err
	}
	return wantSize(reply.Payload, replyBytes)
}

func emptyUnary(ctx context.Context, c *client) error {
	_, err := c.EmptyCall(ctx, &pb.Empty{})
	return err
}

func largeUnary(ctx context.Context, c *client) error {
	return c.large(ctx, largeRequest, largeReply)
}

func concurrentLargeUnary(ctx context.Context, c *client) error {
	results := make(chan error)
	for i := 0; i < 1000; i++ {
		go func() { results <- largeUnary(ctx, c) }()
	}
	var failed error
	for i := 0; i < 1000; i++ {
		if err := <-results; err != nil {
			failed = err
		}
	}
	return failed
}

func unimplementedMethod(ctx context.Context, c *client) error {
	_, err := c.UnimplementedCall(ctx, &pb.Empty{})
	return wantCode(err, codes.Unimplemented)
}

func unimplementedService(ctx context.Context, c *client) error {
	_, err := pb.NewUnimplementedServiceClient(c.conn).UnimplementedCall(ctx, &pb.Empty{})
	return wantCode(err, codes.Unimplemented)
}

func rpcSoak(ctx context.Context, c *client) error {
	return c.soakWith(func() error { return c.large(ctx, c.soak.requestBytes, c.soak.replyBytes) })
}

func channelSoak(ctx context.Context, c *client) error {
	return c.soakWith(func() error {
		one := &client{target: c.target, security: c.security}
		if err := one.dial(); err != nil {
			return err
		}
		defer one.conn.Close()
		return one.large(ctx, c.soak.requestBytes, c.soak.replyBytes)
	})
}

func (c *client) soakWith(call func() error) error {
	start, made, failed := time.Now(), 0, 0
	for made < c.soak.iterations && time.Since(start) < time.Duration(c.soak.timeoutS)*time.Second {
		begin := time.Now()
		err := call()
		took := time.Since(begin)
		made++
		if err != nil || took > time.Duration(c.soak.maxLatencyMs)*time.Millisecond {
			failed++
			fmt.Printf("iteration %d: %v %v\n", made, took, err)
		}
		time.Sleep(time.Duration(c.soak.minMs)*time.Millisecond - took)
	}
	if made < c.soak.iterations || failed > c.soak.maxFailures {
		return fmt.Errorf("%d of %d iterations, %d failed", made, c.soak.iterations, failed)
	}
	return nil
}
