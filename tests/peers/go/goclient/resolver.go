package main

import (
	"context"
	"sort"
	"time"

	"go.etcd.io/etcd/clientv3"
	"google.golang.org/grpc/resolver"

	"peers/common"
)

// builder makes resolvers for etcd:///SERVICE.
type builder struct{ cli *clientv3.Client }

func (*builder) Scheme() string { return "etcd" }

func (b *builder) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &discovery{cli: b.cli, cc: cc, prefix: common.Prefix(target.Endpoint), cancel: cancel}
	go r.run(ctx)
	return r, nil
}

// discovery lists a prefix, then watches it from the next revision; whatever ends the watch, it lists again.
type discovery struct {
	cli    *clientv3.Client
	cc     resolver.ClientConn
	prefix string
	cancel context.CancelFunc
	addrs  map[string]string // by key
}

func (*discovery) ResolveNow(resolver.ResolveNowOptions) {}

func (r *discovery) Close() { r.cancel() }

func (r *discovery) run(ctx context.Context) {
	for ctx.Err() == nil {
		revision, err := r.list(ctx)
		if err == nil {
			r.watch(ctx, revision+1)
		} else if ctx.Err() == nil {
			common.Logf("discovery error: %v", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (r *discovery) list(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	got, err := r.cli.Get(ctx, r.prefix, clientv3.WithPrefix())
	if err != nil {
		return 0, err
	}
	r.addrs = map[string]string{}
	for _, kv := range got.Kvs {
		r.put(string(kv.Key), kv.Value)
	}
	r.publish()
	return got.Header.Revision, nil
}

func (r *discovery) watch(ctx context.Context, revision int64) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	common.Logf("discovery watch")
	for got := range r.cli.Watch(ctx, r.prefix, clientv3.WithPrefix(), clientv3.WithRev(revision)) {
		if err := got.Err(); err != nil {
			common.Logf("discovery watch error: %v", err)
			return
		}
		for _, event := range got.Events {
			if event.Type == clientv3.EventTypePut {
				r.put(string(event.Kv.Key), event.Kv.Value)
			} else {
				delete(r.addrs, string(event.Kv.Key))
				common.Logf("discovery delete key:%s", event.Kv.Key)
			}
		}
		r.publish()
	}
}

func (r *discovery) put(key string, value []byte) {
	addr := common.Address(value)
	if addr == "" {
		common.Logf("discovery skip key:%s val:%s: no address", key, value)
		delete(r.addrs, key)
		return
	}
	r.addrs[key] = addr
	common.Logf("discovery put key:%s val:%s", key, value)
}

func (r *discovery) publish() {
	addrs := []resolver.Address{}
	for _, addr := range r.addrs {
		addrs = append(addrs, resolver.Address{Addr: addr})
	}
	sort.Slice(addrs, func(i, j int) bool { return addrs[i].Addr < addrs[j].Addr })
	r.cc.UpdateState(resolver.State{Addresses: addrs})
}
