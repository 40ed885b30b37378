package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "peers/interoppb"
)

const (
	initialKey  = "x-grpc-test-echo-initial"
	trailingKey = "x-grpc-test-echo-trailing-bin"
)

type server struct {
	pb.UnimplementedTestServiceServer
}

func serve(args []string) {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	port := flags.Int("port", 0, "port to listen on; 0: a free one")
	tls := flags.Bool("use_tls", false, "whether to speak TLS")
	certFile := flags.String("tls_cert_file", "", "")
	keyFile := flags.String("tls_key_file", "", "")
	flags.Parse(args)
	options := []grpc.ServerOption{grpc.StatsHandler(watcher{}), grpc.UnaryInterceptor(unary), grpc.StreamInterceptor(stream)}
	if *tls {
		creds, err := credentials.NewServerTLSFromFile(*certFile, *keyFile)
		if err != nil {
			refuse("%v", err)
		}
		options = append(options, grpc.Creds(creds))
	}
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", *port))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s := grpc.NewServer(options...)
	pb.RegisterTestServiceServer(s, &server{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		time.AfterFunc(3*time.Second, func() { os.Exit(0) }) // a call that never ends shall not keep us
		s.GracefulStop()
	}()
	fmt.Printf("listening on port %d\n", listener.Addr().(*net.TCPAddr).Port)
	if err := s.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// echo gives the initial and trailing metadata that the request's asks for.
func echo(ctx context.Context) (metadata.MD, metadata.MD) {
	initial, trailing := metadata.MD{}, metadata.MD{}
	sent, _ := metadata.FromIncomingContext(ctx)
	if values, ok := sent[initialKey]; ok {
		initial[initialKey] = values
	}
	if values, ok := sent[trailingKey]; ok {
		trailing[trailingKey] = values
	}
	return initial, trailing
}

func unary(ctx context.Context, req interface{}, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (interface{}, error) {
	initial, trailing := echo(ctx)
	grpc.SetHeader(ctx, initial)
	grpc.SetTrailer(ctx, trailing)
	return handler(ctx, req)
}

func stream(srv interface{}, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	initial, trailing := echo(ss.Context())
	ss.SetHeader(initial)
	ss.SetTrailer(trailing)
	return handler(srv, ss)
}

func outcome(wanted *pb.EchoStatus) error {
	if wanted.GetCode() == 0 {
		return nil
	}
	return status.Error(codes.Code(wanted.Code), wanted.Message)
}

func zeros(size int32) *pb.Payload {
	return &pb.Payload{Body: make([]byte, size)}
}

func (server) EmptyCall(context.Context, *pb.Empty) (*pb.Empty, error) {
	return &pb.Empty{}, nil
}

func (server) UnaryCall(ctx context.Context, req *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	if err := asExpected(ctx, req.ExpectCompressed); err != nil {
		return nil, err
	}
	if err := outcome(req.ResponseStatus); err != nil {
		return nil, err
	}
	return &pb.SimpleResponse{Payload: zeros(req.ResponseSize)}, nil
}

func (server) StreamingInputCall(calls pb.TestService_StreamingInputCallServer) error {
	total := 0
	for {
		req, err := calls.Recv()
		if err == io.EOF {
			return calls.SendAndClose(&pb.StreamingInputCallResponse{AggregatedPayloadSize: int32(total)})
		}
		if err != nil {
			return err
		}
		if err := asExpected(calls.Context(), req.ExpectCompressed); err != nil {
			return err
		}
		total += len(req.GetPayload().GetBody())
	}
}

func answer(req *pb.StreamingOutputCallRequest, send func(*pb.StreamingOutputCallResponse) error) error {
	if err := outcome(req.ResponseStatus); err != nil {
		return err
	}
	for _, asked := range req.ResponseParameters {
		time.Sleep(time.Duration(asked.IntervalUs) * time.Microsecond)
		if err := send(&pb.StreamingOutputCallResponse{Payload: zeros(asked.Size)}); err != nil {
			return err
		}
	}
	return nil
}

func (server) StreamingOutputCall(req *pb.StreamingOutputCallRequest, calls pb.TestService_StreamingOutputCallServer) error {
	return answer(req, calls.Send)
}

func (server) FullDuplexCall(calls pb.TestService_FullDuplexCallServer) error {
	for {
		req, err := calls.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := answer(req, calls.Send); err != nil {
			return err
		}
	}
}
