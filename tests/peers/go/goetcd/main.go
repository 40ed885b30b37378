// goetcd tries a registry with etcd's own client, in all that registration and discovery need.
//
//	goetcd [--registry=http://127.0.0.1:2379] [CHECK...]
//
// It prints ok or FAIL per check, then the totals; it passes on etcd and is run unchanged on ours. Its keys
// stand under a prefix of their own and are removed; one check compacts, so the registry must be a private one.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"go.etcd.io/etcd/clientv3"

	"peers/common"
)

// bench is what a check works with: a client and a prefix that no other check uses.
type bench struct {
	*clientv3.Client
	ctx    context.Context
	prefix string
}

type check struct {
	name string
	run  func(b *bench) error
}

func main() {
	registry := flag.String("registry", "http://127.0.0.1:2379", "URLs of the registry, separated by commas")
	flag.Parse()
	wanted := map[string]bool{}
	for _, name := range flag.Args() {
		wanted[name] = true
	}
	cli := common.Registry(*registry)
	defer cli.Close()
	root := fmt.Sprintf("/goetcd/%d-%d/", os.Getpid(), time.Now().UnixNano())
	passed, failed := 0, 0
	for _, group := range [][]check{kvChecks, rangeChecks, txnChecks, leaseChecks, watchChecks, limitChecks} {
		for _, c := range group {
			if len(wanted) > 0 && !wanted[c.name] {
				continue
			}
			if err := runOne(cli, root, c); err != nil {
				failed++
				fmt.Printf("FAIL %s: %v\n", c.name, err)
			} else {
				passed++
				fmt.Printf("ok %s\n", c.name)
			}
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

func runOne(cli *clientv3.Client, root string, c check) (err error) {
	defer func() { // an answer that lacks what a check reads fails that check only
		if broken := recover(); broken != nil {
			err = fmt.Errorf("%v", broken)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	b := &bench{Client: cli, ctx: ctx, prefix: root + c.name + "/"}
	err = c.run(b)
	if _, cleanErr := cli.Delete(ctx, b.prefix, clientv3.WithPrefix()); err == nil && cleanErr != nil {
		err = fmt.Errorf("cleaning up: %v", cleanErr)
	}
	return err
}

// put stores prefix+name and gives the revision.
func (b *bench) put(name, value string, opts ...clientv3.OpOption) (int64, error) {
	got, err := b.Put(b.ctx, b.prefix+name, value, opts...)
	if err != nil {
		return 0, fmt.Errorf("put %s: %v", name, err)
	}
	return got.Header.Revision, nil
}

// puts stores each name with itself as the value and gives the last revision.
func (b *bench) puts(names ...string) (revision int64, err error) {
	for _, name := range names {
		if revision, err = b.put(name, name); err != nil {
			return 0, err
		}
	}
	return revision, nil
}

// want reads all below the prefix which must be these names in this order.
func (b *bench) want(names []string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	got, err := b.Get(b.ctx, b.prefix, append([]clientv3.OpOption{clientv3.WithPrefix()}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("get: %v", err)
	}
	found := []string{}
	for _, kv := range got.Kvs {
		found = append(found, string(kv.Key[len(b.prefix):]))
	}
	if err := same("keys", found, names); err != nil {
		return nil, err
	}
	return got, nil
}

func same(what string, got, want interface{}) error {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%s: %v, want %v", what, got, want)
	}
	return nil
}

// first gives the first error there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
