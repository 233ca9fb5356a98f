#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times of several systems side by side, in a process of their own."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Mapping, Sequence

import gradients
import peers
import problems
from problems import Shape

#: Rounds over all systems, so that a disturbance does not hit one alone.
ROUNDS = 5


@dataclasses.dataclass(frozen=True)
class Entry:
    """One thing to measure."""

    system: str  # a name in peers.SYSTEMS or, with gradients, in gradients.SYSTEMS
    shape: Shape
    threads: int = 1
    processor: str = "native"
    gradients: bool = False  # forward and backward instead of forward alone

    def prepare(self, **changes: Any) -> peers.Call:
        """The function to call, of this shape or a changed one."""
        systems = gradients.SYSTEMS if self.gradients else peers.SYSTEMS
        return systems[self.system](dataclasses.replace(self.shape, **changes), self.threads,
                                    self.processor)


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of an entry: a minimum in ms or what kept it from running."""

    entry: Entry
    ms: float = math.nan
    first: float = math.nan  # seconds of the first call, compilation included
    error: float = math.nan  # relative to the float64 oracle; NaN for other operators
    problem: str = ""


def processor() -> str:
    """The name of the processor."""
    try:
        with open("/proc/cpuinfo") as info:
            return next(line.split(":")[1].strip() for line in info if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor()


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


# --- In the worker ----------------------------------------------------------------------------


def _start(entry: Entry) -> tuple[Any, Result]:
    """The call of an entry, run once and compared with the oracle."""
    import numpy as np

    call = entry.prepare()
    start = time.perf_counter()
    result = call()
    first, error = time.perf_counter() - start, math.nan
    if entry.system in peers.OTHER_OPERATORS:
        pass
    elif entry.gradients:
        error = gradients.error(entry.shape, result)
    else:
        from lot import reference

        tensors, options = problems.operands(entry.shape)
        expected = reference.attention(*tensors, **options)
        error = float(np.linalg.norm(np.asarray(result, np.float64) - expected)
                      / np.linalg.norm(expected))
    return call, Result(entry, first=first, error=error)


def _work(entries: Sequence[Entry], calls: int) -> list[Result]:
    """Measures in this process: minima over at least `calls` calls each."""
    results, running = {}, {}
    for entry in entries:
        try:
            running[entry], results[entry] = _start(entry)
        except Exception as problem:  # noqa: BLE001 - a system that fails is a row of the table
            text = f"{type(problem).__name__}: {problem}".splitlines()[0]
            results[entry] = Result(entry, problem=text)
    best = {entry: math.inf for entry in running}
    threaded = any(entry.threads > 1 for entry in entries)
    for _ in range(ROUNDS):
        for entry, call in running.items():
            if threaded:
                time.sleep(0.3)  # lets the threads of the one before fall asleep
            call()
            for _ in range(math.ceil(calls / ROUNDS)):
                start = time.perf_counter()
                call()
                best[entry] = min(best[entry], time.perf_counter() - start)
    return [dataclasses.replace(results[entry], ms=1e3 * best[entry]) if entry in best
            else results[entry] for entry in entries]


def _memory(entry: Entry) -> float:
    """MiB that a call of lot needs at its peak beyond inputs, output and gradients."""
    entry.prepare(n=64)()
    call = entry.prepare()
    if entry.gradients:
        gradients.cotangent(entry.shape)
    # Not the peak so far: making the inputs took more than they do.
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    before = pages * resource.getpagesize()
    output = call()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    outputs = output.values() if entry.gradients else [output]
    return (after - before - sum(array.nbytes for array in outputs)) / 2**20


def _entry(fields: dict[str, Any]) -> Entry:
    return Entry(**{**fields, "shape": Shape(**fields["shape"])})


def _main(request: dict[str, Any]) -> None:
    """Reads a request, prints the answer as one line of JSON."""
    entries = [_entry(fields) for fields in request["entries"]]
    threads = max(entry.threads for entry in entries)
    os.sched_setaffinity(0, cores()[:threads])  # before any thread pool starts
    os.environ["LOT_CACHE_DIR"] = "off"  # the first call compiles, as the peers' does
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if request["memory"]:
        answer: Any = _memory(entries[0])
    else:
        answer = [dataclasses.asdict(result) for result in _work(entries, request["calls"])]
    print("\n" + json.dumps(answer), flush=True)


# --- In the caller ----------------------------------------------------------------------------


def _ask(entries: Sequence[Entry], calls: int, memory: bool,
         environment: Mapping[str, str]) -> Any:
    request = dict(entries=[dataclasses.asdict(entry) for entry in entries], calls=calls,
                   memory=memory)
    done = subprocess.run([sys.executable, __file__, json.dumps(request)], text=True,
                          stdout=subprocess.PIPE, env={**os.environ, **environment})
    if done.returncode:
        sys.exit(f"measure.py: a worker failed with status {done.returncode}: "
                 f"{', '.join(str(entry) for entry in entries)}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(entries: Sequence[Entry], calls: int,
            environment: Mapping[str, str] = {}) -> list[Result]:
    """The results of the entries, in their order, all from one process."""
    return [Result(**{**fields, "entry": _entry(fields["entry"])})
            for fields in _ask(entries, calls, False, environment)]


def peak_memory(entry: Entry) -> float:
    """MiB that the entry needs beyond inputs and output, from a process of its own."""
    return _ask([entry], 1, True, {})


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
