"""Glue between a Snakemake job and a step function, and the digest that says when its code changed."""

import ast
import hashlib
import inspect
import os
import select
import sys
import threading
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from cropstack.errors import CropstackError

PACKAGE = Path(__file__).parent
OWN_PARAMS = {"code"}  # params that only trigger reruns


def step(function: Callable[..., None], snakemake: Any) -> None:
    """Run `function` as the job `snakemake`, binding input, output, params and threads by name.

    A name in the rule that is not in the signature, or the other way round, is an error. What the function
    prints goes to the terminal and to the rule's log. A `CropstackError` becomes its message and exit status 1.
    The process exits at once when the Snakemake that started it is gone: it would outlive it otherwise.
    """
    _exit_with(_nearest_snakemake())
    arguments = _bind(function, snakemake)
    with open(snakemake.log[0], "w", encoding="utf-8") as log:
        sys.stdout = _Tee(sys.stdout, log)
        sys.stderr = _Tee(sys.stderr, log)
        try:
            function(**arguments)
        except CropstackError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            sys.exit(1)
        except BaseException:
            traceback.print_exc()
            sys.exit(1)


def _bind(function: Callable[..., None], snakemake: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for kind, is_path in ((snakemake.input, True), (snakemake.output, True), (snakemake.params, False)):
        for name, value in kind.items():
            if name not in OWN_PARAMS:
                values[name] = _as_path(value) if is_path else value
    names = set(inspect.signature(function).parameters)
    if "threads" in names:
        values["threads"] = snakemake.threads
    if names != set(values):
        raise TypeError(f"{function.__name__}: rule and signature differ in {sorted(names ^ set(values))}")
    return values


def _as_path(value: Any) -> Path | list[Path]:
    return Path(value) if isinstance(value, str) else [Path(item) for item in value]


class _Tee:
    """A text stream that writes to two."""

    def __init__(self, *streams: Any) -> None:
        self.streams = streams

    def write(self, text: str) -> int:
        for stream in self.streams:
            stream.write(text)
            stream.flush()
        return len(text)

    def flush(self) -> None:
        for stream in self.streams:
            stream.flush()


# --- watch --------------------------------------------------------------------------------------------


def _nearest_snakemake() -> int | None:
    """Process id of the nearest ancestor that is a Snakemake, None when there is none."""
    pid = os.getppid()
    while pid > 1:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if any(b"snakemake" in word for word in command[:3]) and not _is_shell(command):
            return pid
        pid = _parent(pid)
    return None


def _is_shell(command: list[bytes]) -> bool:
    return os.path.basename(command[0]) in {b"bash", b"sh", b"dash"}


def _parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def _exit_with(pid: int | None) -> None:
    if pid is None:
        return
    threading.Thread(target=_watch, args=(os.pidfd_open(pid),), daemon=True).start()


def _watch(handle: int) -> None:
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    poller.poll()
    os._exit(1)


# --- code digest --------------------------------------------------------------------------------------


def code_of(module: str) -> str:
    """Digest of the code that a step runs: its module and every cropstack module that it imports.

    Computed from the syntax trees without docstrings, so that a comment or a docstring changes nothing
    and a changed constant does. `module` is dotted, without the package: ``"scenes.read_s2"``.
    """
    digest = hashlib.sha256()
    for name in sorted(_closure(f"cropstack.{module}")):
        digest.update(name.encode() + _tree(name).encode())
    return digest.hexdigest()[:16]


def _closure(module: str) -> set[str]:
    found: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(_imports(name))
    return found


@cache
def _parse(module: str) -> ast.Module:
    return ast.parse(_file(module).read_text(encoding="utf-8"))


def _file(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _imports(module: str) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(_parse(module)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(n for n in names if n.split(".")[0] == "cropstack" and _file(n).exists())


@cache
def _tree(module: str) -> str:
    tree = _parse(module)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                node.body = node.body[1:]
    return ast.dump(tree)
