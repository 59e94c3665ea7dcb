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
