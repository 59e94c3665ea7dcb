"""Working directories in which tests run Snakemake, kill it, and compare what it made; the small build."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

WORKFLOW_FILES = ["Snakefile", "config.yaml", "envs", "profiles", "src", "taxonomy", "workflow"]
PATIENCE_S = 120.0  # until a job is seen; far more than any needs


@dataclass(frozen=True)
class Tree:
    """A directory with a Snakefile."""

    folder: Path
    source: Path  # the cropstack that its steps import

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]

    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(self.source)}

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake to its end; stdout and stderr together."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def build(self, *arguments: str) -> str:
        done = self.snakemake(*arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def planned(self, *arguments: str) -> dict[str, str]:
        """Rules that a dry-run would run, with the reasons that Snakemake sums up below the jobs."""
        text = self.build("--dry-run", *arguments)
        if "Nothing to be done" in text:
            return {}
        lines = text.rpartition("Reasons:\n")[2].splitlines()
        reasons: dict[str, str] = {}
        for reason, rules in pairwise(lines):
            if rules.startswith(" " * 8):
                for rule in rules.strip().split(", "):
                    reasons[rule] = f"{reasons.get(rule, '')} {reason.strip()}".strip()
        assert reasons, text
        return reasons

    def running(self) -> set[str]:
        """Names of the steps whose processes run in this directory."""
        scripts = str(self.folder / ".snakemake/scripts/")
        words = (word for command in _commands() for word in command if word.startswith(scripts))
        return {word.rsplit(".", 2)[1] for word in words}

    def kill_while(self, step: str, who: str, where: str, *arguments: str, after: str = "") -> list[str]:
        """Start Snakemake and kill it, `who`: "main" alone or its "group", while `step` writes below `where`.

        Not before the file `after` is there. Returns what lay half-written below `where`. Fails when the step outlives
        its Snakemake.
        """
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(lambda: process.poll() is not None or (self.folder / after).exists())
        wait_until(lambda: process.poll() is not None or self.is_stopped_in(process.pid, step, where))
        assert process.poll() is None, f"Snakemake ended before {step} was seen writing below {where}"
        found = self.half_written(where)
        if who == "group":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
            os.killpg(process.pid, signal.SIGCONT)
        process.wait()
        wait_until(lambda: not self.running())
        return found

    def is_stopped_in(self, group: int, step: str, where: str) -> bool:
        """Whether `step` is writing; if so its process group stands still afterwards, so that it goes on doing so."""
        if step in self.running() and self.half_written(where):
            os.killpg(group, signal.SIGSTOP)
            if step in self.running() and self.half_written(where):
                return True
            os.killpg(group, signal.SIGCONT)
        return False

    def half_written(self, where: str = "") -> list[str]:
        """Names of temporary files and folders below a folder."""
        walk = os.walk(self.folder / where)  # overlooks folders that vanish meanwhile
        return sorted({name for _, folders, files in walk for name in folders + files if name.startswith(".tmp-")})

    def digests(self) -> dict[str, str]:
        """SHA-256 of all that a build makes, but logs and pages, by path; of a link, where it points."""
        found: dict[str, str] = {}
        for name in ("archive", "build", "results"):
            for path in sorted((self.folder / name).rglob("*")):
                if path.is_symlink():
                    found[str(path.relative_to(self.folder))] = f"link to {os.readlink(path)}"
                elif path.is_file() and path.suffix != ".html":
                    found[str(path.relative_to(self.folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    @contextmanager
    def edited(self, file: str, old: str, new: str) -> Iterator[None]:
        """Replace `old` in a file, and put the file back as it was, time included."""
        path = self.folder / file
        text, times = path.read_text(encoding="utf-8"), path.stat()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(text, encoding="utf-8")
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _commands() -> Iterator[list[str]]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield file.read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
            continue


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# --- the small build ----------------------------------------------------------------------------------

# Seven acquisitions: one was reprocessed, one split, one lies on the swath's edge, three are cloudy, and one is there
# in its reprocessed form only.
SMALL = {
    "recipes": ["sen4agrinet"],
    "provider": "simulated",
    "areas": {"es_ct": {"tiles": ["31TCG"], "years": [2019]}},
    "tile_size_px": 732,
    "simulation": {"acquisitions": 7},
    "training": {"pad": {"max_epochs": 2, "max_samples": 12, "max_batch_size": 4}, "oad": {"max_samples": 60}},
}


def copy_of_the_workflow(root: Path, folder: Path, settings: dict[str, Any] = SMALL) -> Tree:
    """What a clone holds of the workflow, set up for one tile and seven acquisitions unless told otherwise.

    Kernels that are compiled already come along: compiling them costs a third of the small build.
    """
    folder.mkdir()
    ignored = shutil.ignore_patterns("*.pyc*", "*.tmp.*", "*.egg-info")  # half-written ones too
    for name in WORKFLOW_FILES:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=ignored)
        else:
            shutil.copy2(root / name, folder / name)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return Tree(folder, folder / "src")


def share_kernels(folder: Path, root: Path) -> None:
    """Put the kernels that a build has compiled where numba would put them for `root`, and tests find them."""
    for kernel in sorted((folder / "src").rglob("*.nb[ci]")):
        target = root / kernel.relative_to(folder)
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(kernel, target)


def copy_of(tree: Tree, folder: Path) -> Tree:
    """A tree with all that it has made, elsewhere."""
    shutil.copytree(tree.folder, folder, symlinks=True)
    return Tree(folder, folder / "src")
