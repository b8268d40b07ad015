# `make tasks` rebuilds every committed .wasm; CI checks that this changes none.
#
# Compiling and linking are two steps because clang, when it does both with -O,
# runs whatever wasm-opt is in PATH, which drops the names that traps print.
CLANG  ?= clang-19
O      := $(or $(TMPDIR),/tmp)/entangle-objects
CFLAGS := -O2 -std=c17 -Wall -Wextra -Werror -Isdk/c
GUEST  := GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags='-s -w'

comma   := ,
C_WASM  := tasks/math.wasm tasks/text.wasm examples/mandelbrot/mandelbrot.wasm examples/plain/add.wasm \
           examples/plain/hello.wasm cmd/entangle/bench/guests/bench.wasm cmd/entangle/bench/guests/hello.wasm \
           cmd/entangle/bench/guests/kernels.wasm cmd/entangle/bench/guests/wasi.wasm
GO_WASM := tasks/counts.wasm tasks/image.wasm cmd/entangle/bench/guests/go.wasm

# soak makes that many calls on each engine, and takes minutes; CI does not run it.
SOAK ?= 10000000

# fuzz runs one target longer than CI does: make fuzz PKG=./abi NAME=FuzzDecode TIME=10m
TIME ?= 1m

.PHONY: all test ci fuzz soak golden tasks tasks-c tasks-go clean $(C_WASM) $(GO_WASM)
all:
	CGO_ENABLED=0 go build -o entangle ./cmd/entangle
test:
	go test ./...
ci:
	bash .ci/run
fuzz:
	go test -run '^$$' -fuzz '^$(NAME)$$' -fuzztime $(TIME) -fuzzminimizetime 20x $(PKG)
soak:
	ENTANGLE_SOAK=$(SOAK) go test -count=1 -timeout 2h -run '^TestSoak$$' -v ./host
golden:
	go test ./graph ./cmd/entangle -update
tasks: tasks-c tasks-go
tasks-c: $(C_WASM)
tasks-go: $(GO_WASM)

# compile TARGET SOURCE FLAGS; link TARGET FLAGS. The name section keeps the base
# name of the output.
object = $(O)/$(basename $(notdir $@)).o
define build
	@mkdir -p $(O)
	$(CLANG) --target=$(1) $(CFLAGS) $(3) -c -o $(object) $(2)
	$(CLANG) --target=$(1) $(4) -o $@ $(object)
	@chmod 644 $@
endef
REACTOR := -mexec-model=reactor -Wl$(comma)--strip-debug$(comma)--stack-first
BARE    := -nostdlib -Wl$(comma)--no-entry$(comma)--strip-debug$(comma)-z$(comma)stack-size=0

tasks/math.wasm:
	$(call build,wasm32,tasks/math/math.c,-ffreestanding -nostdlibinc,$(BARE))
tasks/text.wasm:
	$(call build,wasm32-wasi,tasks/text/text.c,,$(REACTOR))
examples/mandelbrot/mandelbrot.wasm:
	$(call build,wasm32-wasi,examples/mandelbrot/mandelbrot.c,,$(REACTOR))
cmd/entangle/bench/guests/bench.wasm:
	$(call build,wasm32-wasi,cmd/entangle/bench/guests/bench.c,,$(REACTOR))
cmd/entangle/bench/guests/kernels.wasm:
	$(call build,wasm32-wasi,cmd/entangle/bench/guests/kernels.c,,$(REACTOR))
cmd/entangle/bench/guests/wasi.wasm:
	$(call build,wasm32-wasi,cmd/entangle/bench/guests/wasi.c,,$(REACTOR))
examples/plain/add.wasm:
	$(call build,wasm32,examples/plain/add.c,,$(BARE) -Wl$(comma)--export=add)
examples/plain/hello.wasm cmd/entangle/bench/guests/hello.wasm:
	$(call build,wasm32-wasi,examples/plain/hello.c,,-Wl$(comma)--strip-debug$(comma)--stack-first)


tasks/counts.wasm:
	$(GUEST) -o $@ ./tasks/counts
tasks/image.wasm:
	$(GUEST) -o $@ ./tasks/image
cmd/entangle/bench/guests/go.wasm:
	$(GUEST) -o $@ ./cmd/entangle/bench/guests/go

clean:
	rm -rf entangle $(O)
