"""Kill builds at random moments, restart them, and compare every byte with an undisturbed build.

    python benchmarks/kills.py --kills 20 --work FOLDER

Kills alternate between Snakemake alone and its whole process group, at moments drawn from a seed over the time that the
undisturbed build took. A build is killed, unlocked and killed again until `--per-build` kills, then finished.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLONED = ["Snakefile", "envs", "profiles", "src", "taxonomy", "workflow"]
CONFIG = """areas:
  es_ct: {tiles: [31TCG], years: [2019]}
provider: simulated
tile_size_px: 732
simulation: {acquisitions: 4}
"""
TARGETS = ["results/index.html", "results/sen4agrinet/classes.csv"]


def clone(folder: Path) -> Path:
    """The workflow with a small configuration, nothing made yet."""
    folder.mkdir(parents=True)
    for name in CLONED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)
    (folder / "config.yaml").write_text(CONFIG)
    return folder


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--quiet", "all"]
    with open(folder / "snakemake.log", "ab") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)


def finish(folder: Path, *arguments: str) -> None:
    if start(folder, *arguments).wait():
        sys.exit(f"{folder}: snakemake {' '.join(arguments)} failed; see snakemake.log there")


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of all that a build makes but pages, by path; of a link, where it points."""
    found: dict[str, str] = {}
    for path in sorted(p for name in ("archive", "build", "results") for p in (folder / name).rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = os.readlink(path)
        elif path.is_file() and path.suffix != ".html":
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def kill_after(folder: Path, seconds: float, *, group: bool) -> bool:
    """Start a build and kill it after `seconds`; whether it was still running."""
    process = start(folder, *TARGETS)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL) if group else process.kill()
        process.wait()
        time.sleep(1)  # steps end by themselves
        return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--per-build", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder to work in; default: a temporary one")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp())
    undisturbed = clone(work / "undisturbed")
    began = time.monotonic()
    finish(undisturbed, *TARGETS)
    duration, expected = time.monotonic() - began, digests(undisturbed)
    print(f"undisturbed: {duration:.0f} s, {len(expected)} files", flush=True)
    draw, done = random.Random(options.seed), 0
    for number in range(-(-options.kills // options.per_build)):
        folder = clone(work / f"build{number}")
        for _ in range(min(options.per_build, options.kills - done)):
            moment, group = draw.uniform(1, duration), bool(done % 2)
            running = kill_after(folder, moment, group=group)
            finish(folder, "--unlock")
            done += 1
            print(f"kill {done}: {'group' if group else 'main'} after {moment:.1f} s, running: {running}", flush=True)
        finish(folder, *TARGETS)
        different = sorted(set(expected.items()) ^ set(digests(folder).items()))
        if different:
            sys.exit(f"{folder}: {len(different)} files differ from {undisturbed}, first {different[0][0]}")
        shutil.rmtree(folder)
    print(f"{done} kills: every build ended with the same bytes")


if __name__ == "__main__":
    main()
