"""Usage of a step: figures that another way of measuring gives too."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cropstack.usage import usage_file, write_usage

WORK = """
import sys, time
from pathlib import Path
from cropstack.usage import write_usage
kept = bytearray(b"x" * 300_000_000)
started = time.process_time()
while time.process_time() - started < 0.3:
    pass
del kept
write_usage(Path(sys.argv[1]))
"""


def test_memory_that_was_given_back_and_time_of_the_processor_are_counted(tmp_path: Path) -> None:
    log = tmp_path / "RPG_2-0.7z.001.log"
    subprocess.run([sys.executable, "-c", WORK, str(log)], check=True)
    usage = json.loads((tmp_path / "RPG_2-0.7z.001.usage.json").read_text(encoding="utf-8"))
    assert usage["peak_mb"] >= 300
    assert min(usage["cpu_s"], usage["wall_s"]) >= 0.3
    assert set(usage) == {"cpu_s", "wall_s", "peak_mb"}


def test_a_disk_that_takes_no_more_fails_no_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usage_file(tmp_path / "read_s2.log").mkdir()  # cannot be written as a file
    write_usage(tmp_path / "read_s2.log")
    assert "not written" in capsys.readouterr().out
