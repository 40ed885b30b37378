package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"peers/peerpb"
)

func streamChecks() []check {
	return []check{
		{"client_stream_100", func(ctx context.Context, peer peerpb.PeerClient) error { return clientStream(ctx, peer, 100, 100) }},
		{"client_stream_empty", func(ctx context.Context, peer peerpb.PeerClient) error { return clientStream(ctx, peer, 0, 0) }},
		{"client_stream_2_mib", func(ctx context.Context, peer peerpb.PeerClient) error { return clientStream(ctx, peer, 32, 65536) }},
		{"client_stream_status_before_half_close", clientStreamStatus},
		{"server_stream_100", func(ctx context.Context, peer peerpb.PeerClient) error { return serverStream(ctx, peer, 100, 100) }},
		{"server_stream_empty", func(ctx context.Context, peer peerpb.PeerClient) error { return serverStream(ctx, peer, 0, 0) }},
		{"server_stream_8_mib_slow_reader", serverStreamSlow},
		{"server_stream_status_after_replies", serverStreamStatus},
		{"server_stream_deadline", serverStreamDeadline},
		{"server_stream_cancel", serverStreamCancel},
		{"bidi_ping_pong", bidiPingPong},
		{"bidi_replies_after_half_close", bidiHalfClose},
		{"bidi_initial_metadata_first", bidiMetadata},
		{"bidi_status", bidiStatus},
		{"bidi_cancel", bidiCancel},
	}
}

func clientStream(ctx context.Context, peer peerpb.PeerClient, count, size int) error {
	calls, err := peer.ClientStream(ctx)
	if err != nil {
		return err
	}
	body := strings.Repeat("y", size)
	for i := 0; i < count; i++ {
		if err := calls.Send(&peerpb.Msg{Body: []byte(body)}); err != nil {
			return fmt.Errorf("send %d: %v", i, err)
		}
	}
	reply, err := calls.CloseAndRecv()
	if err != nil {
		return err
	}
	return wantMsg(reply, strings.Repeat(body, count), int32(count))
}

func clientStreamStatus(ctx context.Context, peer peerpb.PeerClient) error {
	calls, err := peer.ClientStream(ctx)
	if err != nil {
		return err
	}
	if err := calls.Send(&peerpb.Msg{Code: 10, Text: "enough"}); err != nil {
		return err
	}
	return wantStatus(calls.RecvMsg(&peerpb.Msg{}), codes.Aborted, "enough")
}

func serverStream(ctx context.Context, peer peerpb.PeerClient, count, size int) error {
	body := strings.Repeat("z", size)
	calls, err := peer.ServerStream(ctx, &peerpb.Msg{Body: []byte(body), Count: int32(count)})
	if err != nil {
		return err
	}
	for i := 1; i <= count; i++ {
		msg, err := calls.Recv()
		if err != nil {
			return fmt.Errorf("reply %d: %v", i, err)
		}
		if err := wantMsg(msg, body, int32(i)); err != nil {
			return err
		}
	}
	if _, err := calls.Recv(); err != io.EOF {
		return fmt.Errorf("after the replies: %v, want the end", err)
	}
	return nil
}

func serverStreamSlow(ctx context.Context, peer peerpb.PeerClient) error {
	body := strings.Repeat("z", 65536)
	calls, err := peer.ServerStream(ctx, &peerpb.Msg{Body: []byte(body), Count: 128})
	if err != nil {
		return err
	}
	for i := 1; i <= 128; i++ {
		if i%16 == 1 {
			time.Sleep(20 * time.Millisecond)
			if err := echoSize(ctx, peer, 5); err != nil {
				return fmt.Errorf("another call meanwhile: %v", err)
			}
		}
		msg, err := calls.Recv()
		if err != nil {
			return fmt.Errorf("reply %d: %v", i, err)
		}
		if err := wantMsg(msg, body, int32(i)); err != nil {
			return err
		}
	}
	return nil
}

func serverStreamStatus(ctx context.Context, peer peerpb.PeerClient) error {
	calls, err := peer.ServerStream(ctx, &peerpb.Msg{Count: 3, Code: 11, Text: "that was all"})
	if err != nil {
		return err
	}
	for i := 1; i <= 3; i++ {
		if _, err := calls.Recv(); err != nil {
			return fmt.Errorf("reply %d: %v", i, err)
		}
	}
	_, err = calls.Recv()
	return wantStatus(err, codes.OutOfRange, "that was all")
}

func serverStreamDeadline(ctx context.Context, peer peerpb.PeerClient) error {
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	calls, err := peer.ServerStream(short, &peerpb.Msg{Count: 1000, DelayMs: 50})
	if err != nil {
		return err
	}
	for got := 0; ; got++ {
		if _, err := calls.Recv(); err != nil {
			if got == 0 {
				return fmt.Errorf("no reply before %v", err)
			}
			return wantStatus(err, codes.DeadlineExceeded, "")
		}
	}
}

func serverStreamCancel(ctx context.Context, peer peerpb.PeerClient) error {
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	calls, err := peer.ServerStream(short, &peerpb.Msg{Count: 100000, Body: make([]byte, 1000)})
	if err != nil {
		return err
	}
	if _, err := calls.Recv(); err != nil {
		return err
	}
	cancel()
	for err = nil; err == nil; {
		_, err = calls.Recv()
	}
	if err := wantStatus(err, codes.Canceled, ""); err != nil {
		return err
	}
	return echoSize(ctx, peer, 5)
}

func bidiPingPong(ctx context.Context, peer peerpb.PeerClient) error {
	calls, err := peer.Bidi(ctx)
	if err != nil {
		return err
	}
	for i := 1; i <= 50; i++ {
		body := fmt.Sprintf("ping %d", i)
		if err := calls.Send(&peerpb.Msg{Body: []byte(body), Count: 1}); err != nil {
			return err
		}
		msg, err := calls.Recv()
		if err != nil {
			return err
		}
		if err := wantMsg(msg, body, int32(i)); err != nil {
			return err
		}
	}
	calls.CloseSend()
	if _, err := calls.Recv(); err != io.EOF {
		return fmt.Errorf("after half-close: %v, want the end", err)
	}
	return nil
}

func bidiHalfClose(ctx context.Context, peer peerpb.PeerClient) error {
	calls, err := peer.Bidi(ctx)
	if err != nil {
		return err
	}
	for i := 0; i < 10; i++ {
		if err := calls.Send(&peerpb.Msg{Count: 2, DelayMs: 5}); err != nil {
			return err
		}
	}
	calls.CloseSend()
	for i := 1; i <= 20; i++ {
		if _, err := calls.Recv(); err != nil {
			return fmt.Errorf("reply %d: %v", i, err)
		}
	}
	if _, err := calls.Recv(); err != io.EOF {
		return fmt.Errorf("after the replies: %v, want the end", err)
	}
	return nil
}

func bidiMetadata(ctx context.Context, peer peerpb.PeerClient) error {
	calls, err := peer.Bidi(withMetadata(ctx))
	if err != nil {
		return err
	}
	initial, err := calls.Header() // before any message has been sent
	if err != nil {
		return err
	}
	calls.CloseSend()
	if _, err := calls.Recv(); err != io.EOF {
		return fmt.Errorf("after half-close: %v, want the end", err)
	}
	return wantMetadata(initial, calls.Trailer())
}

func bidiStatus(ctx context.Context, peer peerpb.PeerClient) error {
	calls, err := peer.Bidi(ctx)
	if err != nil {
		return err
	}
	if err := calls.Send(&peerpb.Msg{Count: 1, Code: 14, Text: "gone fishing"}); err != nil {
		return err
	}
	if _, err := calls.Recv(); err != nil {
		return err
	}
	_, err = calls.Recv()
	return wantStatus(err, codes.Unavailable, "gone fishing")
}

func bidiCancel(ctx context.Context, peer peerpb.PeerClient) error {
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	calls, err := peer.Bidi(short)
	if err != nil {
		return err
	}
	if err := calls.Send(&peerpb.Msg{Count: 1}); err != nil {
		return err
	}
	if _, err := calls.Recv(); err != nil {
		return err
	}
	cancel()
	_, err = calls.Recv()
	if err := wantStatus(err, codes.Canceled, ""); err != nil {
		return err
	}
	return echoSize(ctx, peer, 5)
}
