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


# What people open, and the models trained on it; without experiments that the areas allow there are none.
DATASETS = [
    *[f"results/{name}/{table}.csv" for name in RECIPES for table in ("rejects", "classes")],
    *[file for name in RECIPES for file in per_tile_year(f"results/{name}/parcels/{{year}}_{{tile}}.csv.gz")],
    *[f"results/{name}/{scenario}_oad_test.csv.gz" for name in RECIPES for scenario in scenarios_of(name)],
]
TRAINED = [f"results/{name}/experiments/{table}" for name in RECIPES for table in EXPERIMENTS[name]]


rule all:
    default_target: True
    localrule: True
    input:
        "results/index.html",
        DATASETS,
        TRAINED,


# Search and choose products only: what would be read, and what that costs.
rule catalogue:
    localrule: True
    input:
        "build/catalogue/products.csv",


rule datasets:
    localrule: True
    input:
        DATASETS,


rule experiments:
    localrule: True
    input:
        TRAINED,


rule report:
    localrule: True
    input:
        "results/index.html",
