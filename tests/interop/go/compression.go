package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	pb "peers/interoppb"
)

// grpc-go shows nobody the flag of a message, but tells how long it was on the wire; zeros that are not half as long
// as they should be were compressed. A call finds its sizes in its context.
type wire struct {
	came int32 // 1: the message received last was compressed
}

type wireKey struct{}

type watcher struct{}

func (watcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	if ctx.Value(wireKey{}) != nil { // the client's own
		return ctx
	}
	return context.WithValue(ctx, wireKey{}, &wire{})
}

func (watcher) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if in, ok := event.(*stats.InPayload); ok {
		came := int32(0)
		if in.WireLength < in.Length/2 {
			came = 1
		}
		atomic.StoreInt32(&ctx.Value(wireKey{}).(*wire).came, came)
	}
}

func (watcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (watcher) HandleConn(context.Context, stats.ConnStats) {}

func cameCompressed(ctx context.Context) bool {
	return atomic.LoadInt32(&ctx.Value(wireKey{}).(*wire).came) == 1
}

// asExpected is what a server says of a message that is not.
func asExpected(ctx context.Context, expected *pb.BoolValue) error {
	if expected == nil || expected.Value == cameCompressed(ctx) {
		return nil
	}
	return status.Error(codes.InvalidArgument, "the message's compression is not as expected")
}

func clientCompressedUnary(ctx context.Context, c *client) error {
	for _, row := range []struct {
		compressed, claimed bool
		code                codes.Code
	}{{false, true, codes.InvalidArgument}, {true, true, codes.OK}, {false, false, codes.OK}} {
		var options []grpc.CallOption
		if row.compressed {
			options = append(options, grpc.UseCompressor(gzip.Name))
		}
		req := &pb.SimpleRequest{ResponseSize: largeReply, Payload: zeros(largeRequest), ExpectCompressed: &pb.BoolValue{Value: row.claimed}}
		reply, err := c.UnaryCall(ctx, req, options...)
		if err := wantCode(err, row.code); err != nil {
			return err
		}
		if err == nil {
			if err := wantSize(reply.Payload, largeReply); err != nil {
				return err
			}
		}
	}
	return nil
}

func wantCompressed(ctx context.Context, want bool) error {
	if cameCompressed(ctx) != want {
		return fmt.Errorf("a reply came compressed: %v, expected %v", !want, want)
	}
	return nil
}

// Older versions of grpc-go say what they accept only where they compress themselves.
var accepting = grpc.UseCompressor(gzip.Name)

func serverCompressedUnary(ctx context.Context, c *client) error {
	for _, compressed := range []bool{true, false} {
		ctx := context.WithValue(ctx, wireKey{}, &wire{})
		req := &pb.SimpleRequest{ResponseSize: largeReply, Payload: zeros(largeRequest), ResponseCompressed: &pb.BoolValue{Value: compressed}}
		reply, err := c.UnaryCall(ctx, req, accepting)
		if err == nil {
			err = wantCompressed(ctx, compressed)
		}
		if err == nil {
			err = wantSize(reply.Payload, largeReply)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func serverCompressedStreaming(ctx context.Context, c *client) error {
	sizes, at := []int32{31415, 92653}, 0
	ctx = context.WithValue(ctx, wireKey{}, &wire{})
	req := ask(0, sizes...)
	req.ResponseParameters[0].Compressed = &pb.BoolValue{Value: true}
	req.ResponseParameters[1].Compressed = &pb.BoolValue{Value: false}
	call, err := c.StreamingOutputCall(ctx, req, accepting)
	if err != nil {
		return err
	}
	return wantReplies(func() (*pb.StreamingOutputCallResponse, error) {
		reply, err := call.Recv()
		if err == nil {
			err = wantCompressed(ctx, at == 0)
			at++
		}
		return reply, err
	}, sizes)
}
