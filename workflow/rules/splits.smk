# Which samples train, validate and test.


rule assign_splits:
    message:
        "Assign the splits of {wildcards.recipe}"
    input:
        labels=per_tile_year("build/labels/{tile}_{year}_labels.nc"),
        legend=lambda wildcards: f"taxonomy/legends/{RECIPES[wildcards.recipe]['legend']}.csv",
        classes="taxonomy/classes.csv",
        pinned=SETTINGS["splits"] or [],
    output:
        splits="results/{recipe}/splits.csv",
    params:
        tile_years=[[cc, tile, year] for (tile, year), cc in sorted(COUNTRY_OF.items())],
        shares=lambda wildcards: RECIPES[wildcards.recipe]["splits"]["shares"],
        scenarios=lambda wildcards: scenarios_of(wildcards.recipe),
        seed=SETTINGS["seed"],
        code=code_of("splits.assign_splits"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/assign_splits/{recipe}.log",
    script:
        "../../src/cropstack/splits/assign_splits.py"


rule assign_parcel_splits:
    message:
        "Assign the splits of the parcels of {wildcards.recipe}"
    input:
        splits="results/{recipe}/splits.csv",
        labels=per_tile_year("build/labels/{tile}_{year}_labels.nc"),
        tiles=per_country_year("build/labels/{cc}_{year}_tiles.parquet"),
        parcels=per_country_year("build/labels/{cc}_{year}_parcels.parquet"),
        legend=lambda wildcards: f"taxonomy/legends/{RECIPES[wildcards.recipe]['legend']}.csv",
        classes="taxonomy/classes.csv",
    output:
        parcel_splits="results/{recipe}/parcel_splits.csv",
        coverage="results/{recipe}/split_coverage.csv",
        leakage="results/{recipe}/leakage.csv",
    params:
        tile_years=[[cc, tile, year] for (tile, year), cc in sorted(COUNTRY_OF.items())],
        code=code_of("splits.assign_parcel_splits"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/assign_parcel_splits/{recipe}.log",
    script:
        "../../src/cropstack/splits/assign_parcel_splits.py"
