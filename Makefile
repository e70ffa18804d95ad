# vggconv: `make demo` shows what it does, `make test` tests it, `make install` installs it; docs/testing.md has the other tests.

PREFIX ?= /usr/local
VGGCONV := .build/release/vggconv
OPTIMISED := .build/optimised
CHECKED := --explicit-target-dependency-import-check error

.PHONY: all setup setup-tests release demo build-tests build-optimised test test-debug test-docs test-full \
  test-sanitized test-threads test-kernels test-neon test-boards test-recorders test-peers test-interop fuzz fuzz-short format generate install clean

all: release

setup:
	@.ci/install-packages

# What only some of the tests need: Valgrind, a cross compiler, an emulator.
setup-tests:
	@.ci/install-packages --tests

release: setup
	swift build -c release --product vggconv $(CHECKED)

demo: release
	@Tests/demo.sh $(VGGCONV)

build-tests: setup
	swift build --build-tests $(CHECKED)

# All that people run, with its internals visible to the tests.
build-optimised: setup
	swift build --build-tests -c release -Xswiftc -enable-testing --scratch-path $(OPTIMISED)

# All tests on optimised code, which is what people run; a twentieth of the time that engine and verifier take without.
test: build-optimised
	swift test --skip-build --disable-xctest -c release -Xswiftc -enable-testing --scratch-path $(OPTIMISED)

# The same on code that a debugger can follow.
test-debug: build-tests
	swift test --skip-build --disable-xctest

# Links, the README's commands and outputs, the picture of the modules, and the articles of all modules.
test-docs: build-optimised
	Tests/readme.py $(OPTIMISED)/release/vggconv
	docs/module_graph.py --check
	Tests/docs.sh

# Networks of full size, in a temporary folder of 3 GB; needs python3-h5py.
test-full: release
	Tests/full-size.sh $(VGGCONV)

# The parsers and codecs under AddressSanitizer, in a build folder of its own.
test-sanitized: setup
	ASAN_OPTIONS=detect_leaks=0 swift test --disable-xctest --sanitize=address --scratch-path .build/sanitized \
	  --filter 'VGGHDF5Tests|VGGKerasTests|VGGCaffeTests|VGGNativeTests|VGGInterchangeTests|VGGPicturesTests|VGGArchiveTests|VGGFlatBuffersTests|VGGProtobufTests|PickleTests|SafetensorsTests|JSONKitTests|VGGBytesTests|FuzzTests'

# The fast engine's threads under ThreadSanitizer, in a build folder of its own.
test-threads: setup
	swift test --disable-xctest --sanitize=thread --scratch-path .build/threads \
	  --filter 'threadsDoNotMatter|runsMayTakePlaceAtTheSameTime'

# The C kernels under sanitizers and Valgrind.
test-kernels: setup-tests
	Tests/Kernels/checked.sh

# The C kernels of AArch64, cross-compiled and run under qemu.
test-neon: setup-tests
	Tests/Kernels/neon.sh

# The runtime of boards, on this machine, on AArch64 and ARM, and on bare Cortex-M and RISC-V boards, under qemu.
test-boards: release setup-tests
	Tests/Boards/run.sh $(VGGCONV)

# Everything that reads files, under libFuzzer and AddressSanitizer: half a minute besides the build, or an hour.
fuzz-short: setup
	Tests/Fuzz/fuzz.sh 30

fuzz: setup
	Tests/Fuzz/fuzz.sh 3600

# The recorders of activations with real Keras (an environment of 1 GB is made from PyPI).
test-recorders: release
	Tests/recorders.sh $(VGGCONV)

# Layers and trained networks of integers in the runtimes that have to agree with us, which come from PyPI (300 MB).
test-peers: release
	Tests/Peers/integers.sh $(VGGCONV)

# What is exported, in the programs that it is for, and what these write; they come from PyPI (8 GB, kept in .build/interop).
test-interop: build-optimised
	Tests/Interop/run.sh $(OPTIMISED)/release/vggconv

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
