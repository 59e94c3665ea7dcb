"""What a build used, from files that can be added up by hand."""

import json
from pathlib import Path

from cropstack.report.usage import RuleUsage, folder_sizes, rule_usage


def write_usage(path: Path, cpu_s: float, wall_s: float, peak_mb: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cpu_s": cpu_s, "wall_s": wall_s, "peak_mb": peak_mb}), encoding="utf-8")


def test_times_of_a_rule_add_up_and_memory_is_its_largest_job(tmp_path: Path) -> None:
    write_usage(tmp_path / "read_s2/s2_l1c/a.usage.json", 1.5, 2.0, 100.0)
    write_usage(tmp_path / "read_s2/s2_l1c/b.usage.json", 2.5, 3.0, 300.0)
    write_usage(tmp_path / "read_s1/c.usage.json", 9.0, 9.0, 900.0)
    assert rule_usage("read_s2", tmp_path) == RuleUsage("read_s2", 2, 4.0, 5.0, 300.0)


def test_rule_with_one_job_has_its_usage_beside_its_log(tmp_path: Path) -> None:
    write_usage(tmp_path / "lock_products.usage.json", 0.5, 1.0, 50.0)
    assert rule_usage("lock_products", tmp_path).jobs == 1


def test_rule_whose_logs_are_gone_has_no_job(tmp_path: Path) -> None:
    assert rule_usage("read_s2", tmp_path / "logs") == RuleUsage("read_s2", 0, 0, 0, 0)


def test_disk_is_counted_by_folder_and_a_link_weighs_nothing(tmp_path: Path) -> None:
    (tmp_path / "build/scenes/s2_l1c").mkdir(parents=True)
    (tmp_path / "build/scenes/s2_l1c/a.nc").write_bytes(b"x" * 1000)
    (tmp_path / "build/scenes/b.nc").write_bytes(b"x" * 24)
    (tmp_path / "build/link").symlink_to(tmp_path / "build/scenes")
    (tmp_path / "build/loose.json").write_bytes(b"x" * 7)
    assert folder_sizes(tmp_path / "build") == [("build/scenes", 2, 1024), ("build, files in it", 1, 7)]
    assert folder_sizes(tmp_path / "absent") == []
