# The front door: `make help` lists the doors. The build itself is CMake's (CMakePresets.json).

PREFIX ?= /usr/local
REGISTRY ?= embedded
SECONDS_EACH ?= 60
release = build/release
cmake_build = cmake --build $(release)

.PHONY: all build help setup demo test test-slow install bench fuzz coverage clean

all: build
	@echo "Built in $(release). Next: make demo, make test, make install PREFIX=...; make help lists all."

help:
	@echo "make                   builds the library, the command, the plug-in and the examples"
	@echo "make demo              three servers, a registry and a client on this machine (REGISTRY=etcd: on a real etcd)"
	@echo "make test              every check and test, under sanitizers too"
	@echo "make test-slow         the tests that take minutes each: whole interop matrix, outages of a minute, abuse"
	@echo "make install PREFIX=P  headers, librota.so and .a, rota.pc, CMake package, rota, protoc-gen-rota"
	@echo "make setup             installs the Debian packages that building and testing need"
	@echo "make fuzz              runs each fuzz target for SECONDS_EACH=$(SECONDS_EACH) seconds"
	@echo "make bench             measures us beside gRPC's other implementations, into build/bench (QUICK=1: in two minutes; ROWS=client,server REPEATS=3 EACH=4)"
	@echo "make coverage          how many lines the tests run, by folder and file"
	@echo "make clean             removes build/"
	@echo "demo, test, test-slow, bench, fuzz and coverage install missing packages first (as root or by sudo)."

setup:
	@dev/setup test

build:
	@dev/setup --check build
	@cmake --preset release -DCMAKE_INSTALL_PREFIX="$$(realpath -ms -- "$(PREFIX)")" --log-level=WARNING
	@$(cmake_build)

demo:
	@dev/setup $(if $(filter etcd,$(REGISTRY)),etcd,build)
	@$(MAKE) --no-print-directory build
	@dev/demo --registry=$(REGISTRY) $(release)

test:
	@dev/setup test
	@dev/test

test-slow:
	@dev/setup test
	@dev/test --slow

install: build
	@DESTDIR="$(DESTDIR)" cmake --install $(release) --prefix "$$(realpath -ms -- "$(PREFIX)")"

fuzz:
	@dev/setup test
	@cmake --workflow --preset fuzz
	@dev/fuzz build/fuzz $(SECONDS_EACH)

coverage:
	@dev/setup test
	@dev/coverage --forget build/coverage
	@cmake --workflow --preset coverage
	@dev/coverage build/coverage src/base=90 src/wire=95 src/lb=95 src/channel=95 src/etcd=90

bench:
	@dev/setup bench || dev/setup --check build
	@$(MAKE) --no-print-directory build
	@bench/run $(release) $(if $(QUICK),--quick) $(if $(ROWS),--rows=$(ROWS)) $(if $(REPEATS),--repeats=$(REPEATS)) $(if $(EACH),--seconds=$(EACH))

clean:
	@rm -rf build
