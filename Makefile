# A thin front to CMake's presets, for who types `make`. What it adds: the Debian
# packages that a target needs are installed first, and only when they are missing.
#
#   make demo       shows the main job on real traffic; no server, account or internet needed
#   make check      builds, and runs all tests
#   make help       the rest
#
# PRESET=debug|sanitize picks another build than release. It knows nothing that
# CMakeLists.txt could know.

PRESET ?= release
BUILD := build/$(PRESET)
JOBS ?= $(shell nproc)
CTEST_FLAGS ?=

# AddressSanitizer would lower the core limit, which `run` promises to hand on as it was.
export ASAN_OPTIONS ?= disable_coredump=0

.DEFAULT_GOAL := build
.PHONY: help deps build demo check interop bench peers fuzz soak tidy lint install clean

help:
	@echo 'make            build build/release/gatun (PRESET=debug, PRESET=sanitize: another one)'
	@echo 'make demo       build, then show gatun at work; needs neither server nor internet'
	@echo 'make check      build, then run every test (TEST=regex: only those that match)'
	@echo 'make interop    every method against ss-server, ss-local and the other peers that are installed'
	@echo 'make peers      fetch the peers that Debian has not (shadowsocks-rust, sing-box) into the cache'
	@echo 'make bench      as root: the table of ratios beside ss-redir + ss-server (QUICK=1: one short round)'
	@echo 'make fuzz       every parser that faces the network or a file under libFuzzer (T=60: seconds each)'
	@echo 'make soak       as root: every kind of traffic through gatun up in three modes while everything happens to it (T=10: minutes each)'
	@echo 'make tidy       compile with clang 14 and run the lints'
	@echo 'make install    install the program and its man page (DESTDIR, PREFIX)'
	@echo 'make deps       install the Debian packages that build, demo and check need'
	@echo 'make clean      remove build/'

deps:
	@tests/deps/install build demo check

# The packages of the goals named on the command line come in one go.
GROUPS := build $(if $(filter demo,$(MAKECMDGOALS)),demo) $(if $(filter check interop,$(MAKECMDGOALS)),demo check) \
	$(if $(filter bench,$(MAKECMDGOALS)),demo bench)

# Silent but for warnings and errors, and when there is nothing to build.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
make_target = ninja -C $(BUILD) -j $(JOBS) --quiet $(1) | sed '/no work to do/d'

$(BUILD)/build.ninja: CMakePresets.json
	@tests/deps/install $(GROUPS)
	@echo 'configuring $(BUILD); then the first build takes about half a minute'
	@cmake --preset $(PRESET) --log-level=WARNING $(CMAKE_FLAGS) >/dev/null

build: $(BUILD)/build.ninja
	@ninja -C $(BUILD) -j $(JOBS)

demo: $(BUILD)/build.ninja
	@tests/deps/install build demo
	@$(call make_target,gatun)
	@tests/demo/demo $(BUILD)/gatun

check: $(BUILD)/build.ninja
	@tests/deps/install build demo check
	@$(call make_target,all)
	@ctest --test-dir $(BUILD) --output-on-failure --no-tests=error -j $(JOBS) $(if $(TEST),-R '$(TEST)') $(CTEST_FLAGS)

interop: $(BUILD)/build.ninja
	@tests/deps/install build demo check
	@$(call make_target,gatun)
	@tests/interop/interop $(BUILD)/gatun

peers:
	@tests/interop/peers

# A benchmark informs; it never fails the build.
bench: $(BUILD)/build.ninja
	@tests/deps/install build demo bench
	@$(call make_target,gatun)
	-@tests/bench/bench --json build/bench.json $(if $(QUICK),--quick) $(BENCH_FLAGS) $(BUILD)/gatun

T ?= 60
fuzz:
	@tests/deps/install build ci
	@cmake --preset fuzz --log-level=WARNING >/dev/null
	@ninja -C build/fuzz -j $(JOBS) --quiet
	@tests/fuzz/run build/fuzz $(T)

# For reading, not for passing: tests/soak/soak says what its lines mean.
soak: T = 10
soak:
	@$(MAKE) --no-print-directory PRESET=sanitize build
	@for mode in tun tproxy redirect; do GATUN=$(CURDIR)/build/sanitize/gatun TEST_LOGS=$(CURDIR)/build/soak/$$mode tests/soak/soak $$mode $(T); done

lint:
	@tests/lint/rooms
	@tests/lint/selftest
	@tests/lint/tree

tidy: lint
	@tests/deps/install build ci
	@cmake -S . -B build/clang -G Ninja -DCMAKE_C_COMPILER=clang-14 -DGATUN_WERROR=ON -DCMAKE_BUILD_TYPE=Debug >/dev/null
	@ninja -C build/clang -j $(JOBS) --quiet

install: build
	@cmake --install $(BUILD) $(if $(PREFIX),--prefix $(PREFIX))

clean:
	@rm -rf build
