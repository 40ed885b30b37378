package main

// gRFC A48's least_request as grpc-go's releases since 1.58 have it, for Debian's older one: of a few READY connections chosen by chance, one perhaps twice, the
// one with the fewest calls under way; of several the first. Counts outlive a connection's time out of the set.

import (
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	picking "google.golang.org/grpc/balancer/base"
)

type connection struct {
	balancer.SubConn
	underWay *int32
}

type leastRequest struct {
	choices int
	lock    sync.Mutex
	counts  map[balancer.SubConn]*int32
}

type leastPicker struct {
	choices int
	ready   []connection
}

func (l *leastRequest) Build(info picking.PickerBuildInfo) balancer.Picker {
	if len(info.ReadySCs) == 0 {
		return picking.NewErrPicker(balancer.ErrNoSubConnAvailable)
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	picker := &leastPicker{choices: l.choices}
	for conn := range info.ReadySCs {
		if l.counts[conn] == nil {
			l.counts[conn] = new(int32)
		}
		picker.ready = append(picker.ready, connection{conn, l.counts[conn]})
	}
	return picker
}

func (p *leastPicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	var best connection
	least := int32(-1)
	for i := 0; i < p.choices; i++ {
		other := p.ready[rand.Intn(len(p.ready))]
		if n := atomic.LoadInt32(other.underWay); least < 0 || n < least {
			best, least = other, n
		}
	}
	atomic.AddInt32(best.underWay, 1)
	return balancer.PickResult{SubConn: best.SubConn, Done: func(balancer.DoneInfo) { atomic.AddInt32(best.underWay, -1) }}, nil
}

func init() {
	for _, choices := range []int{2, 4} {
		builder := &leastRequest{choices: choices, counts: map[balancer.SubConn]*int32{}}
		balancer.Register(picking.NewBalancerBuilder(fmt.Sprintf("least_request_%d", choices), builder, picking.Config{}))
	}
}
