# vggconv: `make demo` shows what it does, `make test` tests it, `make install` installs it.

PREFIX ?= /usr/local
BUILD := .build/release
VGGCONV := $(BUILD)/vggconv

.PHONY: all setup release demo test test-full test-sanitized test-kernels test-neon test-recorders fuzz fuzz-short \
  format generate install clean

all: release

setup:
	@.ci/install-packages

release: setup
	swift build -c release --product vggconv --explicit-target-dependency-import-check error

demo: release
	@Tests/demo.sh $(VGGCONV)

test: setup
	swift build --build-tests --explicit-target-dependency-import-check error
	swift test --skip-build --disable-xctest

# Networks of full size, in a temporary folder of 3 GB; needs python3-h5py.
test-full: release
	Tests/full-size.sh $(VGGCONV)

# The parsers and codecs under AddressSanitizer, in a build folder of its own.
test-sanitized: setup
	ASAN_OPTIONS=detect_leaks=0 swift test --disable-xctest --sanitize=address --scratch-path .build/sanitized \
	  --filter 'VGGHDF5Tests|VGGKerasTests|VGGCaffeTests|VGGFileTests|VGGInterchangeTests|FuzzTests'

# The kernels under sanitizers and Valgrind, and the fast engine's threads under ThreadSanitizer.
test-kernels: setup
	Tests/Kernels/checked.sh
	swift test --disable-xctest --sanitize=thread --scratch-path .build/threads \
	  --filter 'threadsDoNotMatter|runsMayTakePlaceAtTheSameTime'

# The kernels of AArch64, cross-compiled and run under qemu-user (Debian: gcc-aarch64-linux-gnu, qemu-user).
test-neon:
	Tests/Kernels/neon.sh

# Everything that reads files, under libFuzzer and AddressSanitizer: half a minute besides the build, or an hour.
fuzz-short: setup
	Tests/Fuzz/fuzz.sh 30

fuzz: setup
	Tests/Fuzz/fuzz.sh 3600

# The recorders of activations with real Keras (an environment of 1 GB is made from PyPI).
test-recorders: release
	Tests/recorders.sh $(VGGCONV)

format:
	swift format --in-place --recursive Sources Tests Package.swift

# Regenerates the C code of schemas/*.proto; a test compares what is committed with it.
generate: setup
	schemas/generate.sh

install: release
	install -D $(VGGCONV) $(DESTDIR)$(PREFIX)/bin/vggconv
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	$(VGGCONV) man > $(DESTDIR)$(PREFIX)/share/man/man1/vggconv.1
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(VGGCONV) completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/vggconv
	install -d $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	$(VGGCONV) completions zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_vggconv
	install -d $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(VGGCONV) completions fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/vggconv.fish

clean:
	swift package clean
