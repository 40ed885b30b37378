// Package common is what the hello server and client share: log lines as our programs print them, and what
// stands under a key of the registry.
package common

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/clientv3"
	"google.golang.org/grpc/grpclog"
)

// Logf prints one line to standard output: date, time with microseconds, level.
func Logf(format string, args ...interface{}) {
	stamp := time.Now().Format("2006-01-02 15:04:05.000000")
	fmt.Fprintf(os.Stdout, "%s I | %s\n", stamp, fmt.Sprintf(format, args...))
}

// Fatalf prints one line and ends the program with code 1.
func Fatalf(format string, args ...interface{}) {
	Logf(format, args...)
	os.Exit(1)
}

// Prefix is where the servers of a service are registered.
func Prefix(service string) string { return "/grpclb/" + service + "/" }

// Value is what a JSON value holds; a plain value is only the address.
type Value struct {
	Addr   string `json:"addr"`
	Weight int    `json:"weight,omitempty"`
	Zone   string `json:"zone,omitempty"`
}

// Address reads a value in either form. It is empty when the value is no address.
func Address(value []byte) string {
	text := string(value)
	if strings.HasPrefix(text, "{") {
		var v Value
		if json.Unmarshal(value, &v) != nil {
			return ""
		}
		text = v.Addr
	}
	if !strings.Contains(text, ":") {
		return ""
	}
	return text
}

// Registry opens a client of etcd; the URLs are separated by commas. Only PEERS_VERBOSE lets grpc-go log.
func Registry(urls string) *clientv3.Client {
	if os.Getenv("PEERS_VERBOSE") == "" {
		grpclog.SetLoggerV2(grpclog.NewLoggerV2(nullWriter{}, nullWriter{}, nullWriter{}))
	}
	cli, err := clientv3.New(clientv3.Config{
		Endpoints:            strings.Split(urls, ","),
		DialTimeout:          5 * time.Second,
		DialKeepAliveTime:    5 * time.Second,
		DialKeepAliveTimeout: 2 * time.Second,
	})
	if err != nil {
		Fatalf("registry %s: %v", urls, err)
	}
	return cli
}

type nullWriter struct{}

func (nullWriter) Write(p []byte) (int, error) { return len(p), nil }
