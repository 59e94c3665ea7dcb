"""Write envs/cropstack.yaml: what cropstack itself imports, in the versions of requirements.txt, for `--sdm conda`.

Run by `make lock`. Tests compare the file with pyproject.toml and the lock in their own way.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADER = """# For `snakemake --sdm conda`, else unused. Written by `make lock` from pyproject.toml and requirements.txt.
channels:
  - conda-forge
  - bioconda
  - nodefaults
dependencies:
  - python=3.11
"""


def environment(pyproject: str, lock: str) -> str:
    """Text of the environment: direct dependencies, sorted, each pinned as in the lock."""
    versions = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", lock, flags=re.MULTILINE))
    required = tomllib.loads(pyproject)["project"]["dependencies"]
    names = sorted(re.match(r"[A-Za-z0-9.-]+", line)[0].lower() for line in required)
    return HEADER + "".join(f"  - {name}={versions[name]}\n" for name in names)


if __name__ == "__main__":
    text = environment((ROOT / "pyproject.toml").read_text(), (ROOT / "requirements.txt").read_text())
    (ROOT / "envs/cropstack.yaml").write_text(text)
