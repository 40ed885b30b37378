package main

import (
	"fmt"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/etcdserver/api/v3rpc/rpctypes"
)

var rangeChecks = []check{
	{"prefix_is_exact", func(b *bench) error {
		if _, err := b.puts("user/1", "user-admin/1", "user", "usez"); err != nil {
			return err
		}
		got, err := b.Get(b.ctx, b.prefix+"user/", clientv3.WithPrefix())
		return first(err, same("count", got.Count, 1))
	}},
	{"prefix_of_ff_bytes", func(b *bench) error {
		if _, err := b.puts("a\xff\xff1", "a\xff\xff", "b"); err != nil {
			return err
		}
		got, err := b.Get(b.ctx, b.prefix+"a\xff\xff", clientv3.WithPrefix())
		return first(err, same("count", got.Count, 2))
	}},
	{"half_open_range", func(b *bench) error {
		if _, err := b.puts("a", "b", "c"); err != nil {
			return err
		}
		got, err := b.Get(b.ctx, b.prefix+"a", clientv3.WithRange(b.prefix+"c"))
		return first(err, same("count", got.Count, 2))
	}},
	{"from_key", func(b *bench) error {
		if _, err := b.puts("a", "b", "c"); err != nil {
			return err
		}
		got, err := b.Get(b.ctx, b.prefix+"b", clientv3.WithFromKey(), clientv3.WithLimit(2))
		return first(err, same("found", len(got.Kvs), 2), same("first", string(got.Kvs[0].Value), "b"))
	}},
	{"limit_and_more", func(b *bench) error {
		if _, err := b.puts("a", "b", "c"); err != nil {
			return err
		}
		got, err := b.want([]string{"a", "b"}, clientv3.WithLimit(2))
		if err := first(err, same("more", got.More, true), same("count", got.Count, 3)); err != nil {
			return err
		}
		got, err = b.want([]string{"a", "b", "c"}, clientv3.WithLimit(3))
		return first(err, same("more", got.More, false))
	}},
	{"paging_at_a_revision", paging},
	{"past_revision", func(b *bench) error {
		revision, err := b.puts("a", "b")
		if err != nil {
			return err
		}
		if _, err := b.put("a", "later"); err != nil {
			return err
		}
		if _, err := b.Delete(b.ctx, b.prefix+"b"); err != nil {
			return err
		}
		got, err := b.want([]string{"a", "b"}, clientv3.WithRev(revision))
		if err != nil {
			return err
		}
		return first(same("old value", string(got.Kvs[0].Value), "a"), same("header", got.Header.Revision, revision+2))
	}},
	{"future_revision_is_an_error", func(b *bench) error {
		revision, err := b.puts("a")
		if err != nil {
			return err
		}
		_, err = b.Get(b.ctx, b.prefix+"a", clientv3.WithRev(revision+100))
		return same("error", err, rpctypes.ErrFutureRev)
	}},
	{"keys_only", func(b *bench) error {
		if _, err := b.puts("a"); err != nil {
			return err
		}
		got, err := b.want([]string{"a"}, clientv3.WithKeysOnly())
		return first(err, same("value size", len(got.Kvs[0].Value), 0), same("version", got.Kvs[0].Version, 1))
	}},
	{"count_only", func(b *bench) error {
		if _, err := b.puts("a", "b"); err != nil {
			return err
		}
		got, err := b.want([]string{}, clientv3.WithCountOnly())
		return first(err, same("count", got.Count, 2))
	}},
	{"sort", sorts},
	{"sort_then_limit", func(b *bench) error {
		if _, err := b.puts("a", "b", "c"); err != nil {
			return err
		}
		_, err := b.want([]string{"c", "b"}, clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend), clientv3.WithLimit(2))
		return err
	}},
	{"revision_filters", revisionFilters},
}

func paging(b *bench) error {
	names := []string{}
	for i := 0; i < 25; i++ {
		names = append(names, fmt.Sprintf("k%02d", i))
	}
	revision, err := b.puts(names...)
	if err != nil {
		return err
	}
	if _, err := b.puts("k00x", "z"); err != nil { // after the revision: on no page
		return err
	}
	found := []string{}
	for from := b.prefix; ; {
		got, err := b.Get(b.ctx, from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(b.prefix)),
			clientv3.WithRev(revision), clientv3.WithLimit(10))
		if err != nil {
			return err
		}
		for _, kv := range got.Kvs {
			found = append(found, string(kv.Key[len(b.prefix):]))
		}
		if !got.More {
			break
		}
		from = string(got.Kvs[len(got.Kvs)-1].Key) + "\x00"
	}
	return same("pages", found, names)
}

func sorts(b *bench) error {
	for _, kv := range [][2]string{{"b", "3"}, {"a", "1"}, {"c", "2"}, {"a", "4"}} {
		if _, err := b.put(kv[0], kv[1]); err != nil {
			return err
		}
	}
	for _, row := range []struct {
		by    clientv3.SortTarget
		names []string
	}{
		{clientv3.SortByKey, []string{"a", "b", "c"}},
		{clientv3.SortByCreateRevision, []string{"b", "a", "c"}},
		{clientv3.SortByModRevision, []string{"b", "c", "a"}},
		{clientv3.SortByValue, []string{"c", "b", "a"}},
	} {
		if _, err := b.want(row.names, clientv3.WithSort(row.by, clientv3.SortAscend)); err != nil {
			return fmt.Errorf("sort target %d ascending: %v", row.by, err)
		}
		down := []string{row.names[2], row.names[1], row.names[0]}
		if _, err := b.want(down, clientv3.WithSort(row.by, clientv3.SortDescend)); err != nil {
			return fmt.Errorf("sort target %d descending: %v", row.by, err)
		}
	}
	got, err := b.want([]string{"a"}, clientv3.WithSort(clientv3.SortByVersion, clientv3.SortDescend), clientv3.WithLimit(1))
	return first(err, same("version", got.Kvs[0].Version, 2))
}

func revisionFilters(b *bench) error {
	last, err := b.puts("a", "b", "c")
	if err != nil {
		return err
	}
	if _, err := b.want([]string{"b", "c"}, clientv3.WithMinModRev(last-1)); err != nil {
		return err
	}
	if _, err := b.want([]string{"a", "b"}, clientv3.WithMaxModRev(last-1)); err != nil {
		return err
	}
	_, err = b.want([]string{"b"}, clientv3.WithMinCreateRev(last-1), clientv3.WithMaxCreateRev(last-1))
	return err
}
