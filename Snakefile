import os
import sys

from snakemake.utils import min_version

min_version("9.0")

# Rules and steps run the code beside this file, also where cropstack is not installed (--sdm conda, a cluster node).
SOURCE = os.path.join(workflow.basedir, "src")
sys.path.insert(0, SOURCE)
os.environ.update(PYTHONPATH=os.pathsep.join([SOURCE, *filter(None, [os.environ.get("PYTHONPATH")])]))


# A configuration given by --configfile replaces the shipped one; merged with it, it would inherit the demo's areas.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/catalogue.smk"
include: "workflow/rules/scenes.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/samples.smk"
include: "workflow/rules/splits.smk"
include: "workflow/rules/layouts.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/report.smk"


# What each rule makes and keeps is asked for by name. A step that fails leaves its old output deleted; asked for the last
# files only, Snakemake would find those complete and call the next run done.
CATALOGUES = [
    *[f for c in COLLECTIONS for f in per_tile_year(f"build/catalogue/{c}/{{tile}}_{{year}}.json")],
    *(per_tile_year("archive/simulated/{tile}_{year}.json") if SIMULATED else []),
    "build/catalogue/products.csv",
]
LABELS = [
    *per_country_year("build/labels/{cc}_{year}_parcels.parquet"),
    *per_country_year("build/labels/{cc}_{year}_tiles.parquet"),
    *per_tile_year("build/labels/{tile}_{year}_labels.nc"),
    *per_tile_year("build/labels/{tile}_{year}_weights.h5"),
    *(simulated_declarations() if SIMULATED else []),
]
SERIES = per_tile_year("build/samples/composites/{tile}_{year}_parcels.parquet")
DATASETS = [
    *[f"results/{name}/{table}.csv" for name in RECIPES for table in ("splits", "parcel_splits", "rejects", "classes")],
    *[file for name in RECIPES for file in per_tile_year(f"results/{name}/data/{{year}}/{{tile}}")],
    *[file for name in RECIPES for file in per_tile_year(f"results/{name}/parcels/{{year}}_{{tile}}.csv.gz")],
    *[f"results/{name}/{scenario}_coco_test.json" for name in RECIPES for scenario in scenarios_of(name)],
    *[f"results/{name}/{scenario}_oad_test.csv.gz" for name in RECIPES for scenario in scenarios_of(name)],
]
MADE = [*CATALOGUES, *LABELS, *SERIES, *DATASETS]
# Without experiments that the areas allow there are none.
TABLES = {table for experiments in EXPERIMENTS.values() for table in experiments}
TRAINED = [
    *[file for table in sorted(TABLES) for file in per_tile_year(COMPOSITES_OF[table])],
    *[f"results/{name}/experiments/{table}" for name in RECIPES for table in EXPERIMENTS[name]],
]
PAGES = [
    *per_tile_year("build/labels/{tile}_{year}_quality.csv"),
    *[file for name in RECIPES for file in per_tile_year(f"build/report/{name}/{{tile}}_{{year}}_scenes.csv")],
    *[f"build/report/{name}/embedding.parquet" for name in RECIPES],
    *[f"results/{name}/report.html" for name in RECIPES],
    "results/index.html",
]


rule all:
    default_target: True
    localrule: True
    input:
        MADE,
        made_of_products,
        TRAINED,
        PAGES,


# Search and choose products only: what would be read, and what that costs.
rule catalogue:
    localrule: True
    input:
        CATALOGUES,


rule datasets:
    localrule: True
    input:
        MADE,
        made_of_products,


rule experiments:
    localrule: True
    input:
        MADE,
        made_of_products,
        TRAINED,


rule report:
    localrule: True
    input:
        MADE,
        made_of_products,
        TRAINED,
        PAGES,
