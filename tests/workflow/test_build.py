"""The small build: what reruns after which change, kills and restarts, equal bytes."""

import os
import re
import shutil

import pytest

from ..tree import Tree

PATCHES = {"write_sen4agrinet", "write_sen4agrinet_coco", "check_layout"}
SAMPLES = {"aggregate_parcels", "composite_parcels", "composite_patches"}
TABLES = {"write_sen4agrinet_parcels", "write_sen4agrinet_months"}
AFTER_SCENES = {*PATCHES, *SAMPLES, *TABLES, "train_models"}
AFTER_SPLITS = {
    "assign_parcel_splits", "write_sen4agrinet_coco", "write_sen4agrinet_months", "train_models", "check_layout",
}  # fmt: skip
AFTER_LABELS = {"assess_labels", "assign_splits", "weigh_parcels", "select_classes", *AFTER_SPLITS, *AFTER_SCENES}

DECLARATIONS = "archive/simulated/declarations/es_ct/2019/Cultius_DUN2019.zip"


def planned_by(tree: Tree, *arguments: str) -> dict[str, str]:
    """What a dry-run would run and why, without "all" and the pages, which show everything."""
    pages = {file.stem for file in (tree.folder / "src/cropstack/report").glob("*.py")}
    return {rule: why for rule, why in tree.planned(*arguments).items() if rule not in {*pages, "all"}}


# --- what reruns --------------------------------------------------------------------------------------


def test_a_second_run_finds_nothing_to_do(built: Tree) -> None:
    assert built.planned() == {}


def test_a_changed_mapping_reruns_labels_and_what_follows_but_no_scene(built: Tree) -> None:
    with built.edited("taxonomy/countries/es_ct/crops.csv", ",110,", ",150,"):
        planned = planned_by(built)
    assert set(planned) == {"harmonise_parcels", "assign_tiles", "rasterise_labels", *AFTER_LABELS}
    assert planned["harmonise_parcels"].startswith("updated input files:")


def test_an_older_table_in_place_of_another_is_noticed(built: Tree) -> None:
    table = built.folder / "taxonomy/countries/es_ct/crops.csv"
    with built.edited("taxonomy/countries/es_ct/crops.csv", ",110,", ",150,"):
        os.utime(table, (0, 0))
        assert planned_by(built)["harmonise_parcels"] == "params have changed since last execution:"


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
            {"check_layout"}, set(),
        ),
        (
            "src/cropstack/scenes/mosaic.py", "STRIP_ROWS = 366", "STRIP_ROWS = 183",
            {"read_s2"}, AFTER_SCENES,
        ),
        (
            "src/cropstack/splits/strata.py", "import", "LEAST = 1\nimport",
            {"assign_splits"}, AFTER_SPLITS,
        ),
        (
            "src/cropstack/samples/moments.py", "MIN_PIXELS_OF_SKEWNESS = 3", "MIN_PIXELS_OF_SKEWNESS = 4",
            {"aggregate_parcels"}, {"composite_parcels", "train_models", "check_layout", *TABLES},
        ),
        (
            "src/cropstack/models/tempcnn.py", "HIDDEN = 512", "HIDDEN = 256",
            {"train_models"}, set(),
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
        planned = planned_by(built)
    assert {rule for rule, reason in planned.items() if "params have changed" in reason} == steps
    assert set(planned) == steps | following


def test_a_new_seed_of_the_splits_reruns_no_pixel(built: Tree) -> None:
    assert set(planned_by(built, "--config", "seed=17")) == {"assign_splits", *AFTER_SPLITS}


def test_fewer_epochs_train_anew_and_do_nothing_else(built: Tree) -> None:
    with built.edited("config.yaml", "max_epochs: 2", "max_epochs: 1"):
        assert set(planned_by(built)) == {"train_models"}


def test_without_experiments_there_is_nothing_to_train(built: Tree) -> None:
    every = ["scenario1_unet", "scenario1_tempcnn", "scenario1_ndvi_neighbour"]
    with built.edited("config.yaml", "training:\n", f"training:\n  leave_out: {every}\n"):
        assert "train_models" not in built.build("experiments")
        assert planned_by(built) == {}


def test_an_unknown_key_of_the_configuration_names_the_nearest(built: Tree) -> None:
    done = built.snakemake("--dry-run", "--config", "tile_size_pix=366")
    assert done.returncode != 0
    assert (
        'ConfigError: configuration: unknown key "tile_size_pix" at top level; did you mean "tile_size_px"?'
        in done.stdout
    )


# --- what fails ---------------------------------------------------------------------------------------


def test_all_that_rules_make_is_asked_for(built: Tree) -> None:
    """Else what a failed step leaves missing would be found complete by the next run."""
    graph = built.build("--rulegraph")
    names = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)"', graph, re.MULTILINE))
    asked = {names[one] for one, other in re.findall(r"(\d+) -> (\d+)", graph) if names[other] == "all"}
    assert len(names) > 20
    assert set(names.values()) == asked | {"all"}


def test_what_failed_fails_again_until_it_is_mended(built: Tree, copy: Tree) -> None:
    for _ in range(2):
        done = copy.snakemake("--config", "max_unknown_share=0")
        assert done.returncode != 0
        assert "UnknownCropCode" in done.stdout
    copy.build("build/labels/es_ct_2019_parcels.parquet")
    assert copy.planned() == {}
    assert_equal(copy, built)


# --- equal bytes --------------------------------------------------------------------------------------


def test_two_builds_from_scratch_are_equal_byte_for_byte(built: Tree, fresh: Tree) -> None:
    fresh.build("--cores", "1")
    assert fresh.digests() == built.digests()


def test_a_build_killed_while_it_simulates_resumes_to_the_same_bytes(built: Tree, fresh: Tree) -> None:
    """Main alone, then the whole group, in one build; all that follows from the archive would be equal too."""
    for who in ("main", "group"):
        assert fresh.kill_while("simulate_products", who, "archive/simulated")
        assert not (fresh.folder / "archive/simulated/31TCG_2019.json").exists()
        fresh.build("--unlock")
    fresh.build("archive/simulated/31TCG_2019.json", DECLARATIONS)
    assert fresh.half_written() == []
    simulated = fresh.digests()
    assert sum(path.endswith(".jp2") for path in simulated) > 50
    assert simulated.items() <= built.digests().items()


def test_a_build_killed_while_it_reads_a_scene_resumes_to_the_same_bytes(built: Tree, copy: Tree) -> None:
    scene = sorted(copy.folder.glob("build/scenes/s2_l1c/*.nc"))[0]
    target = str(scene.relative_to(copy.folder))
    scene.unlink()
    for who in ("main", "group"):
        assert copy.kill_while("read_s2", who, "build/scenes", target) == [f".tmp-{scene.name}"]
        assert not scene.exists()
        copy.build("--unlock")
    copy.build(target)
    assert_equal(copy, built)


def test_a_build_killed_while_it_writes_patches_resumes_to_the_same_bytes(built: Tree, copy: Tree) -> None:
    patches = copy.folder / "results/sen4agrinet/data/2019/31TCG"
    target = str(patches.relative_to(copy.folder))
    shutil.rmtree(patches)
    for who in ("main", "group"):
        assert copy.kill_while("write_sen4agrinet", who, "results", target) == [".tmp-31TCG"]
        assert not patches.exists()
        copy.build("--unlock")
    copy.build(target)
    assert_equal(copy, built)


@pytest.mark.parametrize(("table", "name"), [("oad", "scenario1_tempcnn"), ("pad", "scenario1_unet")])
def test_a_build_killed_while_it_trains_resumes_to_the_same_bytes(
    built: Tree, copy: Tree, table: str, name: str
) -> None:
    """Killed after an epoch, it goes on from there."""
    target, checkpoint = f"results/sen4agrinet/experiments/{table}", f"build/train/sen4agrinet_{table}/{name}.resume"
    shutil.rmtree(copy.folder / target)
    assert f".tmp-{table}" in copy.kill_while("train_models", "group", "results", target, after=checkpoint)
    assert not (copy.folder / target).exists()
    copy.build("--unlock")
    copy.build(target)
    log = (copy.folder / f"logs/train_models/sen4agrinet_{table}.log").read_text()
    assert f"{name}.resume: resumed after epoch" in log
    assert_equal(copy, built)


def assert_equal(killed: Tree, undisturbed: Tree) -> None:
    """Nothing half-written is left, and all bytes are equal."""
    assert killed.half_written() == []
    assert killed.digests() == undisturbed.digests()
