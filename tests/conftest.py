"""What all tests share: where the real data lies, the small build, and a small disk that fills up."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tree import Tree, copy_of_the_workflow, share_kernels

ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that take minutes: one that begins last leaves the other cores waiting."""
    slow = ("tests/workflow/", "tests/train/test_accuracy.py")
    items.sort(key=lambda item: not item.nodeid.startswith(slow))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder of real products, declarations and grids: CROPSTACK_REALDATA, else ../shared/realdata."""
    folder = Path(os.environ.get("CROPSTACK_REALDATA", ROOT.parent / "shared/realdata"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; name its folder in CROPSTACK_REALDATA")
    return folder


@pytest.fixture(scope="session")
def pristine(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """An undisturbed small build that all workers of a test run share: the first makes it, the others wait.

    Nobody changes it.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "pristine"
    with open(base / "pristine.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            temporary = base / "pristine.unfinished"
            shutil.rmtree(temporary, ignore_errors=True)
            copy_of_the_workflow(root, temporary).build()
            share_kernels(temporary, root)
            temporary.rename(folder)
    return Tree(folder, folder / "src")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk: mount says {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
