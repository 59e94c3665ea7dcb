"""The small build: what reruns after which change, kills and restarts, equal bytes."""

import shutil

import pytest

from .conftest import Tree

AFTER_SCENES = {"write_sen4agrinet", "write_sen4agrinet_coco", "check_layout", "write_index"}
AFTER_LABELS = {"assign_splits", *AFTER_SCENES}


# --- what reruns --------------------------------------------------------------------------------------


def test_a_second_run_finds_nothing_to_do(built: Tree) -> None:
    assert built.planned() == {}


def test_a_changed_mapping_reruns_labels_and_what_follows_but_no_scene(built: Tree) -> None:
    with built.edited("taxonomy/countries/es_ct/crops.csv", ",110,", ",150,"):
        planned = built.planned()
    assert set(planned) == {"all", "harmonise_parcels", "assign_tiles", "rasterise_labels", *AFTER_LABELS}
    assert planned["harmonise_parcels"] == "updated input files:"


def test_comments_and_docstrings_rerun_nothing(built: Tree) -> None:
    with (
        built.edited("src/cropstack/files.py", "DEFLATE_LEVEL = 1", "# fast enough\nDEFLATE_LEVEL = 1"),
        built.edited("src/cropstack/scenes/read_s2.py", '"""', '"""Another docstring. '),
        built.edited("src/cropstack/labels/rasterise_labels.py", "import", "# a comment\nimport"),
    ):
        assert built.planned() == {}


@pytest.mark.parametrize(
    ("file", "old", "new", "steps", "following"),
    [
        (
            "src/cropstack/layouts/check_layout.py", "PROBLEMS_SHOWN = 10", "PROBLEMS_SHOWN = 11",
            {"check_layout"}, {"write_index"},
        ),
        (
            "src/cropstack/scenes/mosaic.py", "STRIP_ROWS = 366", "STRIP_ROWS = 183",
            {"read_s2"}, AFTER_SCENES,
        ),
        (
            "src/cropstack/splits/strata.py", "import", "LEAST = 1\nimport",
            {"assign_splits"}, {"write_sen4agrinet_coco", "check_layout", "write_index"},
        ),
    ],
)  # fmt: skip
def test_a_changed_constant_reruns_exactly_its_steps(
    built: Tree, file: str, old: str, new: str, steps: set[str], following: set[str]
) -> None:
    """`steps` run because of their code, those `following` because their input is made anew.

    Constants before the choice of products would do so too, but a dry-run ends at that checkpoint.
    """
    with built.edited(file, old, new):
        planned = built.planned()
    assert {rule for rule, reason in planned.items() if "params have changed" in reason} == steps
    assert set(planned) == steps | following | {"all"}


def test_a_new_seed_of_the_splits_reruns_no_pixel(built: Tree) -> None:
    planned = built.planned("--config", "seed=17")
    assert set(planned) == {"all", "assign_splits", "write_sen4agrinet_coco", "check_layout", "write_index"}


def test_an_unknown_key_of_the_configuration_names_the_nearest(built: Tree) -> None:
    done = built.snakemake("--dry-run", "--config", "tile_size_pix=366")
    assert done.returncode != 0
    assert (
        'ConfigError: configuration: unknown key "tile_size_pix" at top level; did you mean "tile_size_px"?'
        in done.stdout
    )


# --- equal bytes --------------------------------------------------------------------------------------


def test_two_builds_from_scratch_are_equal_byte_for_byte(built: Tree, fresh: Tree) -> None:
    fresh.build("--cores", "1")
    assert fresh.digests() == built.digests()


def test_a_build_killed_while_it_simulates_resumes_to_the_same_bytes(built: Tree, fresh: Tree) -> None:
    """Main alone, then the whole group, in one build."""
    for who in ("main", "group"):
        assert fresh.kill_while("simulate_products", who, "archive/simulated")
        assert not (fresh.folder / "archive/simulated/31TCG_2019.json").exists()
        fresh.build("--unlock")
    fresh.build()
    assert_equal(fresh, built)


@pytest.mark.parametrize("who", ["main", "group"])
def test_a_build_killed_while_it_reads_a_scene_resumes_to_the_same_bytes(built: Tree, copy: Tree, who: str) -> None:
    scene = sorted(copy.folder.glob("build/scenes/s2_l1c/*.nc"))[0]
    target = str(scene.relative_to(copy.folder))
    scene.unlink()
    assert copy.kill_while("read_s2", who, "build/scenes", target) == [f".tmp-{scene.name}"]
    assert not scene.exists()
    copy.build("--unlock")
    copy.build(target)
    assert_equal(copy, built)


@pytest.mark.parametrize("who", ["main", "group"])
def test_a_build_killed_while_it_writes_patches_resumes_to_the_same_bytes(built: Tree, copy: Tree, who: str) -> None:
    patches = copy.folder / "results/sen4agrinet/data/2019/31TCG"
    target = str(patches.relative_to(copy.folder))
    shutil.rmtree(patches)
    assert copy.kill_while("write_sen4agrinet", who, "results", target) == [".tmp-31TCG"]
    assert not patches.exists()
    copy.build("--unlock")
    copy.build(target)
    assert_equal(copy, built)


def assert_equal(killed: Tree, undisturbed: Tree) -> None:
    """Nothing half-written is left, and all bytes are equal."""
    assert killed.half_written() == []
    assert killed.digests() == undisturbed.digests()
