# Configuration, recipes and the functions that choose inputs. Only the rules know config; steps get plain values.

import csv
import os
import sys
from functools import cache
from pathlib import Path

from cropstack.errors import ConfigError, CropstackError
from cropstack.files import sha256
from cropstack.listing import listing_digest, stamp
from cropstack.schema import read_yaml, validate
from cropstack.step import code_of
from cropstack.tile_name import parse_tile
from cropstack.train.experiment import expand

WORKFLOW = Path(workflow.basedir) / "workflow"
COUNTRIES = Path("taxonomy/countries")


wildcard_constraints:
    cc=r"[a-z]{2}(_[a-z0-9]+)?",
    tile=r"\d{2}[A-Z]{3}",
    year=r"\d{4}",
    collection=r"[a-z0-9_]+",
    product=r"[A-Za-z0-9_.]+?",
    scene=r"[A-Z0-9_]+",
    recipe=r"[a-z0-9]+",
    scenario=r"[a-z0-9]+",
    table=r"pad|oad",


def check_config():
    """Settings with defaults, recipes by name; a mistake stops here with one line."""
    try:
        settings = validate(config, WORKFLOW / "schemas/config.schema.yaml", origin="configuration")
        recipes = {name: read_recipe(name) for name in settings["recipes"]}
        check_areas(settings)
        check_files(settings)
        check_corine(settings)
        check_results(settings)
        return settings, recipes
    except CropstackError as error:
        sys.exit(f"{type(error).__name__}: {error}")


def read_recipe(name):
    path = WORKFLOW / f"recipes/{name}.yaml"
    if not path.exists():
        known = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise ConfigError(f'configuration: recipes: no recipe "{name}"; there are {", ".join(known)}')
    return read_yaml(path, WORKFLOW / "schemas/recipe.schema.yaml")


def check_areas(settings):
    if settings["provider"] == "folder" and not settings["folder"]:
        raise ConfigError('configuration: provider "folder" needs the key "folder": the directory with the products')
    owner = {}
    for cc, area in settings["areas"].items():
        if not isinstance(cc, str):
            raise ConfigError(
                f"configuration: areas: a country is {str(cc).lower()}, as YAML reads it; expected a name. "
                'Put the country in quotes, such as "no".'
            )
        if not (COUNTRIES / cc / "source.yaml").exists():
            known = sorted(p.parent.name for p in COUNTRIES.glob("*/source.yaml"))
            raise ConfigError(f'configuration: areas: no country "{cc}"; there are {", ".join(known)}')
        for tile in area["tiles"]:
            check_tile(tile)
        for key in [(tile, year) for tile in area["tiles"] for year in area["years"]]:
            if key in owner:
                raise ConfigError(
                    f"configuration: areas: tile {key[0]} in {key[1]} stands under {owner[key]} and {cc}; "
                    "a tile-year takes its labels from one country"
                )
            owner[key] = cc


def check_tile(tile):
    try:
        parse_tile(tile)
    except ConfigError as error:
        raise ConfigError(f"configuration: areas: {error}") from error


def check_files(settings):
    for key in ("folder", "products", "splits"):
        settings[key] = settings[key] and os.path.expanduser(settings[key])
    for key in ("products", "splits"):
        if settings[key] and not Path(settings[key]).is_file():
            raise ConfigError(
                f"configuration: {key}: {settings[key]} is no file; expected a {key}.csv of an earlier build. "
                "Give its path, from here or complete, or null."
            )
        made = [Path(folder).resolve() for folder in ("build", "results")]
        if settings[key] and not set(made).isdisjoint(Path(settings[key]).resolve().parents):
            raise ConfigError(
                f"configuration: {key}: {settings[key]} is made by this build, which would replace it. "
                "Copy it elsewhere, and name the copy."
            )


def check_corine(settings):
    corine = settings["corine"]
    if corine:
        corine["file"] = os.path.expanduser(corine["file"])
        if not Path(corine["file"]).is_file():
            raise ConfigError(
                f"configuration: corine: {corine['file']} is no file; expected CORINE Land Cover as GeoTIFF, GeoPackage or "
                "shapefile, unpacked. Give its path, from here or complete, or null."
            )


def check_results(settings):
    """Patches of another configuration would only be found at the end, by check_layout: after hours of reading."""
    here = {
        (str(year), tile) for area in settings["areas"].values() for tile in area["tiles"] for year in area["years"]
    }
    for folder in sorted(Path("results").glob("*/data/*/*")):
        if not folder.name.startswith(".") and (folder.parent.name, folder.name) not in here:
            raise ConfigError(
                f"configuration: areas: {folder} was made by another configuration and is not in this one. "
                "Delete build and results (archive may stay), or build in another clone."
            )


SETTINGS, RECIPES = check_config()
AREAS = SETTINGS["areas"]
SIMULATED = SETTINGS["provider"] == "simulated"
SIZE_PX = SETTINGS["tile_size_px"]
CORINE = [SETTINGS["corine"]["file"]] if SETTINGS["corine"] else []
COUNTRY_OF = {(t, y): cc for cc, area in AREAS.items() for t in area["tiles"] for y in area["years"]}
TILE_YEARS = sorted(COUNTRY_OF)
COLLECTIONS = sorted({recipe["collection"] for recipe in RECIPES.values()})


def country_of(wildcards):
    return COUNTRY_OF[wildcards.tile, int(wildcards.year)]


def per_tile_year(pattern):
    """`pattern` for every tile and year, in order."""
    return [pattern.format(tile=tile, year=year) for tile, year in TILE_YEARS]


def per_country_year(pattern):
    """`pattern` for every country and year, in order."""
    return sorted(pattern.format(cc=cc, year=year) for cc, area in AREAS.items() for year in area["years"])


def found_in_folder():
    """Digest of what lies in the user's folder: a new product there is noticed."""
    try:
        return listing_digest(SETTINGS["folder"] if SETTINGS["provider"] == "folder" else None)
    except CropstackError as error:
        sys.exit(f"{type(error).__name__}: {error}")


@cache
def read_source(cc):
    return read_yaml(COUNTRIES / cc / "source.yaml", WORKFLOW / "schemas/source.schema.yaml")


def declaration_names(cc, year):
    """File names under which a country published a year's declarations."""
    for edition in read_source(cc)["editions"]:
        if year in edition["years"]:
            return [name.format(year=year) for name in edition["files"]]
    years = sorted(year for edition in read_source(cc)["editions"] for year in edition["years"])
    sys.exit(f"ConfigError: taxonomy/countries/{cc}/source.yaml has no edition for {year}; there are {years}. Add one.")


def declaration_files(wildcards):
    """The simulated files, or the user's: one is never taken for the other."""
    archive = Path("archive/simulated/declarations" if SIMULATED else "archive/declarations")
    folder = archive / wildcards.cc / wildcards.year
    files = [
        file
        for name in declaration_names(wildcards.cc, int(wildcards.year))
        for file in (sorted(folder.glob(name)) if "*" in name and not SIMULATED else []) or [folder / name]
    ]
    missing = [] if SIMULATED else [str(file) for file in files if not file.exists()]
    if missing:
        sys.exit(f"DeclarationError: {missing[0]} is missing. Put the file there as {wildcards.cc} published it.")
    return [str(file) for file in files]


def simulated_declarations():
    return [
        f"archive/simulated/declarations/{cc}/{year}/{name}"
        for cc, area in AREAS.items()
        for year in area["years"]
        for name in declaration_names(cc, year)
    ]


def found_declarations(wildcards):
    """Sizes and times of the user's files, content of the country's: one that was replaced is noticed at any age."""
    country = [sha256(COUNTRIES / wildcards.cc / name) for name in ("source.yaml", "crops.csv")]
    return country if SIMULATED else country + [stamp(Path(file)) for file in declaration_files(wildcards)]


def survey_files(wildcards):
    """The user's LUCAS files of a survey, one for all countries or one for each."""
    folder = Path("archive/lucas") / wildcards.year
    files = sorted(file for file in folder.glob("*") if not file.name.startswith("."))
    for file in files:
        if file.suffix.lower() != ".csv":
            sys.exit(
                f"SurveyError: {file} would not be read; expected .csv only. Unpack it here, or move it elsewhere."
            )
    if not files:
        sys.exit(f"SurveyError: {folder} has no .csv. Put the primary data of LUCAS {wildcards.year} there, unpacked.")
    return [str(file) for file in files]


def scenarios_of(recipe):
    """Scenarios of a recipe that the configured areas can train and test."""
    here = {(cc, year) for cc, area in AREAS.items() for year in area["years"]}
    return {
        name: scenario
        for name, scenario in RECIPES[recipe]["splits"]["scenarios"].items()
        if all(areas == "all" or any((cc, y) in here for cc in areas for y in areas[cc]) for areas in scenario.values())
    }


# --- the lock ------------------------------------------------------------------------------------------


@cache
def read_lock(path, mtime):
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def lock():
    """Rows of build/catalogue/products.csv, read once per process; waits for the checkpoint."""
    path = checkpoints.lock_products.get().output.products
    return read_lock(path, Path(path).stat().st_mtime_ns)


def used_products():
    return [row for row in lock() if row["used"] == "yes"]


def scene_rows(recipe, wildcards):
    """Scenes that a recipe uses of a tile in a year: (sensing, scene, collection) of the earliest product, sorted."""
    rows = [row for row in used_products() if row["recipe"] == recipe]
    rows = [row for row in rows if (row["tile"], row["year"]) == (wildcards.tile, wildcards.year)]
    earliest = {}
    for row in sorted(rows, key=lambda row: row["sensing"]):
        earliest.setdefault(row["scene"], (row["sensing"], row["scene"], row["collection"]))
    return sorted(earliest.values())


def scenes_of(recipe, pattern="build/scenes/{collection}/{scene}.nc"):
    """Input function: a file for each scene that a recipe uses of a tile in a year, in order of time."""

    def files(wildcards):
        rows = scene_rows(recipe, wildcards)
        return [pattern.format(collection=collection, scene=scene) for _, scene, collection in rows]

    return files


def products_of_scene(wildcards):
    """Products of a scene in order of precedence, as lock_products wrote them."""
    found = {
        row["product"]: None
        for row in used_products()
        if (row["scene"], row["collection"]) == (wildcards.scene, wildcards.collection)
    }
    return [f"archive/products/{product}.fetched.json" for product in found]


def made_of_products(_):
    """What stands between the lock and what people open, of every product and scene in use."""
    rows = used_products()
    scenes = sorted({(row["collection"], row["scene"]) for row in rows})
    return [
        *[f"archive/products/{row['product']}.fetched.json" for row in rows],
        *[f"build/scenes/{collection}/{scene}.nc" for collection, scene in scenes if SETTINGS["keep_scenes"]],
        *[f"build/samples/parcels/{collection}/{scene}.parquet" for collection, scene in scenes],
    ]


def of_product(column):
    """Params function: a column of the lock for a product."""

    def value(wildcards):
        return next(row[column] for row in used_products() if row["product"] == wildcards.product)

    return value


# --- samples and models ---------------------------------------------------------------------------------


def agreed(key):
    """A setting of steps that carry no recipe in their names: the recipes must agree on it."""
    values = {name: recipe[key] for name, recipe in RECIPES.items()}
    if any(value != next(iter(values.values())) for value in values.values()):
        sys.exit(f"ConfigError: recipes: {key} differs ({values}). Run these recipes in folders of their own.")
    return next(iter(values.values()))


def weights_of_scene(wildcards):
    """The weights of the tile and year in which a scene stands in the lock."""
    row = next(row for row in used_products() if row["scene"] == wildcards.scene)
    return f"build/labels/{row['tile']}_{row['year']}_weights.h5"


def experiments_of(recipe):
    """Settings of a recipe's experiments that the configuration can run, by table."""
    chosen = RECIPES[recipe]
    every, known = set(scenarios_of(recipe)), chosen["splits"]["scenarios"]
    try:
        return expand(chosen["experiments"], SETTINGS["training"], scenarios=every, known=known, seed=SETTINGS["seed"])
    except CropstackError as error:
        sys.exit(f"{type(error).__name__}: {error}")


COMPOSITES_OF = {
    "pad": "build/samples/composites/{tile}_{year}_patches.h5",
    "oad": "build/samples/composites/{tile}_{year}_parcels.parquet",
}
SPLITS_OF = {"pad": "splits", "oad": "parcel_splits"}


def parcel_months(wildcards):
    first, last = RECIPES[wildcards.recipe]["parcel_months"]
    return list(range(first, last + 1))


EXPERIMENTS = {name: experiments_of(name) for name in RECIPES}


onstart:
    print(f"cropstack: {len(TILE_YEARS)} tile-years of {SIZE_PX} px, recipes {', '.join(RECIPES)}", file=sys.stderr)
