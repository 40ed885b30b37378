package main

import (
	"fmt"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/etcdserver/api/v3rpc/rpctypes"
)

var kvChecks = []check{
	{"status", func(b *bench) error {
		got, err := b.Status(b.ctx, b.Endpoints()[0])
		if err != nil {
			return err
		}
		if got.Version == "" || got.Header.ClusterId == 0 || got.Header.MemberId == 0 || got.Leader == 0 {
			return fmt.Errorf("something is missing in %v", got)
		}
		return nil
	}},
	{"member_list", func(b *bench) error {
		got, err := b.MemberList(b.ctx)
		if err != nil {
			return err
		}
		if len(got.Members) != 1 || len(got.Members[0].ClientURLs) == 0 || got.Members[0].ID == 0 {
			return fmt.Errorf("members: %v", got.Members)
		}
		return nil
	}},
	{"put_then_get", func(b *bench) error {
		revision, err := b.put("a", "one")
		if err != nil {
			return err
		}
		got, err := b.want([]string{"a"})
		if err != nil {
			return err
		}
		kv := got.Kvs[0]
		return first(same("value", string(kv.Value), "one"), same("create revision", kv.CreateRevision, revision),
			same("mod revision", kv.ModRevision, revision), same("version", kv.Version, 1), same("lease", kv.Lease, 0),
			same("header revision", got.Header.Revision, revision), same("count", got.Count, 1))
	}},
	{"put_again", func(b *bench) error {
		created, err := b.put("a", "one")
		if err != nil {
			return err
		}
		changed, err := b.put("a", "two")
		if err != nil {
			return err
		}
		got, err := b.want([]string{"a"})
		if err != nil {
			return err
		}
		kv := got.Kvs[0]
		return first(same("revisions apart", changed-created, 1), same("create revision", kv.CreateRevision, created),
			same("mod revision", kv.ModRevision, changed), same("version", kv.Version, 2))
	}},
	{"put_prev_kv", func(b *bench) error {
		got, err := b.Put(b.ctx, b.prefix+"a", "one", clientv3.WithPrevKV())
		if err != nil {
			return err
		}
		if got.PrevKv != nil {
			return fmt.Errorf("a new key has the previous %v", got.PrevKv)
		}
		got, err = b.Put(b.ctx, b.prefix+"a", "two", clientv3.WithPrevKV())
		if err != nil || got.PrevKv == nil {
			return fmt.Errorf("no previous value: %v", err)
		}
		return same("previous", string(got.PrevKv.Value), "one")
	}},
	{"put_empty_value", func(b *bench) error {
		if _, err := b.put("a", ""); err != nil {
			return err
		}
		_, err := b.want([]string{"a"})
		return err
	}},
	{"put_binary", func(b *bench) error {
		if _, err := b.put("\x00\xff", "\xff\x00"); err != nil {
			return err
		}
		got, err := b.want([]string{"\x00\xff"})
		return first(err, same("value", []byte(got.Kvs[0].Value), []byte("\xff\x00")))
	}},
	{"put_ignore_value", func(b *bench) error {
		if _, err := b.put("a", "", clientv3.WithIgnoreValue()); err == nil {
			return fmt.Errorf("the value of a key that does not exist was ignored")
		}
		if _, err := b.puts("a"); err != nil {
			return err
		}
		if _, err := b.put("a", "", clientv3.WithIgnoreValue()); err != nil {
			return err
		}
		got, err := b.want([]string{"a"})
		return first(err, same("value", string(got.Kvs[0].Value), "a"), same("version", got.Kvs[0].Version, 2))
	}},
	{"put_without_key_is_an_error", func(b *bench) error {
		_, err := b.Put(b.ctx, "", "value")
		return same("error", err, rpctypes.ErrEmptyKey)
	}},
	{"get_missing", func(b *bench) error {
		got, err := b.want([]string{})
		return first(err, same("count", got.Count, 0))
	}},
	{"get_serializable", func(b *bench) error {
		if _, err := b.puts("a"); err != nil {
			return err
		}
		_, err := b.want([]string{"a"}, clientv3.WithSerializable())
		return err
	}},
	{"delete", func(b *bench) error {
		if _, err := b.puts("a", "b"); err != nil {
			return err
		}
		got, err := b.Delete(b.ctx, b.prefix+"a", clientv3.WithPrevKV())
		if err != nil {
			return err
		}
		if err := first(same("deleted", got.Deleted, 1), same("previous", len(got.PrevKvs), 1)); err != nil {
			return err
		}
		_, err = b.want([]string{"b"})
		return first(err, same("previous", string(got.PrevKvs[0].Value), "a"))
	}},
	{"delete_prefix_is_one_revision", func(b *bench) error {
		before, err := b.puts("a", "b", "c")
		if err != nil {
			return err
		}
		got, err := b.Delete(b.ctx, b.prefix, clientv3.WithPrefix())
		return first(err, same("deleted", got.Deleted, 3), same("revision", got.Header.Revision, before+1))
	}},
	{"delete_nothing_is_no_revision", func(b *bench) error {
		before, err := b.puts("a")
		if err != nil {
			return err
		}
		got, err := b.Delete(b.ctx, b.prefix+"none")
		return first(err, same("deleted", got.Deleted, 0), same("revision", got.Header.Revision, before))
	}},
	{"created_anew_after_delete", func(b *bench) error {
		if _, err := b.puts("a", "a"); err != nil {
			return err
		}
		if _, err := b.Delete(b.ctx, b.prefix+"a"); err != nil {
			return err
		}
		revision, err := b.puts("a")
		if err != nil {
			return err
		}
		got, err := b.want([]string{"a"})
		return first(err, same("version", got.Kvs[0].Version, 1), same("created", got.Kvs[0].CreateRevision, revision))
	}},
}
