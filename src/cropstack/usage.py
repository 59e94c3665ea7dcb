"""What a step used: processor time, time on the clock and memory, written beside its log.

Snakemake's own `benchmark:` looks at a job from outside every 30 s and misses what lies between: a peak of memory,
and up to a third of the processor time of a short step. The kernel knows both exactly.
"""

import json
import os
import resource
import time
from pathlib import Path


def usage_file(log: Path) -> Path:
    """Where the usage of the step with this log stands."""
    return log.with_suffix(".usage.json")


def write_usage(log: Path) -> None:
    """Write what this process has used since its start, with its ended children: it goes the way of the logs.

    JSON with `cpu_s`, `wall_s` and `peak_mb`: the largest resident memory of this process or one child, in 10⁶ bytes.
    A disk that is full must not fail a step that has done its work.
    """
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    usage = {
        "cpu_s": round(own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, 2),
        "wall_s": round(_seconds_alive(), 2),
        "peak_mb": round(max(_peak_kib(), children.ru_maxrss) * 1024 / 1e6, 1),
    }
    try:
        usage_file(log).write_text(json.dumps(usage) + "\n", encoding="utf-8")
    except OSError as error:
        print(f"{usage_file(log)}: not written ({error})")


def _seconds_alive() -> float:
    """Time since this process was started, the interpreter's own start included."""
    started = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(started) / os.sysconf("SC_CLK_TCK")


def _peak_kib() -> int:
    """Largest resident memory; the kernel's `ru_maxrss` would count what ran in this process before Python did."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
