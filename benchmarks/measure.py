"""Run a command in its own process and say what it cost."""

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Usage:
    """`cpu_s` is user plus system of the process and its children; `said` what it printed last, read as JSON."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    said: Any


def measure(command: Sequence[str], *, threads: int) -> Usage:
    """Run a command from start to exit; it may use `threads` threads. A failure stops the benchmark."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "benchmarks")]),
        "OMP_NUM_THREADS": str(threads),
    }
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)[:300]} ended with status {process.returncode}")
    lines = output.strip().splitlines()
    said = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else None
    return Usage(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, said)
