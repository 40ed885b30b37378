package main

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/etcd/clientv3"
)

var watchChecks = []check{
	{"watch_from_now", func(b *bench) error {
		if _, err := b.puts("before"); err != nil {
			return err
		}
		watch, err := b.watch()
		if err != nil {
			return err
		}
		if _, err := b.puts("a", "a"); err != nil {
			return err
		}
		revision, err := b.remove("a")
		if err != nil {
			return err
		}
		events, err := collect(watch, 3)
		if err != nil {
			return err
		}
		gone := events[2]
		return first(same("create", events[0].IsCreate(), true), same("modify", events[1].IsModify(), true),
			same("type", gone.Type, "DELETE"), same("key", string(gone.Kv.Key), b.prefix+"a"),
			same("revision", gone.Kv.ModRevision, revision), same("value size", len(gone.Kv.Value), 0))
	}},
	{"watch_one_key", func(b *bench) error {
		revision, err := b.puts("ab", "a", "b")
		if err != nil {
			return err
		}
		events, err := collect(b.Watch(b.ctx, b.prefix+"a", clientv3.WithRev(revision-2)), 1)
		return first(err, same("key", string(events[0].Kv.Value), "a"))
	}},
	{"watch_from_a_past_revision", func(b *bench) error {
		revision, err := b.puts("a", "b")
		if err != nil {
			return err
		}
		if _, err := b.puts("c"); err != nil {
			return err
		}
		if _, err := b.remove("a"); err != nil {
			return err
		}
		events, err := collect(b.Watch(b.ctx, b.prefix, clientv3.WithPrefix(), clientv3.WithRev(revision)), 3)
		return first(err, same("first", string(events[0].Kv.Value), "b"), same("second", string(events[1].Kv.Value), "c"),
			same("third", events[2].Type, "DELETE"))
	}},
	{"watch_from_a_future_revision", func(b *bench) error {
		revision, err := b.puts("a")
		if err != nil {
			return err
		}
		watch, err := b.watch(clientv3.WithRev(revision + 3))
		if err != nil {
			return err
		}
		if _, err := b.puts("b", "c", "d"); err != nil {
			return err
		}
		events, err := collect(watch, 1)
		return first(err, same("first", string(events[0].Kv.Value), "d"))
	}},
	{"watch_a_gap_between_list_and_watch", func(b *bench) error {
		if _, err := b.puts("a", "b"); err != nil {
			return err
		}
		list, err := b.want([]string{"a", "b"})
		if err != nil {
			return err
		}
		if _, err := b.puts("c"); err != nil {
			return err
		}
		if _, err := b.remove("a"); err != nil {
			return err
		}
		watch, err := b.watch(clientv3.WithRev(list.Header.Revision + 1))
		if err != nil {
			return err
		}
		events, err := collect(watch, 2)
		return first(err, same("put", string(events[0].Kv.Value), "c"), same("delete", events[1].Type, "DELETE"))
	}},
	{"watch_prev_kv", func(b *bench) error {
		watch, err := b.watch(clientv3.WithPrevKV())
		if err != nil {
			return err
		}
		if _, err := b.put("a", "one"); err != nil {
			return err
		}
		if _, err := b.put("a", "two"); err != nil {
			return err
		}
		if _, err := b.remove("a"); err != nil {
			return err
		}
		events, err := collect(watch, 3)
		if err != nil {
			return err
		}
		if events[0].PrevKv != nil || events[1].PrevKv == nil || events[2].PrevKv == nil {
			return fmt.Errorf("previous: %v, %v, %v", events[0].PrevKv, events[1].PrevKv, events[2].PrevKv)
		}
		return first(same("of the put", string(events[1].PrevKv.Value), "one"),
			same("of the delete", string(events[2].PrevKv.Value), "two"))
	}},
	{"watch_filters", func(b *bench) error {
		puts, err := b.watch(clientv3.WithFilterDelete())
		if err != nil {
			return err
		}
		deletes, err := b.watch(clientv3.WithFilterPut())
		if err != nil {
			return err
		}
		for _, name := range []string{"a", "b"} {
			if _, err := b.puts(name); err != nil {
				return err
			}
			if _, err := b.remove(name); err != nil {
				return err
			}
		}
		put, err := collect(puts, 2)
		if err := first(err, same("puts", []interface{}{put[0].Type, put[1].Type}, "[PUT PUT]")); err != nil {
			return err
		}
		gone, err := collect(deletes, 2)
		return first(err, same("deletes", []interface{}{gone[0].Type, gone[1].Type}, "[DELETE DELETE]"))
	}},
	{"watch_a_txn_comes_whole", func(b *bench) error {
		watch, err := b.watch()
		if err != nil {
			return err
		}
		if _, err := b.Txn(b.ctx).Then(clientv3.OpPut(b.prefix+"a", "1"), clientv3.OpPut(b.prefix+"b", "2"),
			clientv3.OpPut(b.prefix+"c", "3")).Commit(); err != nil {
			return err
		}
		return same("events in one answer", len((<-watch).Events), 3)
	}},
	{"watch_header_has_the_revision", func(b *bench) error {
		watch, err := b.watch()
		if err != nil {
			return err
		}
		revision, err := b.puts("a")
		if err != nil {
			return err
		}
		got := <-watch
		return first(same("revision", got.Header.Revision, revision), same("errors", got.Err(), nil))
	}},
	{"watch_many_on_one_stream", watchMany},
	{"watch_cancelled_leaves_the_others", func(b *bench) error {
		ctx, cancel := context.WithCancel(b.ctx)
		one := b.Watch(ctx, b.prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
		two, err := b.watch()
		if err != nil {
			cancel()
			return err
		}
		<-one
		cancel()
		for range one { // until it is closed
		}
		if _, err := b.puts("a"); err != nil {
			return err
		}
		_, err = collect(two, 1)
		return err
	}},
	{"watch_progress_on_request", requestProgress},
	{"watch_progress_notify_by_itself", func(b *bench) error {
		// The period is the server's (etcd: 10 min), so only that such a watch works can be asked for.
		watch, err := b.watch(clientv3.WithProgressNotify())
		if err != nil {
			return err
		}
		if _, err := b.puts("a"); err != nil {
			return err
		}
		_, err = collect(watch, 1)
		return err
	}},
	{"watch_fragments", fragments},
	{"watch_100_changes_in_order", func(b *bench) error {
		watch, err := b.watch()
		if err != nil {
			return err
		}
		for i := 0; i < 100; i++ {
			if _, err := b.put("a", fmt.Sprint(i)); err != nil {
				return err
			}
		}
		events, err := collect(watch, 100)
		if err != nil {
			return err
		}
		for i, event := range events {
			if err := same("value", string(event.Kv.Value), fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return nil
	}},
}

// watch starts one over the prefix and returns once the registry has created it.
func (b *bench) watch(opts ...clientv3.OpOption) (clientv3.WatchChan, error) {
	opts = append([]clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithCreatedNotify()}, opts...)
	watch := b.Watch(b.ctx, b.prefix, opts...)
	if got := <-watch; !got.Created {
		return nil, fmt.Errorf("watch not created: %v, %v", got, got.Err())
	}
	return watch, nil
}

func (b *bench) remove(name string) (int64, error) {
	got, err := b.Delete(b.ctx, b.prefix+name)
	if err != nil {
		return 0, fmt.Errorf("delete %s: %v", name, err)
	}
	return got.Header.Revision, nil
}

// collect takes exactly so many events.
func collect(watch clientv3.WatchChan, count int) ([]*clientv3.Event, error) {
	var events []*clientv3.Event
	for len(events) < count {
		select {
		case got, open := <-watch:
			if !open || got.Err() != nil {
				return nil, fmt.Errorf("watch ended after %d of %d events: %v", len(events), count, got.Err())
			}
			events = append(events, got.Events...)
		case <-time.After(8 * time.Second):
			return nil, fmt.Errorf("%d of %d events came", len(events), count)
		}
	}
	if len(events) > count {
		return nil, fmt.Errorf("%d events came, want %d", len(events), count)
	}
	return events, nil
}

func watchMany(b *bench) error {
	var all []clientv3.WatchChan
	for i := 0; i < 50; i++ {
		watch, err := b.watch()
		if err != nil {
			return err
		}
		all = append(all, watch)
	}
	if _, err := b.puts("a"); err != nil {
		return err
	}
	for i, watch := range all {
		if _, err := collect(watch, 1); err != nil {
			return fmt.Errorf("watch %d: %v", i, err)
		}
	}
	return nil
}

// requestProgress tells two watches of one stream how far they have come.
func requestProgress(b *bench) error {
	one, err := b.watch()
	if err != nil {
		return err
	}
	two, err := b.watch()
	if err != nil {
		return err
	}
	other, err := b.Put(b.ctx, b.prefix[:len(b.prefix)-1]+".elsewhere", "x") // a revision that neither sees
	if err != nil {
		return err
	}
	defer b.Delete(b.ctx, b.prefix[:len(b.prefix)-1]+".elsewhere")
	if err := b.RequestProgress(b.ctx); err != nil {
		return err
	}
	for _, watch := range []clientv3.WatchChan{one, two} {
		select {
		case got := <-watch:
			if !got.IsProgressNotify() || got.Header.Revision < other.Header.Revision {
				return fmt.Errorf("got %+v, want progress at revision %d", got, other.Header.Revision)
			}
		case <-time.After(5 * time.Second):
			return fmt.Errorf("no progress came")
		}
	}
	return nil
}

// fragments reads a history larger than one answer may be when fragments are asked for.
func fragments(b *bench) error {
	value := make([]byte, 300<<10)
	start := int64(0)
	for i := 0; i < 12; i++ {
		revision, err := b.put(fmt.Sprintf("%02d", i), string(value))
		if err != nil {
			return err
		}
		if i == 0 {
			start = revision
		}
	}
	watch, err := b.watch(clientv3.WithRev(start), clientv3.WithFragment())
	if err != nil {
		return err
	}
	events, err := collect(watch, 12)
	if err != nil {
		return err
	}
	for i, event := range events {
		if err := first(same("key", string(event.Kv.Key[len(b.prefix):]), fmt.Sprintf("%02d", i)),
			same("size", len(event.Kv.Value), len(value))); err != nil {
			return err
		}
	}
	return nil
}
