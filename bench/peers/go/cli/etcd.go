//go:build !recent

package main

import (
	"log"
	"time"

	"go.etcd.io/etcd/clientv3"
	etcdresolver "go.etcd.io/etcd/clientv3/naming/resolver"
	"google.golang.org/grpc/resolver"
)

func discovered() (resolver.Builder, string) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{*etcd}, DialTimeout: 3 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	builder, err := etcdresolver.NewBuilder(client)
	if err != nil {
		log.Fatal(err)
	}
	return builder, "etcd:///" + *service
}
