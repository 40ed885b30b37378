package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	pb "peers/interoppb"
)

var (
	requestSizes = []int32{27182, 8, 1828, 45904}
	replySizes   = []int32{31415, 9, 2653, 58979}
)

const initialValue, trailingValue = "test_initial_metadata_value", "\xab\xab\xab"

func ask(requestBytes int32, replyBytes ...int32) *pb.StreamingOutputCallRequest {
	req := &pb.StreamingOutputCallRequest{Payload: zeros(requestBytes)}
	for _, size := range replyBytes {
		req.ResponseParameters = append(req.ResponseParameters, &pb.ResponseParameters{Size: size})
	}
	return req
}

// wantReplies receives exactly these, and then the end.
func wantReplies(recv func() (*pb.StreamingOutputCallResponse, error), sizes []int32) error {
	for _, size := range sizes {
		reply, err := recv()
		if err != nil {
			return err
		}
		if err := wantSize(reply.Payload, int(size)); err != nil {
			return err
		}
	}
	if _, err := recv(); err != io.EOF {
		return fmt.Errorf("after the last reply: %v, expected the end", err)
	}
	return nil
}

func clientStreaming(ctx context.Context, c *client) error {
	call, err := c.StreamingInputCall(ctx)
	if err != nil {
		return err
	}
	total := int32(0)
	for _, size := range requestSizes {
		if err := call.Send(&pb.StreamingInputCallRequest{Payload: zeros(size)}); err != nil {
			return err
		}
		total += size
	}
	reply, err := call.CloseAndRecv()
	if err == nil && reply.AggregatedPayloadSize != total {
		err = fmt.Errorf("the size is %d, expected %d", reply.AggregatedPayloadSize, total)
	}
	return err
}

func serverStreaming(ctx context.Context, c *client) error {
	call, err := c.StreamingOutputCall(ctx, ask(0, replySizes...))
	if err != nil {
		return err
	}
	return wantReplies(call.Recv, replySizes)
}

func pingPong(ctx context.Context, c *client) error {
	call, err := c.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	for i := range requestSizes {
		if err := ping(call, i); err != nil {
			return err
		}
	}
	call.CloseSend()
	return wantReplies(call.Recv, nil)
}

func ping(call pb.TestService_FullDuplexCallClient, i int) error {
	if err := call.Send(ask(requestSizes[i], replySizes[i])); err != nil {
		return err
	}
	reply, err := call.Recv()
	if err != nil {
		return err
	}
	return wantSize(reply.Payload, int(replySizes[i]))
}

func emptyStream(ctx context.Context, c *client) error {
	call, err := c.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	call.CloseSend()
	return wantReplies(call.Recv, nil)
}

func cancelAfterBegin(ctx context.Context, c *client) error {
	short, cancel := context.WithCancel(ctx)
	call, err := c.StreamingInputCall(short)
	if err != nil {
		return err
	}
	cancel()
	_, err = call.CloseAndRecv()
	return wantCode(err, codes.Canceled)
}

func cancelAfterFirstResponse(ctx context.Context, c *client) error {
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	call, err := c.FullDuplexCall(short)
	if err != nil {
		return err
	}
	if err := ping(call, 0); err != nil {
		return err
	}
	cancel()
	_, err = call.Recv()
	return wantCode(err, codes.Canceled)
}

func timeoutOnSleepingServer(ctx context.Context, c *client) error {
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	call, err := c.FullDuplexCall(short)
	if err == nil {
		call.Send(ask(requestSizes[0])) // may fail: the millisecond may be over
		_, err = call.Recv()
	}
	return wantCode(err, codes.DeadlineExceeded)
}

func customMetadata(ctx context.Context, c *client) error {
	ctx = metadata.AppendToOutgoingContext(ctx, initialKey, initialValue, trailingKey, trailingValue)
	var initial, trailing metadata.MD
	if err := c.large(ctx, largeRequest, largeReply, grpc.Header(&initial), grpc.Trailer(&trailing)); err != nil {
		return err
	}
	if err := wantEchoed(initial, trailing); err != nil {
		return err
	}
	call, err := c.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	if err := call.Send(ask(largeRequest, largeReply)); err != nil {
		return err
	}
	call.CloseSend()
	if err := wantReplies(call.Recv, []int32{largeReply}); err != nil {
		return err
	}
	initial, _ = call.Header()
	return wantEchoed(initial, call.Trailer())
}

func wantEchoed(initial, trailing metadata.MD) error {
	if got := initial.Get(initialKey); len(got) != 1 || got[0] != initialValue {
		return fmt.Errorf("%s is %q", initialKey, got)
	}
	if got := trailing.Get(trailingKey); len(got) != 1 || got[0] != trailingValue {
		return fmt.Errorf("%s is %q", trailingKey, got)
	}
	return nil
}

func unaryStatus(ctx context.Context, c *client, message string) error {
	wanted := &pb.EchoStatus{Code: int32(codes.Unknown), Message: message}
	_, err := c.UnaryCall(ctx, &pb.SimpleRequest{ResponseStatus: wanted})
	return wantStatus(err, codes.Unknown, message)
}

func statusCodeAndMessage(ctx context.Context, c *client) error {
	message := "test status message"
	if err := unaryStatus(ctx, c, message); err != nil {
		return err
	}
	call, err := c.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	req := ask(0)
	req.ResponseStatus = &pb.EchoStatus{Code: int32(codes.Unknown), Message: message}
	if err := call.Send(req); err != nil {
		return err
	}
	call.CloseSend()
	_, err = call.Recv()
	return wantStatus(err, codes.Unknown, message)
}

func specialStatusMessage(ctx context.Context, c *client) error {
	return unaryStatus(ctx, c, "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n")
}
