package main

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/stats"
)

const (
	pause   = 250 * time.Millisecond
	quietUs = 2500 // of CPU in a pause: nothing goes on any more
	limit   = 120 * time.Second
)

// connections closes `all` when so many as wanted are up.
type connections struct {
	up, wanted int64
	all        chan struct{}
}

func (c *connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (c *connections) HandleRPC(context.Context, stats.RPCStats)                       {}
func (c *connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (c *connections) HandleConn(_ context.Context, event stats.ConnStats) {
	if _, ok := event.(*stats.ConnBegin); ok && atomic.AddInt64(&c.up, 1) == c.wanted {
		close(c.all)
	}
}

func scale() {
	runtime.GC()
	before := memoryKb("VmRSS")
	up := &connections{wanted: int64(*n), all: make(chan struct{})}
	usedUs, started := cpuUs(), time.Now()
	conn := dial(up)
	select {
	case <-up.all:
	case <-time.After(limit):
	}
	connected, settled, last := time.Since(started), time.Since(started), cpuUs()
	for time.Since(started) < limit {
		time.Sleep(pause)
		now := cpuUs()
		if now-last < quietUs {
			break
		}
		last, settled = now, time.Since(started)
	}
	fmt.Printf("allconn_s=%.3f settle_s=%.3f cpu_ms_settled=%.1f per_ep_kb=%.1f rss_kb=%d ", connected.Seconds(), settled.Seconds(),
		(cpuUs()-usedUs)/1e3, float64(memoryKb("VmRSS")-before)/float64(*n), memoryKb("VmRSS"))
	usedUs = cpuUs()
	time.Sleep(3 * time.Second)
	fmt.Printf("idle_cpu_ms_per_s=%.3f ", (cpuUs()-usedUs)/3e3)
	bench(conn)
}
