package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"peers/peerpb"
)

func unaryChecks(conn *grpc.ClientConn) []check {
	return []check{
		{"unary_echo", func(ctx context.Context, peer peerpb.PeerClient) error { return echoSize(ctx, peer, 5) }},
		{"unary_empty", func(ctx context.Context, peer peerpb.PeerClient) error { return echoSize(ctx, peer, 0) }},
		{"unary_1_mib", func(ctx context.Context, peer peerpb.PeerClient) error { return echoSize(ctx, peer, 1<<20) }},
		{"unary_request_over_4_mib_is_refused", unaryTooBig},
		{"unary_status_and_message", unaryStatus},
		{"unary_message_of_any_text", unaryText},
		{"unary_every_code", unaryCodes},
		{"unary_unknown_method", func(ctx context.Context, _ peerpb.PeerClient) error { return unknown(ctx, conn, "/peer.Peer/None") }},
		{"unary_unknown_service", func(ctx context.Context, _ peerpb.PeerClient) error { return unknown(ctx, conn, "/peer.None/Unary") }},
		{"unary_deadline_is_kept", unaryDeadline},
		{"unary_deadline_is_carried", unaryTimeout},
		{"unary_cancel", unaryCancel},
		{"unary_metadata", unaryMetadata},
		{"unary_metadata_with_error", unaryMetadataError},
		{"unary_100_at_once", unaryConcurrent},
		{"unary_1000_in_a_row", unaryMany},
	}
}

func echoSize(ctx context.Context, peer peerpb.PeerClient, size int) error {
	body := strings.Repeat("x", size)
	reply, err := peer.Unary(ctx, &peerpb.Msg{Body: []byte(body), Text: "hi"})
	if err != nil {
		return err
	}
	if reply.Text != "hi" {
		return fmt.Errorf("text is %q", reply.Text)
	}
	return wantMsg(reply, body, 1)
}

func unaryTooBig(ctx context.Context, peer peerpb.PeerClient) error {
	_, err := peer.Unary(ctx, &peerpb.Msg{Body: make([]byte, 5<<20)})
	if err := wantStatus(err, codes.ResourceExhausted, ""); err != nil {
		return err
	}
	return echoSize(ctx, peer, 5)
}

func unaryStatus(ctx context.Context, peer peerpb.PeerClient) error {
	_, err := peer.Unary(ctx, &peerpb.Msg{Code: 5, Text: "no such thing"})
	return wantStatus(err, codes.NotFound, "no such thing")
}

func unaryText(ctx context.Context, peer peerpb.PeerClient) error {
	text := "größer 100% \n\t語 %41"
	_, err := peer.Unary(ctx, &peerpb.Msg{Code: 9, Text: text})
	return wantStatus(err, codes.FailedPrecondition, text)
}

func unaryCodes(ctx context.Context, peer peerpb.PeerClient) error {
	for code := int32(1); code <= 16; code++ {
		text := fmt.Sprintf("code %d", code)
		_, err := peer.Unary(ctx, &peerpb.Msg{Code: code, Text: text})
		if err := wantStatus(err, codes.Code(code), text); err != nil {
			return err
		}
	}
	return nil
}

func unknown(ctx context.Context, conn *grpc.ClientConn, method string) error {
	return wantStatus(conn.Invoke(ctx, method, &peerpb.Msg{}, &peerpb.Msg{}), codes.Unimplemented, "")
}

func unaryDeadline(ctx context.Context, peer peerpb.PeerClient) error {
	start := time.Now()
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_, err := peer.Unary(short, &peerpb.Msg{DelayMs: 5000})
	if took := time.Since(start); took < 150*time.Millisecond || took > 2*time.Second {
		return fmt.Errorf("ended after %v, want 200ms", took)
	}
	return wantStatus(err, codes.DeadlineExceeded, "")
}

func unaryTimeout(ctx context.Context, peer peerpb.PeerClient) error {
	short, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var trailers metadata.MD
	if _, err := peer.Unary(short, &peerpb.Msg{}, grpc.Trailer(&trailers)); err != nil {
		return err
	}
	got := trailers.Get("x-timeout-ms")
	if len(got) != 1 {
		return fmt.Errorf("x-timeout-ms is %q", got)
	}
	if ms, err := strconv.Atoi(got[0]); err != nil || ms < 3000 || ms > 5100 {
		return fmt.Errorf("x-timeout-ms is %q, want about 5000", got[0])
	}
	return nil
}

func unaryCancel(ctx context.Context, peer peerpb.PeerClient) error {
	short, cancel := context.WithCancel(ctx)
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := peer.Unary(short, &peerpb.Msg{DelayMs: 5000})
	if err := wantStatus(err, codes.Canceled, ""); err != nil {
		return err
	}
	return echoSize(ctx, peer, 5)
}

func withMetadata(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-echo-a", "one", "x-echo-a", "two", "x-echo-b-bin", "\x00\xff\n",
		"x-trail-c", "three", "x-trail-d-bin", "\x01", "x-trail-d-bin", "\x02\x03", "x-other", "four")
}

func wantMetadata(initial, trailers metadata.MD) error {
	for _, err := range []error{
		wantValues([]string{strings.Join(initial.Get("x-echo-a"), ", ")}, "one, two"), // node joins them, which is legal
		wantValues(initial.Get("x-echo-b-bin"), "\x00\xff\n"),
		wantValues(trailers.Get("x-trail-c"), "three"),
		wantValues(trailers.Get("x-trail-d-bin"), "\x01", "\x02\x03"),
	} {
		if err != nil {
			return err
		}
	}
	if len(initial.Get("x-other"))+len(trailers.Get("x-other")) > 0 {
		return errors.New("x-other came back")
	}
	return nil
}

func unaryMetadata(ctx context.Context, peer peerpb.PeerClient) error {
	var initial, trailers metadata.MD
	if _, err := peer.Unary(withMetadata(ctx), &peerpb.Msg{}, grpc.Header(&initial), grpc.Trailer(&trailers)); err != nil {
		return err
	}
	return wantMetadata(initial, trailers)
}

func unaryMetadataError(ctx context.Context, peer peerpb.PeerClient) error {
	var initial, trailers metadata.MD
	_, err := peer.Unary(withMetadata(ctx), &peerpb.Msg{Code: 7, Text: "no"}, grpc.Header(&initial), grpc.Trailer(&trailers))
	if err := wantStatus(err, codes.PermissionDenied, "no"); err != nil {
		return err
	}
	return wantMetadata(initial, trailers)
}

func unaryConcurrent(ctx context.Context, peer peerpb.PeerClient) error {
	var all sync.WaitGroup
	errs := make(chan error, 100)
	for i := 0; i < 100; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			body := fmt.Sprintf("call %d", i)
			reply, err := peer.Unary(ctx, &peerpb.Msg{Body: []byte(body), DelayMs: 50})
			if err == nil {
				err = wantMsg(reply, body, 1)
			}
			if err != nil {
				errs <- err
			}
		}(i)
	}
	all.Wait()
	if len(errs) > 0 {
		return fmt.Errorf("%d of 100 failed, one with: %v", len(errs), <-errs)
	}
	return nil
}

func unaryMany(ctx context.Context, peer peerpb.PeerClient) error {
	for i := 0; i < 1000; i++ {
		if err := echoSize(ctx, peer, i); err != nil {
			return fmt.Errorf("call %d: %v", i, err)
		}
	}
	return nil
}
