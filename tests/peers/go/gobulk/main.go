// gobulk is tests/bulk_peer.c in Go: long streams of bare bytes, read as slowly as is asked for.
//
//	gobulk server [HOST:PORT]                  the first line says where it listens
//	gobulk up HOST:PORT COUNT SIZE READ_US     the client writes, the server reads a message each READ_US
//	gobulk down HOST:PORT COUNT SIZE READ_US   the other way round
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
)

// bare leaves messages as they are. Under the name of protobuf's codec it is what all calls use.
type bare struct{}

func (bare) Name() string                               { return "proto" }
func (bare) Marshal(message interface{}) ([]byte, error) { return *message.(*[]byte), nil }
func (bare) Unmarshal(data []byte, message interface{}) error {
	*message.(*[]byte) = append([]byte(nil), data...)
	return nil
}

// pace waits for the next of events that are as far apart as told.
type pace struct {
	next  time.Time
	pause time.Duration
}

func (p *pace) wait() {
	if p.pause > 0 {
		p.next = p.next.Add(p.pause)
		time.Sleep(time.Until(p.next))
	}
}

func upHandler(_ interface{}, stream grpc.ServerStream) error {
	var message []byte
	if err := stream.RecvMsg(&message); err != nil {
		return err
	}
	us, err := strconv.Atoi(string(message))
	if err != nil {
		return err
	}
	reading, total := pace{time.Now(), time.Duration(us) * time.Microsecond}, 0
	for {
		if err := stream.RecvMsg(&message); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		total += len(message)
		reading.wait()
	}
	reply := []byte(strconv.Itoa(total))
	return stream.SendMsg(&reply)
}

func downHandler(_ interface{}, stream grpc.ServerStream) error {
	var request []byte
	var count, size int
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	if _, err := fmt.Sscan(string(request), &count, &size); err != nil {
		return err
	}
	reply := make([]byte, size)
	for i := 0; i < count; i++ {
		if err := stream.SendMsg(&reply); err != nil {
			return err
		}
	}
	return nil
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "bulk.Bulk", HandlerType: (*interface{})(nil), Streams: []grpc.StreamDesc{
		{StreamName: "Up", Handler: upHandler, ClientStreams: true},
		{StreamName: "Down", Handler: downHandler, ServerStreams: true},
	}}, struct{}{})
	fmt.Println("bulk listening on", listener.Addr())
	return server.Serve(listener)
}

func up(conn *grpc.ClientConn, count, size, us int) error {
	stream, err := conn.NewStream(context.Background(), &grpc.StreamDesc{ClientStreams: true}, "/bulk.Bulk/Up")
	if err != nil {
		return err
	}
	message, body := []byte(strconv.Itoa(us)), make([]byte, size)
	if err := stream.SendMsg(&message); err != nil {
		return err
	}
	for i := 0; i < count; i++ {
		if err := stream.SendMsg(&body); err != nil {
			return err
		}
	}
	stream.CloseSend()
	if err := stream.RecvMsg(&message); err != nil {
		return err
	}
	if string(message) != strconv.Itoa(count*size) {
		return fmt.Errorf("bytes were lost: %s", message)
	}
	return nil
}

func down(conn *grpc.ClientConn, count, size, us int) error {
	stream, err := conn.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true}, "/bulk.Bulk/Down")
	if err != nil {
		return err
	}
	message := []byte(fmt.Sprint(count, " ", size))
	if err := stream.SendMsg(&message); err != nil {
		return err
	}
	stream.CloseSend()
	reading, total := pace{time.Now(), time.Duration(us) * time.Microsecond}, 0
	for {
		if err := stream.RecvMsg(&message); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		total += len(message)
		reading.wait()
	}
	if total != count*size {
		return fmt.Errorf("bytes were lost: %d", total)
	}
	return nil
}

func ask(args []string) error {
	numbers := make([]int, 3)
	for i := range numbers {
		n, err := strconv.Atoi(args[2+i])
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	conn, err := grpc.Dial(args[1], grpc.WithInsecure())
	if err != nil {
		return err
	}
	run := map[string]func(*grpc.ClientConn, int, int, int) error{"up": up, "down": down}[args[0]]
	if err := run(conn, 64, numbers[1], numbers[2]); err != nil {
		return err
	}
	fmt.Println("warm")
	start := time.Now()
	if err := run(conn, numbers[0], numbers[1], numbers[2]); err != nil {
		return err
	}
	fmt.Printf("done %d %.3f\n", numbers[0]*numbers[1], time.Since(start).Seconds())
	return nil
}

func main() {
	encoding.RegisterCodec(bare{})
	args, err := os.Args[1:], error(nil)
	switch {
	case len(args) == 1 && args[0] == "server":
		err = serve("127.0.0.1:0")
	case len(args) == 2 && args[0] == "server":
		err = serve(args[1])
	case len(args) == 5 && (args[0] == "up" || args[0] == "down"):
		err = ask(args)
	default:
		err = fmt.Errorf("usage: gobulk server [HOST:PORT] | up|down HOST:PORT COUNT SIZE READ_US")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
