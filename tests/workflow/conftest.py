"""A toy workflow, and the small build before, after and beside what tests do to it."""

from pathlib import Path

import pytest

from ..tree import Tree, copy_of, copy_of_the_workflow

# --- the toy ------------------------------------------------------------------------------------------

TOY_SNAKEFILE = """
rule all:
    input: "results/total.txt"
rule write_numbers:
    output: numbers="build/numbers.txt"
    params: limit=1000
    log: "logs/write_numbers.log"
    script: "write_numbers.py"
rule write_cube:
    input: numbers="build/numbers.txt"
    output: cube="build/cube.nc"
    log: "logs/write_cube.log"
    script: "write_cube.py"
rule write_total:
    input: cube="build/cube.nc"
    output: total="results/total.txt"
    log: "logs/write_total.log"
    script: "write_total.py"
"""
TOY_STEPS = {
    "write_numbers": """
from pathlib import Path

from cropstack.files import write_text
from cropstack.step import step


def write_numbers(numbers: Path, *, limit: int) -> None:
    write_text(numbers, "\\n".join(str(n) for n in range(limit)))


if __name__ == "__main__":
    step(write_numbers, snakemake)
""",
    # Stops halfway for as long as a file "hold" lies in the directory.
    "write_cube": """
import time
from pathlib import Path

import numpy as np

from cropstack.files import add_dimension, create_netcdf
from cropstack.step import step


def write_cube(numbers: Path, cube: Path) -> None:
    with create_netcdf(cube, {"title": "toy"}) as file:
        add_dimension(file, "x", np.array(numbers.read_text().split(), "f8"))
        file.flush()
        while Path("hold").exists():
            time.sleep(0.05)


if __name__ == "__main__":
    step(write_cube, snakemake)
""",
    "write_total": """
from pathlib import Path

import h5py

from cropstack.errors import ProductError
from cropstack.files import write_text
from cropstack.step import step


def write_total(cube: Path, total: Path) -> None:
    with h5py.File(cube) as file:
        value = int(file["x"][:].sum())
    if value == 45:
        raise ProductError(f"{cube}: the sum is 45; expected 499500. Write 1000 numbers.")
    write_text(total, str(value))


if __name__ == "__main__":
    step(write_total, snakemake)
""",
}


@pytest.fixture
def toy(tmp_path: Path, root: Path) -> Tree:
    """Three steps; the second holds while a file "hold" is there."""
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "Snakefile").write_text(TOY_SNAKEFILE)
    for name, text in TOY_STEPS.items():
        (folder / f"{name}.py").write_text(text)
    return Tree(folder, root / "src")


# --- the small build ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def built(pristine: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The small build. Tests leave it as it is, or put back what they change."""
    return copy_of(pristine, tmp_path_factory.mktemp("built") / "clone")


@pytest.fixture
def fresh(root: Path, tmp_path: Path) -> Tree:
    """The small build's clone before anything is made."""
    return copy_of_the_workflow(root, tmp_path / "clone")


@pytest.fixture
def copy(pristine: Tree, tmp_path: Path) -> Tree:
    """A copy of the small build to break."""
    return copy_of(pristine, tmp_path / "copy")
