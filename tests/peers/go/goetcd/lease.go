package main

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/etcdserver/api/v3rpc/rpctypes"
)

const unknownLease = clientv3.LeaseID(0x7eadbeef)

var leaseChecks = []check{
	{"lease_grant_and_revoke", func(b *bench) error {
		lease, err := b.lease(60, "a", "b")
		if err != nil {
			return err
		}
		got, err := b.want([]string{"a", "b"})
		if err := first(err, same("lease", got.Kvs[0].Lease, int64(lease))); err != nil {
			return err
		}
		gone, err := b.Revoke(b.ctx, lease)
		if err != nil {
			return err
		}
		after, err := b.want([]string{})
		return first(err, same("revision of the revoke", gone.Header.Revision, got.Header.Revision+1),
			same("revision after", after.Header.Revision, gone.Header.Revision))
	}},
	{"lease_time_to_live", func(b *bench) error {
		lease, err := b.lease(60, "a", "b")
		if err != nil {
			return err
		}
		got, err := b.TimeToLive(b.ctx, lease, clientv3.WithAttachedKeys())
		if err != nil {
			return err
		}
		if got.TTL < 55 || got.TTL > 60 {
			return fmt.Errorf("ttl is %d, want nearly 60", got.TTL)
		}
		if err := first(same("granted", got.GrantedTTL, 60), same("keys", len(got.Keys), 2)); err != nil {
			return err
		}
		got, err = b.TimeToLive(b.ctx, lease)
		if err := first(err, same("keys not asked for", len(got.Keys), 0)); err != nil {
			return err
		}
		_, err = b.Revoke(b.ctx, lease)
		return err
	}},
	{"lease_unknown", func(b *bench) error {
		got, err := b.TimeToLive(b.ctx, unknownLease)
		if err := first(err, same("ttl", got.TTL, -1)); err != nil {
			return err
		}
		_, err = b.Revoke(b.ctx, unknownLease)
		if err := same("revoke", err, rpctypes.ErrLeaseNotFound); err != nil {
			return err
		}
		_, err = b.KeepAliveOnce(b.ctx, unknownLease)
		if err := same("keepalive", err, rpctypes.ErrLeaseNotFound); err != nil {
			return err
		}
		_, err = b.Put(b.ctx, b.prefix+"a", "x", clientv3.WithLease(unknownLease))
		return same("put", err, rpctypes.ErrLeaseNotFound)
	}},
	{"lease_list", func(b *bench) error {
		lease, err := b.lease(60)
		if err != nil {
			return err
		}
		found := func() (bool, error) {
			got, err := b.Leases(b.ctx)
			for _, l := range got.Leases {
				if l.ID == lease {
					return true, err
				}
			}
			return false, err
		}
		there, err := found()
		if err := first(err, same("listed", there, true)); err != nil {
			return err
		}
		if _, err := b.Revoke(b.ctx, lease); err != nil {
			return err
		}
		there, err = found()
		return first(err, same("listed once revoked", there, false))
	}},
	{"lease_keepalive_once", func(b *bench) error {
		lease, err := b.lease(60)
		if err != nil {
			return err
		}
		got, err := b.KeepAliveOnce(b.ctx, lease)
		if err := first(err, same("ttl", got.TTL, 60)); err != nil {
			return err
		}
		_, err = b.Revoke(b.ctx, lease)
		return err
	}},
	{"lease_keepalive_outlives_its_ttl", keepalive},
	{"lease_keepalive_ends_with_the_lease", func(b *bench) error {
		lease, err := b.lease(3)
		if err != nil {
			return err
		}
		alive, err := b.KeepAlive(b.ctx, lease)
		if err != nil {
			return err
		}
		if got := <-alive; got == nil {
			return fmt.Errorf("no first answer")
		}
		if _, err := b.Revoke(b.ctx, lease); err != nil {
			return err
		}
		for range alive {
		}
		return b.ctx.Err() // nil: the channel was closed, and in time
	}},
	{"lease_expires_and_a_watch_tells", expiry},
	{"lease_detached_by_a_plain_put", func(b *bench) error {
		lease, err := b.lease(60, "a", "b")
		if err != nil {
			return err
		}
		if _, err := b.puts("a"); err != nil {
			return err
		}
		if _, err := b.Revoke(b.ctx, lease); err != nil {
			return err
		}
		got, err := b.want([]string{"a"})
		return first(err, same("lease", got.Kvs[0].Lease, 0))
	}},
	{"lease_moved_to_another", func(b *bench) error {
		one, err := b.lease(60, "a")
		if err != nil {
			return err
		}
		two, err := b.lease(60, "a")
		if err != nil {
			return err
		}
		if _, err := b.Revoke(b.ctx, one); err != nil {
			return err
		}
		if _, err := b.want([]string{"a"}); err != nil {
			return err
		}
		if _, err := b.Revoke(b.ctx, two); err != nil {
			return err
		}
		_, err = b.want([]string{})
		return err
	}},
	{"lease_kept_by_ignore_lease", func(b *bench) error {
		lease, err := b.lease(60, "a")
		if err != nil {
			return err
		}
		if _, err := b.put("a", "new", clientv3.WithIgnoreLease()); err != nil {
			return err
		}
		got, err := b.want([]string{"a"})
		if err := first(err, same("lease", got.Kvs[0].Lease, int64(lease)), same("value", string(got.Kvs[0].Value), "new")); err != nil {
			return err
		}
		_, err = b.Revoke(b.ctx, lease)
		return err
	}},
	{"lease_put_in_a_txn", func(b *bench) error {
		lease, err := b.lease(60)
		if err != nil {
			return err
		}
		if _, err := b.Txn(b.ctx).Then(clientv3.OpPut(b.prefix+"a", "1", clientv3.WithLease(lease))).Commit(); err != nil {
			return err
		}
		if _, err := b.Revoke(b.ctx, lease); err != nil {
			return err
		}
		_, err = b.want([]string{})
		return err
	}},
}

// lease grants one and puts the named keys under it.
func (b *bench) lease(seconds int64, names ...string) (clientv3.LeaseID, error) {
	got, err := b.Grant(b.ctx, seconds)
	if err != nil {
		return 0, fmt.Errorf("grant: %v", err)
	}
	if got.ID == 0 || got.TTL < seconds {
		return 0, fmt.Errorf("granted %x for %d s, want at least %d s", got.ID, got.TTL, seconds)
	}
	for _, name := range names {
		if _, err := b.put(name, name, clientv3.WithLease(got.ID)); err != nil {
			return 0, err
		}
	}
	return got.ID, nil
}

func keepalive(b *bench) error {
	lease, err := b.lease(2, "a")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	alive, err := b.KeepAlive(ctx, lease)
	if err != nil {
		return err
	}
	for start, answers := time.Now(), 0; time.Since(start) < 3500*time.Millisecond; answers++ {
		got := <-alive
		if got == nil {
			return fmt.Errorf("the keepalive ended after %d answers", answers)
		}
		if got.TTL < 2 {
			return fmt.Errorf("answer %d has ttl %d", answers, got.TTL)
		}
	}
	if _, err := b.want([]string{"a"}); err != nil {
		return err
	}
	_, err = b.Revoke(b.ctx, lease)
	return err
}

func expiry(b *bench) error {
	watch := b.Watch(b.ctx, b.prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	if got := <-watch; !got.Created {
		return fmt.Errorf("not created: %v", got)
	}
	start := time.Now()
	if _, err := b.lease(1, "a", "b"); err != nil {
		return err
	}
	events, err := collect(watch, 4)
	if err != nil {
		return err
	}
	if took := time.Since(start); took < 900*time.Millisecond || took > 6*time.Second {
		return fmt.Errorf("expired after %v", took)
	}
	gone := events[2:]
	return first(same("types", []interface{}{gone[0].Type, gone[1].Type}, "[DELETE DELETE]"),
		same("one revision", gone[0].Kv.ModRevision, gone[1].Kv.ModRevision))
}
