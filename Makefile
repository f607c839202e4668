# Stet. `make demo` and `make test` are all that a fresh Debian machine with Go
# needs; run as root, they install what is missing.

SHELL  := /bin/bash
PREFIX ?= /usr/local

# Where the demo and the tests keep packages and builds. Directories that begin
# with a dot are not Go's.
STET_STORE ?= $(CURDIR)/.cache/store
export STET_STORE

# The same bytes on every machine: no C, no paths, no time, no commit.
export CGO_ENABLED := 0
LINK     := -s -w
GO_BUILD := go build -trimpath -buildvcs=false -ldflags="$(LINK)"
# stet-init touches a few pages and ends: without clearing huge ones it comes to its
# main in 128 ms, not 158, in an emulated machine. Nothing in it computes for long, so
# that nothing has to be interrupted by a signal.
GO_BUILD_INIT := $(GO_BUILD) -ldflags="$(LINK) -X runtime.godebugDefault=disablethp=1,asyncpreemptoff=1"

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Rounds, not seconds: go's fuzzer may fail when its time ends in the middle of one.
FUZZTIME    ?= 2000x

# What the demo needs of the host, and why.
DEMO_PACKAGES := ca-certificates# Go modules come over TLS
DEMO_PACKAGES += git#              stet init makes, and stet reads, a repository
DEMO_PACKAGES += kmod#             the kernel loads erofs and overlay by it
DEMO_PACKAGES += qemu-system-x86#  stet vm

# What the tests need beside that. Most are oracles: other people's programs
# that must agree with ours.
TEST_PACKAGES := $(DEMO_PACKAGES)
TEST_PACKAGES += apt#              oracle of the solver: what apt-get would install
TEST_PACKAGES += bzip2#            packs .debs of an old kind
TEST_PACKAGES += cpio#             oracle of the initrd
TEST_PACKAGES += dose-distcheck#   oracle of the solver: can a set be installed
TEST_PACKAGES += dosfstools#       fsck.vfat: oracle of what firmware boots from
TEST_PACKAGES += e2fsprogs#        mke2fs: a disk for the VM driver's own tests
TEST_PACKAGES += erofs-utils#      fsck.erofs: oracle of images
TEST_PACKAGES += fsverity#         oracle of digests
TEST_PACKAGES += gdisk#            sgdisk: oracle of partition tables
TEST_PACKAGES += gpgv#             oracle of signatures
TEST_PACKAGES += mandoc#           oracle of man pages
TEST_PACKAGES += mount#            mounts, loop devices: full disks, disks to install on
TEST_PACKAGES += mtools#           reads a FAT file system, and writes to it
TEST_PACKAGES += nodejs#           runs the YAML language server
ifeq ($(shell command -v npm),)# a nodejs that is not Debian's may have it
TEST_PACKAGES += npm#              fetches the YAML language server
endif
TEST_PACKAGES += openssh-client#   logs in to examples/hello
TEST_PACKAGES += ovmf#             UEFI firmware: boots disks as hardware does
TEST_PACKAGES += qemu-utils#       qemu-img: oracle of overlay files
TEST_PACKAGES += uidmap#           builds as an ordinary user
TEST_PACKAGES += util-linux#       unshare, taskset: builds on other hosts
TEST_PACKAGES += xz-utils#         oracle of decompression

# What the benchmarks compare Stet with.
BENCH_PACKAGES := $(DEMO_PACKAGES)
BENCH_PACKAGES += apt#             the peer in resolving
BENCH_PACKAGES += buildah#         a peer: the image of a container
BENCH_PACKAGES += debootstrap#     a peer
BENCH_PACKAGES += e2fsprogs#       mke2fs: the peer's disk
BENCH_PACKAGES += mmdebstrap#      the peer
BENCH_PACKAGES += openssh-client#  reaches the machine that is changed
BENCH_PACKAGES += ovmf#            starts it as firmware does

.PHONY: build demo test test-long bench lint relock goldens pages install clean setup setup-demo setup-test setup-bench

build:
	$(GO_BUILD_INIT) -o internal/initrd/bin/stet-init ./cmd/stet-init
	$(GO_BUILD) -o internal/vm/bin/stet-agent ./cmd/stet-agent
	$(GO_BUILD) -o internal/rootfs/bin/stet-understudy ./cmd/stet-understudy
	$(GO_BUILD) -o bin/stet ./cmd/stet

demo: setup-demo build
	go run ./test/demo

test: setup-test build .cache/kernel .cache/trixie/main-amd64 .cache/node
	go test -count=1 -timeout 25m ./...
	go test -count=1 -tags purego ./internal/xz

# What takes too long for every change: the tests in files tagged `long`, those that
# do more when there is time, and every fuzz target for a while. What chance draws is
# printed first; in the environment, it is drawn again. What each test says shows
# where the time goes.
LONG_FILES = $(shell git grep -l '^//go:build long' -- '*_test.go') test/wrong/kill_test.go
# Those that take longest go first, so that both cores have work to the end.
LONG_FIRST = test/live/ test/server/ test/twice/
LONG_DIRS  = $(LONG_FIRST) $(filter-out $(LONG_FIRST),$(sort $(dir $(LONG_FILES))))
LONG_TESTS = $(sort $(shell grep -ho '^func Test[A-Za-z0-9]*' $(LONG_FILES) | cut -c 6- | grep -vx TestMain) TestSolveLikeApt)
space := $(subst ,, )

test-long: setup-test build .cache/kernel .cache/trixie/main-amd64
	@set -e; export ROUNDS=$${ROUNDS:-1} STET_SEED=$${STET_SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}; \
	echo "test-long: ROUNDS=$$ROUNDS STET_SEED=$$STET_SEED FUZZTIME=$(FUZZTIME)"; \
	failed=; \
	go test -v -count=1 -timeout 90m -tags long -run '^($(subst $(space),|,$(LONG_TESTS)))$$' $(addprefix ./,$(LONG_DIRS)) || failed=tests; \
	for package in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs dirname | sort -u); do \
	  for target in $$(grep -h -o '^func Fuzz[A-Za-z0-9]*' $$package/*_test.go | cut -c 6-); do \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x ./$$package || failed="$$failed $$target"; \
	  done; \
	done; \
	if [ -n "$$failed" ]; then echo "test-long: failed in $$SECONDS s: $$failed" >&2; exit 1; fi; \
	echo "test-long: passed in $$SECONDS s"

# The VM driver's own tests boot the kernel of an example, without the rest.
.cache/kernel: examples/minimal/stet.lock | build
	rm -rf $@.new && mkdir -p $@.new
	set -o pipefail; dir=$$(go run ./test/prepare minimal) && bin/stet -C "$$dir" build && \
	  bin/stet -C "$$dir" shell -- tar -C /usr/lib/stet -c boot -C / usr/lib/modules | tar -C $@.new -x
	rm -rf $@ && mv $@.new $@ && touch $@

# What an editor does with the JSON Schema is seen by a language server.
.cache/node: test/editor/package.json test/editor/package-lock.json | setup-test
	rm -rf $@.new && mkdir -p $@.new && cp $^ $@.new/
	npm ci --prefix $@.new --ignore-scripts --no-audit --no-fund
	rm -rf $@ && mv $@.new $@ && touch $@

# The solver is held against apt and dose with all that Debian has.
.cache/trixie/main-amd64:
	go run ./test/packages trixie main amd64 $@

bench: setup-bench build .cache/trixie/main-amd64
	go run ./bench -save

lint: build
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "run gofmt -w on: $$unformatted" >&2; exit 1; fi
	go vet -tags long ./...
	go run $(STATICCHECK) -tags long ./...

# Renews the locks and the golden digests of all examples: one commit has both.
# In a store of its own, so that nothing is remembered that older code made; only
# fetched packages are shared.
relock: setup-demo build
	rm -rf .cache/relock
	mkdir -p .cache/relock/mirror "$(STET_STORE)/mirror"
	cp --recursive --link "$(STET_STORE)/mirror" .cache/relock/
	STET_STORE=$(CURDIR)/.cache/relock go run ./test/relock
	cp --recursive --link --force .cache/relock/mirror "$(STET_STORE)/"
	rm -rf .cache/relock

# Renews the golden digests after a change of Stet's own: the locks stay. EXAMPLES
# names some; by default all.
goldens: setup-demo build
	go run ./test/relock -goldens $(EXAMPLES)

# Makes the pages that come from the program: tests hold them to it.
pages: build
	go test -count=1 ./modules -run WhatModulesWrite -update
	go test -count=1 ./internal/config -run ThePage -update
	go test -count=1 ./internal/cli -run ThePage -update
	go test -count=1 ./cmd/stet -run 'Scripts|ThePage' -update
	go test -count=1 ./bench -run ThePage -update

install: build
	install -D -m 755 bin/stet $(DESTDIR)$(PREFIX)/bin/stet
	bin/stet manual $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	bin/stet completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/stet
	bin/stet completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_stet
	bin/stet completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/stet.fish

clean:
	rm -rf bin .cache internal/initrd/bin/stet-init internal/vm/bin/stet-agent internal/rootfs/bin/stet-understudy

setup: setup-test
setup-demo:
	@test/setup $(DEMO_PACKAGES)
setup-test:
	@test/setup $(TEST_PACKAGES)
setup-bench:
	@test/setup $(BENCH_PACKAGES)
