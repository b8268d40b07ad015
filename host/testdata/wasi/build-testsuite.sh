#!/bin/bash
# build-testsuite.sh CHECKOUT OUT builds the preview 1 programs of a checkout of the
# public WASI test suite (WebAssembly/wasi-testsuite) to OUT/{c,rust,assemblyscript},
# each with its .json and directories beside it, for TestWASISuite. It needs clang-19 with
# wasi-libc, a rustc that has wasm32-wasip1 or (Debian's, with the packages
# libstd-rust-dev-wasm32 and lld-14) wasm32-wasi, and npm. CLANG, RUSTC and CARGO name others.
set -euo pipefail
[ $# = 2 ] || { sed -n '2,6s/^# //p' "$0"; exit 2; }
suite=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)

# beside FOLDER OUT copies specifications and the directories that they name.
beside() {
	mkdir -p "$2"
	find "$1" -maxdepth 1 -name '*.json' ! -name manifest.json -exec cp {} "$2/" \;
	find "$1" -maxdepth 1 -name '*.dir' -type d -exec cp -R {} "$2/" \;
}

beside "$suite/tests/c/src" "$out/c"
for source in "$suite"/tests/c/src/*.c; do
	"${CLANG:-clang-19}" --target=wasm32-wasi -Wno-unused-result "$source" -o "$out/c/$(basename "$source" .c).wasm"
done

rustc=${RUSTC:-}
for r in ${rustc:-rustc /usr/bin/rustc}; do
	for target in wasm32-wasip1 wasm32-wasi; do
		if [ -d "$("$r" --print sysroot)/lib/rustlib/$target/lib" ]; then
			rustc=$r
			break 2
		fi
	done
done
[ -n "$rustc" ] || { echo "no rustc has wasm32-wasip1 or wasm32-wasi" >&2; exit 1; }
crate=$suite/tests/rust/wasm32-wasip1
beside "$crate/src/bin" "$out/rust"
(cd "$crate" && RUSTC=$rustc "${CARGO:-$(dirname "$(command -v "$rustc")")/cargo}" build --quiet --release --target "$target" --target-dir "$out/target")
cp "$out/target/$target/release"/*.wasm "$out/rust/"

scripts=$suite/tests/assemblyscript/wasm32-wasip1
(cd "$scripts" && npm install --silent --no-audit --no-fund)
beside "$scripts/src" "$out/assemblyscript"
for source in "$scripts"/src/*.ts; do
	(cd "$scripts" && npx asc "$source" -o "$out/assemblyscript/$(basename "$source" .ts).wasm")
done
echo "ENTANGLE_WASI_TESTSUITE=$out go test -run TestWASISuite ./host"
