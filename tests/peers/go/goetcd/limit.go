package main

import (
	"fmt"
	"strings"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/etcdserver/api/v3rpc/rpctypes"
)

var limitChecks = []check{
	{"value_of_1_mib", func(b *bench) error {
		if _, err := b.put("a", strings.Repeat("x", 1<<20)); err != nil {
			return err
		}
		got, err := b.want([]string{"a"})
		return first(err, same("size", len(got.Kvs[0].Value), 1<<20))
	}},
	{"request_too_large", func(b *bench) error {
		_, err := b.Put(b.ctx, b.prefix+"a", strings.Repeat("x", 1600<<10))
		return same("error", err, rpctypes.ErrRequestTooLarge)
	}},
	{"compaction", compaction},
}

func compaction(b *bench) error {
	old, err := b.puts("a", "a", "b")
	if err != nil {
		return err
	}
	revision, err := b.put("a", "last")
	if err != nil {
		return err
	}
	if _, err := b.Compact(b.ctx, revision); err != nil {
		return err
	}
	got, err := b.want([]string{"a", "b"})
	if err := first(err, same("value", string(got.Kvs[0].Value), "last"), same("version", got.Kvs[0].Version, 3)); err != nil {
		return err
	}
	if _, err := b.want([]string{"a", "b"}, clientv3.WithRev(revision)); err != nil {
		return fmt.Errorf("at the revision compacted to: %v", err)
	}
	_, err = b.Get(b.ctx, b.prefix+"a", clientv3.WithRev(old))
	if err := same("get before it", err, rpctypes.ErrCompacted); err != nil {
		return err
	}
	_, err = b.Compact(b.ctx, old)
	if err := same("compact before it", err, rpctypes.ErrCompacted); err != nil {
		return err
	}
	_, err = b.Compact(b.ctx, revision+100)
	if err := same("compact after now", err, rpctypes.ErrFutureRev); err != nil {
		return err
	}
	answer := <-b.Watch(b.ctx, b.prefix, clientv3.WithPrefix(), clientv3.WithRev(old))
	if answer.CompactRevision == 0 {
		return fmt.Errorf("a watch from before it answers %+v", answer)
	}
	return first(same("compact revision", answer.CompactRevision, revision), same("watch error", answer.Err(), rpctypes.ErrCompacted),
		same("cancelled", answer.Canceled, true))
}
