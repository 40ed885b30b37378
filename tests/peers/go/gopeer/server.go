package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"peers/hellopb"
	"peers/peerpb"
)

type peerServer struct{}

// helloServer is the hello service, for clients that speak nothing else.
type helloServer struct{}

func (helloServer) Say(_ context.Context, req *hellopb.HelloRequest) (*hellopb.HelloReply, error) {
	fmt.Printf("receive:%s\n", req.Name)
	return &hellopb.HelloReply{Code: 200, Value: "hello " + req.Name}, nil
}

func serve(args []string) {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	port := flags.String("port", "127.0.0.1:0", "address to listen on")
	flags.Parse(args)
	listener, err := net.Listen("tcp", *port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(unary), grpc.StreamInterceptor(stream))
	peerpb.RegisterPeerServer(server, peerServer{})
	hellopb.RegisterHelloServiceServer(server, helloServer{})
	checks := health.NewServer()
	checks.SetServingStatus("peer.Peer", grpc_health_v1.HealthCheckResponse_SERVING)
	checks.SetServingStatus("resting", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	grpc_health_v1.RegisterHealthServer(server, checks)
	reflection.Register(server)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		time.AfterFunc(3*time.Second, func() { os.Exit(0) }) // a call that never ends shall not keep us
		server.GracefulStop()
	}()
	fmt.Printf("peer listening on %s\n", listener.Addr())
	if err := server.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// echo gives what the request's metadata asks for: initial metadata and trailers.
func echo(ctx context.Context) (metadata.MD, metadata.MD) {
	initial, trailers := metadata.MD{}, metadata.MD{}
	got, _ := metadata.FromIncomingContext(ctx)
	for key, values := range got {
		if strings.HasPrefix(key, "x-echo-") {
			initial[key] = values
		} else if strings.HasPrefix(key, "x-trail-") {
			trailers[key] = values
		}
	}
	if deadline, ok := ctx.Deadline(); ok {
		trailers.Set("x-timeout-ms", strconv.FormatInt(time.Until(deadline).Milliseconds(), 10))
	}
	return initial, trailers
}

func logEnd(ctx context.Context, method string, err error) {
	outcome := status.Code(err).String()
	if ctx.Err() != nil {
		outcome = "gone: " + ctx.Err().Error()
	}
	fmt.Printf("end %s %s\n", path.Base(method), outcome)
}

func unary(ctx context.Context, req interface{}, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (interface{}, error) {
	fmt.Printf("begin %s\n", path.Base(info.FullMethod))
	initial, trailers := echo(ctx)
	grpc.SetTrailer(ctx, trailers)
	if len(initial) > 0 {
		grpc.SendHeader(ctx, initial)
	}
	reply, err := handler(ctx, req)
	logEnd(ctx, info.FullMethod, err)
	return reply, err
}

func stream(srv interface{}, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	fmt.Printf("begin %s\n", path.Base(info.FullMethod))
	initial, trailers := echo(ss.Context())
	ss.SetTrailer(trailers)
	if len(initial) > 0 {
		ss.SendHeader(initial)
	}
	err := handler(srv, ss)
	logEnd(ss.Context(), info.FullMethod, err)
	return err
}

// pause waits as the message asks, or until the call is over.
func pause(ctx context.Context, msg *peerpb.Msg) error {
	if msg.DelayMs <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-time.After(time.Duration(msg.DelayMs) * time.Millisecond):
		return nil
	}
}

func outcome(msg *peerpb.Msg) error {
	if msg.Code == 0 {
		return nil
	}
	return status.Error(codes.Code(msg.Code), msg.Text)
}

func (peerServer) Unary(ctx context.Context, msg *peerpb.Msg) (*peerpb.Msg, error) {
	if err := pause(ctx, msg); err != nil {
		return nil, err
	}
	if err := outcome(msg); err != nil {
		return nil, err
	}
	return &peerpb.Msg{Body: msg.Body, Text: msg.Text, Count: 1}, nil
}

func (peerServer) ClientStream(calls peerpb.Peer_ClientStreamServer) error {
	reply, last := &peerpb.Msg{}, &peerpb.Msg{}
	for {
		msg, err := calls.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if msg.Code != 0 {
			if err := pause(calls.Context(), msg); err != nil {
				return err
			}
			return outcome(msg)
		}
		last = msg
		reply.Body = append(reply.Body, msg.Body...)
		reply.Text = msg.Text
		reply.Count++
	}
	if err := pause(calls.Context(), last); err != nil {
		return err
	}
	return calls.SendAndClose(reply)
}

// answer sends the replies to one message; total counts those of the call.
func answer(ctx context.Context, msg *peerpb.Msg, total *int32, send func(*peerpb.Msg) error) error {
	if msg.Count <= 0 {
		if err := pause(ctx, msg); err != nil {
			return err
		}
	}
	for i := int32(0); i < msg.Count; i++ {
		if err := pause(ctx, msg); err != nil {
			return err
		}
		*total++
		if err := send(&peerpb.Msg{Body: msg.Body, Text: msg.Text, Count: *total}); err != nil {
			return err
		}
	}
	return outcome(msg)
}

func (peerServer) ServerStream(msg *peerpb.Msg, calls peerpb.Peer_ServerStreamServer) error {
	total := int32(0)
	return answer(calls.Context(), msg, &total, calls.Send)
}

func (peerServer) Bidi(calls peerpb.Peer_BidiServer) error {
	total := int32(0)
	for {
		msg, err := calls.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := answer(calls.Context(), msg, &total, calls.Send); err != nil {
			return err
		}
	}
}
