package main

import (
	"fmt"
	"io/ioutil"
	"math"
	"math/bits"
	"strings"
	"syscall"
	"time"
)

// histogram counts nanoseconds in 128 buckets an octave.
type histogram [64 * 128]uint64

func bucket(v uint64) int {
	if v < 128 {
		return int(v)
	}
	octave := bits.Len64(v) - 8
	return (octave+1)*128 + int(v>>uint(octave)) - 128
}

func unbucket(i int) uint64 {
	if i < 128 {
		return uint64(i)
	}
	return (uint64(i%128) + 128) << uint(i/128-1)
}

func (h *histogram) add(d time.Duration) { h[bucket(uint64(d))]++ }

func (h *histogram) merge(other *histogram) {
	for i, count := range other {
		h[i] += count
	}
}

// quantile is in microseconds.
func (h *histogram) quantile(p float64) float64 {
	var all, below uint64
	for _, count := range h {
		all += count
	}
	for i, count := range h {
		below += count
		if below > 0 && below >= uint64(math.Ceil(p*float64(all))) {
			return float64(unbucket(i)) / 1000
		}
	}
	return 0
}

// cpuUs is what the process has used, user and system.
func cpuUs() float64 {
	var used syscall.Rusage
	syscall.Getrusage(0, &used)
	return float64(used.Utime.Sec+used.Stime.Sec)*1e6 + float64(used.Utime.Usec+used.Stime.Usec)
}

// memoryKb is a line of /proc/self/status.
func memoryKb(key string) int {
	text, _ := ioutil.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, key+":") {
			var kb int
			fmt.Sscanf(line[len(key)+1:], "%d", &kb)
			return kb
		}
	}
	return 0
}
