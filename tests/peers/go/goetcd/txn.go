package main

import (
	"fmt"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/etcdserver/api/v3rpc/rpctypes"
)

var txnChecks = []check{
	{"txn_put_if_absent", func(b *bench) error {
		key := b.prefix + "a"
		for round, want := range []bool{true, false} {
			got, err := b.Txn(b.ctx).If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
				Then(clientv3.OpPut(key, "mine")).Else(clientv3.OpGet(key)).Commit()
			if err != nil {
				return err
			}
			if got.Succeeded != want {
				return fmt.Errorf("round %d succeeded: %v", round, got.Succeeded)
			}
			if !want && string(got.Responses[0].GetResponseRange().Kvs[0].Value) != "mine" {
				return fmt.Errorf("the else branch read %v", got.Responses)
			}
		}
		return nil
	}},
	{"txn_compares", txnCompares},
	{"txn_compares_a_prefix", func(b *bench) error {
		if _, err := b.puts("a", "b"); err != nil {
			return err
		}
		all := clientv3.Compare(clientv3.Version(b.prefix), "=", 1).WithPrefix()
		got, err := b.Txn(b.ctx).If(all).Commit()
		if err := first(err, same("all at version 1", got.Succeeded, true)); err != nil {
			return err
		}
		if _, err := b.puts("b"); err != nil {
			return err
		}
		got, err = b.Txn(b.ctx).If(all).Commit()
		return first(err, same("one at version 2", got.Succeeded, false))
	}},
	{"txn_is_one_revision", func(b *bench) error {
		before, err := b.puts("old")
		if err != nil {
			return err
		}
		got, err := b.Txn(b.ctx).Then(clientv3.OpPut(b.prefix+"a", "1"), clientv3.OpPut(b.prefix+"b", "2"),
			clientv3.OpDelete(b.prefix+"old", clientv3.WithPrevKV()), clientv3.OpGet(b.prefix, clientv3.WithPrefix())).Commit()
		if err != nil {
			return err
		}
		if err := first(same("revision", got.Header.Revision, before+1), same("responses", len(got.Responses), 4)); err != nil {
			return err
		}
		deleted, read := got.Responses[2].GetResponseDeleteRange(), got.Responses[3].GetResponseRange()
		if err := first(same("deleted", deleted.Deleted, 1), same("seen inside", read.Count, 2)); err != nil {
			return err
		}
		after, err := b.want([]string{"a", "b"})
		return first(err, same("same revision", after.Kvs[0].ModRevision, after.Kvs[1].ModRevision))
	}},
	{"txn_read_only_is_no_revision", func(b *bench) error {
		before, err := b.puts("a")
		if err != nil {
			return err
		}
		got, err := b.Txn(b.ctx).Then(clientv3.OpGet(b.prefix + "a")).Commit()
		return first(err, same("revision", got.Header.Revision, before))
	}},
	{"txn_nested", func(b *bench) error {
		inner := clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpPut(b.prefix+"a", "inner")}, nil)
		got, err := b.Txn(b.ctx).Then(inner).Commit()
		if err := first(err, same("succeeded", got.Succeeded, true)); err != nil {
			return err
		}
		_, err = b.want([]string{"a"})
		return err
	}},
	{"txn_twice_the_same_key_is_an_error", func(b *bench) error {
		_, err := b.Txn(b.ctx).Then(clientv3.OpPut(b.prefix+"a", "1"), clientv3.OpPut(b.prefix+"a", "2")).Commit()
		if err := same("error", err, rpctypes.ErrDuplicateKey); err != nil {
			return err
		}
		_, err = b.want([]string{})
		return err
	}},
	{"txn_128_operations", func(b *bench) error {
		ops := []clientv3.Op{}
		for i := 0; i < 128; i++ {
			ops = append(ops, clientv3.OpPut(fmt.Sprintf("%s%03d", b.prefix, i), "x"))
		}
		if _, err := b.Txn(b.ctx).Then(ops...).Commit(); err != nil {
			return err
		}
		_, err := b.Txn(b.ctx).Then(append(ops, clientv3.OpGet(b.prefix))...).Commit()
		return same("error at 129", err, rpctypes.ErrTooManyOps)
	}},
}

func txnCompares(b *bench) error {
	created, err := b.puts("a")
	if err != nil {
		return err
	}
	if _, err := b.put("a", "m"); err != nil {
		return err
	}
	key := b.prefix + "a"
	for _, row := range []struct {
		cmp  clientv3.Cmp
		want bool
	}{
		{clientv3.Compare(clientv3.Value(key), "=", "m"), true},
		{clientv3.Compare(clientv3.Value(key), "!=", "m"), false},
		{clientv3.Compare(clientv3.Value(key), ">", "l"), true},
		{clientv3.Compare(clientv3.Value(key), "<", "l"), false},
		{clientv3.Compare(clientv3.Version(key), "=", 2), true},
		{clientv3.Compare(clientv3.Version(key), ">", 2), false},
		{clientv3.Compare(clientv3.CreateRevision(key), "=", created), true},
		{clientv3.Compare(clientv3.CreateRevision(key), "<", created), false},
		{clientv3.Compare(clientv3.ModRevision(key), "=", created+1), true},
		{clientv3.Compare(clientv3.ModRevision(key), "!=", created+1), false},
		{clientv3.Compare(clientv3.LeaseValue(key), "=", 0), true},
		{clientv3.Compare(clientv3.Version(b.prefix+"none"), "=", 0), true},
		{clientv3.Compare(clientv3.Value(b.prefix+"none"), "=", ""), false},
	} {
		got, err := b.Txn(b.ctx).If(row.cmp).Commit()
		if err != nil {
			return err
		}
		if got.Succeeded != row.want {
			return fmt.Errorf("%v is %v", row.cmp, got.Succeeded)
		}
	}
	return nil
}
