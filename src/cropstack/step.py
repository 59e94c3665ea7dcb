"""Glue between a Snakemake job and a step function, and the digest that says when its code changed."""

import ast
import hashlib
import inspect
import io
import os
import select
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from cropstack.errors import CropstackError
from cropstack.usage import write_usage

PACKAGE = Path(__file__).parent
DATA = {".css", ".csv", ".html", ".js", ".json", ".svg", ".txt", ".yaml"}
OWN_PARAMS = {"code", "found"}  # params that only trigger reruns


def step(function: Callable[..., None], snakemake: Any) -> None:
    """Run `function` as the job `snakemake`, binding input, output, params and threads by name.

    A name in the rule that is not in the signature, or the other way round, is an error. What the function
    prints goes to the terminal and to the rule's log; what it used is written beside that. A `CropstackError` becomes
    its message and exit status 1.
    The process exits at once when the Snakemake that started it is gone: it would outlive it otherwise.
    """
    exit_with_snakemake()
    sys.exit(run(function, snakemake))


def run(function: Callable[..., None], snakemake: Any) -> int:
    """Run `function` as `step` does, in this process, and return the exit status."""
    with open(snakemake.log[0], "wb", buffering=0) as log:
        with redirect_stdout(_Tee(sys.stdout, log)), redirect_stderr(_Tee(sys.stderr, log)):
            try:
                function(**bind(function, snakemake))
            except CropstackError as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                return 1
            except BaseException:  # also an interrupt belongs into the log
                traceback.print_exc()
                return 1
    write_usage(Path(snakemake.log[0]))
    return 0


def bind(function: Callable[..., None], snakemake: Any) -> dict[str, Any]:
    """Arguments of `function` from the names of a job: files as paths or lists of paths, params as they are.

    Raises
    ------
    TypeError : a name that stands only in the rule, only in the signature, or twice in the rule.
    """
    items = [(name, _as_path(value)) for files in (snakemake.input, snakemake.output) for name, value in files.items()]
    items += [(name, value) for name, value in snakemake.params.items() if name not in OWN_PARAMS]
    names = set(inspect.signature(function).parameters)
    if "threads" in names:
        items.append(("threads", snakemake.threads))
    values = dict(items)
    if len(values) < len(items):
        raise TypeError(f"{function.__name__}: a name stands twice in the rule: {sorted(name for name, _ in items)}")
    if names != set(values):
        raise TypeError(f"{function.__name__}: rule and signature differ in {sorted(names ^ set(values))}")
    return values


def _as_path(value: Any) -> Path | list[Path]:
    return Path(value) if isinstance(value, str) else [Path(item) for item in value]


class _Tee(io.TextIOBase):
    """A text stream that writes to two. A log that cannot be written (disk full) must not hide the message."""

    def __init__(self, terminal: TextIO, log: io.FileIO) -> None:
        self.terminal = terminal
        self.log: io.FileIO | None = log

    def write(self, text: str) -> int:
        self.terminal.write(text)
        self.terminal.flush()
        try:
            if self.log is not None:
                self.log.write(text.encode())
        except OSError as error:
            self.terminal.write(f"\n(the log is not written further: {error})\n")
            self.log = None
        return len(text)

    def fileno(self) -> int:
        return self.terminal.fileno()


# --- watch --------------------------------------------------------------------------------------------


def exit_with_snakemake() -> None:
    """End this process when its parent or the Snakemake above it ends, also when that happened already.

    Snakemake starts a script from a shell, so the signal of a dying parent (PDEATHSIG) tells nothing: when only
    Snakemake is killed that shell lives on.
    """
    parent, snakemake = os.getppid(), nearest_snakemake()
    try:
        handles = [os.pidfd_open(pid) for pid in {parent, snakemake} if pid is not None]
    except ProcessLookupError:
        snakemake = None
    # Asked again, because a process id may have been given to another process before it was opened.
    if snakemake is None or (os.getppid(), nearest_snakemake()) != (parent, snakemake):
        sys.exit("CropstackError: the Snakemake that started this step is gone. Steps are run by snakemake.")
    threading.Thread(target=_exit_with_first, args=(handles,), daemon=True).start()


def _exit_with_first(handles: list[int]) -> None:
    poller = select.poll()
    for handle in handles:
        poller.register(handle, select.POLLIN)
    poller.poll()
    os._exit(1)


def nearest_snakemake() -> int | None:
    """Process id of the nearest ancestor that is a Snakemake, None when there is none (any more)."""
    pid = os.getppid()
    try:
        while pid > 0:
            if is_snakemake(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")):
                return pid
            pid = _parent(pid)
    except (FileNotFoundError, ProcessLookupError):  # gone while we looked
        return None
    return None


def is_snakemake(command: list[bytes]) -> bool:
    """Whether a command line is Snakemake's: ``snakemake``, ``python …/snakemake`` or ``python -m snakemake``.

    A shell, an editor or a script in a folder of that name is none.
    """
    program, *words = [os.fsdecode(word) for word in command]
    if not os.path.basename(program).startswith(("python", "pypy")):
        return os.path.basename(program) == "snakemake"
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if not option.startswith(("--", "-X", "-W")) and option[-1] in "mc":  # -m, -Im: what follows is what runs
            return option[-1] == "m" and words[:1] == ["snakemake"]
        if option in {"-X", "-W", "--check-hash-based-pycs"}:
            words = words[1:]
    return bool(words) and os.path.basename(words[0]) == "snakemake"


def _parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


# --- code digest --------------------------------------------------------------------------------------


def code_of(*modules: str) -> str:
    """Digest of the code that a step runs: its modules and every cropstack module that they import.

    Computed from the syntax trees without docstrings, so that a comment or a docstring changes nothing
    and a changed constant does. Modules are dotted, without the package: ``"scenes.read_s2"``. They are followed
    through import statements only: what a step loads by name stands beside it in the rule. `DATA` files beside them
    (templates, style sheets) count as they are; what an editor leaves there does not.
    """
    digest = hashlib.sha256()
    names = sorted({name for module in modules for name in _closure(f"cropstack.{module}")})
    for name in names:
        digest.update(name.encode() + _tree(name).encode())
    for file in sorted({file for name in names for file in _data_files(_file(name).parent)}):
        digest.update(file.relative_to(PACKAGE).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _data_files(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.suffix in DATA and not file.name.startswith(".")]


def _closure(module: str) -> set[str]:
    found: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(_imports(name))
            queue.extend([name.rpartition(".")[0]] if "." in name else [])  # a package runs before its modules
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
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return ast.dump(tree)
