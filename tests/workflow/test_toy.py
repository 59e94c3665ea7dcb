"""step() under a real Snakemake: kills, restarts, messages."""

import os

from ..tree import Tree


def test_a_killed_build_resumes_to_the_same_bytes(toy: Tree) -> None:
    """Main alone, then the whole group."""
    toy.build()
    undisturbed = toy.digests()
    os.remove(toy.folder / "build/cube.nc")
    os.remove(toy.folder / "results/total.txt")

    (toy.folder / "hold").touch()
    for who in ("main", "group"):
        assert toy.kill_while("write_cube", who, "build") == [".tmp-cube.nc"]
        assert not (toy.folder / "build/cube.nc").exists()
        locked = toy.snakemake()
        assert (locked.returncode, "LockException" in locked.stdout) == (1, True)
        toy.build("--unlock")
    (toy.folder / "hold").unlink()

    toy.build()
    assert toy.digests() == undisturbed
    assert set(undisturbed) == {"build/numbers.txt", "build/cube.nc", "results/total.txt"}


def test_a_step_that_fails_says_why_and_leaves_nothing(toy: Tree) -> None:
    with toy.edited("Snakefile", "limit=1000", "limit=10"):
        done = toy.snakemake()
    message = "ProductError: build/cube.nc: the sum is 45; expected 499500. Write 1000 numbers."
    assert done.returncode == 1
    assert message in done.stdout
    assert (toy.folder / "logs/write_total.log").read_text() == message + "\n"
    assert not (toy.folder / "results/total.txt").exists()
    assert toy.half_written() == []
