"""Write the environments for `--sdm conda`: what cropstack itself imports, in the versions of requirements.txt.

train.yaml has PyTorch besides, which only training needs and which is larger than all the rest; its version is that of
the Makefile, because torch is in no lock. Run by `make lock`. Tests compare the files with pyproject.toml, the lock and
the Makefile in their own way.
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


def dependencies(pyproject: str, lock: str) -> dict[str, str]:
    """Version of each direct dependency, as the lock has it."""
    versions = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", lock, flags=re.MULTILINE))
    required = tomllib.loads(pyproject)["project"]["dependencies"]
    return {name: versions[name] for name in (re.match(r"[A-Za-z0-9.-]+", line)[0].lower() for line in required)}


def torch_version(makefile: str) -> str:
    """Version that `make environment` installs."""
    return re.search(r"^TORCH := torch==(\S+)$", makefile, flags=re.MULTILINE)[1]


def environment(versions: dict[str, str]) -> str:
    """Text of an environment, its packages sorted."""
    return HEADER + "".join(f"  - {name}={version}\n" for name, version in sorted(versions.items()))


if __name__ == "__main__":
    pins = dependencies((ROOT / "pyproject.toml").read_text(), (ROOT / "requirements.txt").read_text())
    torch = {"pytorch": torch_version((ROOT / "Makefile").read_text())}
    (ROOT / "envs/cropstack.yaml").write_text(environment(pins))
    (ROOT / "envs/train.yaml").write_text(environment(pins | torch))
