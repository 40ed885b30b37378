package main

import (
	"context"
	"fmt"
	"log"
	"math/rand"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"google.golang.org/grpc"

	"bench/hellopb"
)

const silence = 100 * time.Millisecond

var failed int64

// say makes a call and returns the answering server's code; 0 if it failed.
func say(client hellopb.HelloServiceClient) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), seconds(*timeout))
	defer cancel()
	reply, err := client.Say(ctx, &hellopb.HelloRequest{Name: "world"})
	if err != nil {
		atomic.AddInt64(&failed, 1)
		return 0
	}
	if reply.Value != "hello world" {
		log.Fatal("bad reply ", reply)
	}
	return reply.Code
}

func print(h *histogram, calls uint64, elapsed, usedUs float64) {
	fmt.Printf("rps=%.0f cpu_us=%.2f p50=%.0f p99=%.0f p999=%.0f hwm_kb=%d failed=%d\n", float64(calls)/elapsed, usedUs/float64(calls),
		h.quantile(.5), h.quantile(.99), h.quantile(.999), memoryKb("VmHWM"), atomic.LoadInt64(&failed))
}

func bench(conn *grpc.ClientConn) {
	client := hellopb.NewHelloServiceClient(conn)
	histograms := make([]histogram, *conc)
	counts := make([]uint64, *conc)
	var phase int32 // 0: not counted yet, 1: counted, 2: over
	var all sync.WaitGroup
	for i := range histograms {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			for atomic.LoadInt32(&phase) < 2 {
				started := time.Now()
				if say(client) != 0 && atomic.LoadInt32(&phase) == 1 {
					histograms[i].add(time.Since(started))
					counts[i]++
				}
			}
		}(i)
	}
	time.Sleep(seconds(*warm))
	usedUs, started := cpuUs(), time.Now()
	atomic.StoreInt32(&phase, 1)
	time.Sleep(seconds(*dur))
	atomic.StoreInt32(&phase, 2)
	usedUs, elapsed := cpuUs()-usedUs, time.Since(started).Seconds()
	all.Wait()
	var calls uint64
	for i := range histograms {
		calls += counts[i]
		if i > 0 {
			histograms[0].merge(&histograms[i])
		}
	}
	print(&histograms[0], calls, elapsed, usedUs)
}

// open waits at most 5 s for the calls that are still unfinished at the end, and counts them as that slow.
func open(conn *grpc.ClientConn) {
	const patience = 5 * time.Second
	client := hellopb.NewHelloServiceClient(conn)
	random := rand.New(rand.NewSource(int64(os.Getpid())))
	var lock sync.Mutex
	var h histogram
	var issued, done uint64
	due := time.Now()
	counted := due.Add(seconds(*warm))
	end := counted.Add(seconds(*dur))
	usedUs := cpuUs()
	for ; due.Before(end); due = due.Add(seconds(random.ExpFloat64() / *rate)) {
		for time.Until(due) > 0 {
			time.Sleep(time.Until(due))
		}
		counts := due.After(counted)
		if counts {
			issued++
		}
		go func(due time.Time) {
			say(client)
			lock.Lock()
			defer lock.Unlock()
			if counts {
				h.add(time.Since(due))
				done++
			}
		}(due)
	}
	usedUs = cpuUs() - usedUs
	for left := patience; left > 0; left -= 10 * time.Millisecond {
		lock.Lock()
		finished := done == issued
		lock.Unlock()
		if finished {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	lock.Lock()
	for i := done; i < issued; i++ {
		h.add(patience)
	}
	print(&h, issued, *dur, usedUs)
}

func monotonic() float64 {
	const clockMonotonic = 1
	var t syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&t)), 0)
	return float64(t.Sec) + float64(t.Nsec)/1e9
}

func seen(conn *grpc.ClientConn) {
	client := hellopb.NewHelloServiceClient(conn)
	last := map[int64]time.Time{}
	var lock sync.Mutex
	for due := time.Now(); ; due = due.Add(seconds(1 / *rate)) {
		time.Sleep(time.Until(due))
		go func() {
			code := say(client)
			lock.Lock()
			defer lock.Unlock()
			if before, known := last[code]; code != 0 && (!known || time.Since(before) > silence) {
				fmt.Printf("seen code=%d t=%.6f failed=%d\n", code, monotonic(), atomic.LoadInt64(&failed))
			}
			last[code] = time.Now()
		}()
	}
}
