# What is taken from the scenes: statistics of parcels, and composites of pixels.


rule weigh_parcels:
    message:
        "Weigh the pixels of the parcels of {wildcards.tile} in {wildcards.year}"
    input:
        parcels=lambda wildcards: f"build/labels/{country_of(wildcards)}_{wildcards.year}_parcels.parquet",
        tiles=lambda wildcards: f"build/labels/{country_of(wildcards)}_{wildcards.year}_tiles.parquet",
        labels="build/labels/{tile}_{year}_labels.nc",
    output:
        weights="build/labels/{tile}_{year}_weights.h5",
    params:
        tile="{tile}",
        year=lambda wildcards: int(wildcards.year),
        size_px=SIZE_PX,
        weighting=agreed("weighting"),
        code=code_of("samples.weigh_parcels"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/weigh_parcels/{tile}_{year}.log",
    resources:
        mem_mb=3000,
    script:
        "../../src/cropstack/samples/weigh_parcels.py"


rule aggregate_parcels:
    message:
        "Aggregate {wildcards.scene} over its parcels"
    input:
        scene="build/scenes/{collection}/{scene}.nc",
        weights=weights_of_scene,
    output:
        table="build/samples/parcels/{collection}/{scene}.parquet",
    params:
        bands=agreed("bands"),
        left_out_flags=agreed("left_out_flags"),
        code=code_of("samples.aggregate_parcels"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/aggregate_parcels/{collection}/{scene}.log",
    resources:
        mem_mb=2000,
    script:
        "../../src/cropstack/samples/aggregate_parcels.py"


rule composite_parcels:
    message:
        "Make monthly series of the parcels of {wildcards.tile} in {wildcards.year}"
    input:
        aggregates=scenes_of(next(iter(RECIPES)), "build/samples/parcels/{collection}/{scene}.parquet"),
        parcels=lambda wildcards: f"build/labels/{country_of(wildcards)}_{wildcards.year}_parcels.parquet",
    output:
        composites="build/samples/composites/{tile}_{year}_parcels.parquet",
    params:
        tile="{tile}",
        year=lambda wildcards: int(wildcards.year),
        bands=agreed("bands"),
        code=code_of("samples.composite_parcels"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/composite_parcels/{tile}_{year}.log",
    script:
        "../../src/cropstack/samples/composite_parcels.py"


rule composite_patches:
    message:
        "Make monthly composites of {wildcards.tile} in {wildcards.year}"
    input:
        scenes=scenes_of(next(iter(RECIPES))),
        labels="build/labels/{tile}_{year}_labels.nc",
    output:
        composites="build/samples/composites/{tile}_{year}_patches.h5",
    params:
        tile="{tile}",
        year=lambda wildcards: int(wildcards.year),
        size_px=SIZE_PX,
        composite=agreed("composite"),
        left_out_flags=agreed("left_out_flags"),
        code=code_of("samples.composite_patches"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/composite_patches/{tile}_{year}.log",
    priority: 1  # training waits for it
    script:
        "../../src/cropstack/samples/composite_patches.py"


rule select_classes:
    message:
        "Apply the rule of the most frequent classes to {wildcards.recipe}"
    input:
        labels=per_tile_year("build/labels/{tile}_{year}_labels.nc"),
        classes="taxonomy/classes.csv",
    output:
        selection="results/{recipe}/classes.csv",
    params:
        tile_years=[[cc, tile, year] for (tile, year), cc in sorted(COUNTRY_OF.items())],
        code=code_of("samples.select_classes"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/select_classes/{recipe}.log",
    script:
        "../../src/cropstack/samples/select_classes.py"
