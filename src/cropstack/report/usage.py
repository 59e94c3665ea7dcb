"""Section "Usage": where time, memory and disk went."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cropstack.report.inputs import Inputs


@dataclass(frozen=True)
class RuleUsage:
    """What the jobs of one rule used, each when it last ran: sums of seconds, and the largest job's memory."""

    rule: str
    jobs: int
    cpu_s: float
    wall_s: float
    peak_mb: float


def usage(inputs: Inputs) -> dict[str, Any]:
    """Values of the section."""
    rules = [rule_usage(rule, inputs.logs) for rule in inputs.rules]
    measured = sorted((rule for rule in rules if rule.jobs), key=lambda rule: (-rule.cpu_s, rule.rule))
    folders = [size for root in inputs.disk for size in folder_sizes(root)]
    most_s, most_bytes = _most(rule.cpu_s for rule in measured), _most(size for _, _, size in folders)
    return {
        "rules": [{"use": rule, "percent": round(100 * rule.cpu_s / most_s, 1)} for rule in measured],
        "missing": [rule.rule for rule in rules if not rule.jobs],
        "total": RuleUsage("all", sum(r.jobs for r in rules), sum(r.cpu_s for r in rules), sum(r.wall_s for r in rules),
                           max((r.peak_mb for r in rules), default=0)),
        "folders": [
            {"name": name, "files": files, "bytes": size, "megabytes": size / 1e6,
             "percent": round(100 * size / most_bytes, 1)}
            for name, files, size in folders
        ],
    }  # fmt: skip


def _most(values: Iterable[float]) -> float:
    return max(values, default=0) or 1


def rule_usage(rule: str, logs: Path) -> RuleUsage:
    """Sum what the jobs of a rule wrote beside their logs (`cropstack.usage`); 0 jobs where nothing is left of it."""
    files = [*sorted((logs / rule).rglob("*.usage.json")), *logs.glob(f"{rule}.usage.json")]
    jobs = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    cpu_s, wall_s = (sum(job[name] for job in jobs) for name in ("cpu_s", "wall_s"))
    return RuleUsage(rule, len(jobs), cpu_s, wall_s, max((job["peak_mb"] for job in jobs), default=0))


def folder_sizes(root: Path) -> list[tuple[str, int, int]]:
    """Files and bytes below each folder of `root`, and in it: (name, files, bytes); links count as nothing."""
    if not root.is_dir():
        return []
    loose = [path for path in root.iterdir() if path.is_file() and not path.is_symlink()]
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())
    sizes = [(f"{root.name}/{folder.name}", *_size(folder.rglob("*"))) for folder in folders]
    return [*sizes, *([(f"{root.name}, files in it", *_size(loose))] if loose else [])]


def _size(paths: Iterable[Path]) -> tuple[int, int]:
    sizes = [path.lstat().st_size for path in paths if path.is_file() and not path.is_symlink()]
    return len(sizes), sum(sizes)
