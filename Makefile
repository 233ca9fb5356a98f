# The commands of the project; each sets up what it needs (scripts/setup.sh).
#
#   make demo          the main job on a photo: lot-opt, lot-run, check, picture
#   make check         lit and pytest, also of PyTorch and JAX (FRAMEWORKS=off does
#                      not install them); the last line counts passed and failed
#   make build         build/bin, build/lib and the package in .venv/bin/python
#   make install       tools, headers, libraries, find_package(Lot) in PREFIX
#   make wheel         a wheel in dist/; PYTHON=python3.12 for another Python
#   make wheel-portable  the same with LLVM and MLIR inside
#   make check-iree    make check with the tests of iree-compile
#   make check-frameworks  JAX, PyTorch and torch-mlir, and their round trips through
#                      IREE, docs/integrations.md included (part of make check where CI=true)
#   make bench         benchmarks/cpu.py; BENCH_ARGS are its arguments
#   make bench-compile benchmarks/compile_time.py, the same way
#   make roofline      benchmarks/roofline.py: passes against what a core gives
#   make docs          docs/generated from the ODS files
#   make format        clang-format; make format-check only looks
#
# PYTHON makes .venv (3.11 or later) and wheels (3.10 or later). LLVM_PREFIX, or
# MLIR_DIR and LLVM_DIR, name an LLVM and MLIR 22.1 other than /usr/lib/llvm-22.

PYTHON ?= python3
BUILD ?= build
JOBS ?= $(shell nproc)
PREFIX ?= install
BENCH_ARGS ?=
DEMO_ARGS ?=
FRAMEWORKS ?= on
export PYTHON BUILD JOBS
# ccache and Clang's precompiled headers.
export CCACHE_SLOPPINESS ?= pch_defines,time_macros,include_file_mtime,include_file_ctime

.PHONY: build install demo check check-iree check-frameworks wheel wheel-portable bench bench-compile roofline docs format format-check clean

build:
	@scripts/setup.sh system venv configure
	@.venv/bin/ninja -C $(BUILD) -j $(JOBS) --quiet

install: build
	@cmake --install $(BUILD) --component LotDevelopment --prefix $(abspath $(PREFIX))

demo: build
	@.venv/bin/python examples/demo.py --build $(BUILD) $(DEMO_ARGS)

# On a CI machine nothing is left out for want of a package.
check: build
ifneq ($(FRAMEWORKS),off)
	@scripts/setup.sh frameworks
endif
ifeq ($(CI),true)
	@scripts/setup.sh iree emulator mpi
endif
	@scripts/check.sh

check-iree:
	@$(MAKE) --no-print-directory check CI=true

check-frameworks: build
	@scripts/setup.sh frameworks iree mpi
	@scripts/check.sh frameworks

wheel:
	@scripts/wheel.sh

wheel-portable:
	@scripts/wheel.sh --portable

bench: build
	@scripts/setup.sh bench
	@.venv-bench/bin/python benchmarks/cpu.py $(BENCH_ARGS)

bench-compile: build
	@scripts/setup.sh bench
	@.venv-bench/bin/python benchmarks/compile_time.py $(BENCH_ARGS)

roofline: build
	@.venv/bin/python benchmarks/roofline.py --plot docs/images/roofline.png

docs: build
	@scripts/generate_docs.sh docs/generated

format:
	@scripts/format.sh -i

format-check:
	@scripts/format.sh --dry-run -Werror

clean:
	rm -rf $(BUILD)
