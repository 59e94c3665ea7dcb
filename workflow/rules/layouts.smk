# Scenes and labels become what a published loader opens.


rule write_sen4agrinet:
    message:
        "Write the patches of {wildcards.tile} in {wildcards.year}"
    input:
        scenes=scenes_of("sen4agrinet"),
        labels="build/labels/{tile}_{year}_labels.nc",
    output:
        patches=directory("results/sen4agrinet/data/{year}/{tile}"),
        ledger="build/layouts/sen4agrinet/{tile}_{year}_ledger.csv",
    params:
        tile="{tile}",
        year=lambda wildcards: int(wildcards.year),
        size_px=SIZE_PX,
        code=code_of("layouts.write_sen4agrinet"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/write_sen4agrinet/{tile}_{year}.log",
    script:
        "../../src/cropstack/layouts/write_sen4agrinet.py"


rule write_sen4agrinet_coco:
    message:
        "Write the COCO files of {wildcards.scenario}"
    input:
        splits="results/sen4agrinet/splits.csv",
        patches=per_tile_year("results/sen4agrinet/data/{year}/{tile}"),
        classes="taxonomy/classes.csv",
    output:
        train="results/sen4agrinet/{scenario}_coco_train.json",
        val="results/sen4agrinet/{scenario}_coco_val.json",
        test="results/sen4agrinet/{scenario}_coco_test.json",
    params:
        scenario="{scenario}",
        code=code_of("layouts.write_sen4agrinet_coco"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/write_sen4agrinet_coco/{scenario}.log",
    script:
        "../../src/cropstack/layouts/write_sen4agrinet_coco.py"


rule write_sen4agrinet_parcels:
    message:
        "Write the parcels of {wildcards.tile} in {wildcards.year}"
    input:
        aggregates=scenes_of("sen4agrinet", "build/samples/parcels/{collection}/{scene}.parquet"),
        weights="build/labels/{tile}_{year}_weights.h5",
        parcels=lambda wildcards: f"build/labels/{country_of(wildcards)}_{wildcards.year}_parcels.parquet",
    output:
        table="results/sen4agrinet/parcels/{year}_{tile}.csv.gz",
        parquet="results/sen4agrinet/parcels/{year}_{tile}.parquet",
        ids="results/sen4agrinet/parcels/{year}_{tile}_ids.csv",
    params:
        code=code_of("layouts.write_sen4agrinet_parcels"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/write_sen4agrinet_parcels/{tile}_{year}.log",
    resources:
        mem_mb=3000,
    script:
        "../../src/cropstack/layouts/write_sen4agrinet_parcels.py"


rule write_sen4agrinet_months:
    message:
        "Write the monthly parcels of {wildcards.scenario}"
    input:
        composites=per_tile_year("build/samples/composites/{tile}_{year}_parcels.parquet"),
        weights=per_tile_year("build/labels/{tile}_{year}_weights.h5"),
        splits="results/sen4agrinet/parcel_splits.csv",
    output:
        train="results/sen4agrinet/{scenario}_oad_train.csv.gz",
        val="results/sen4agrinet/{scenario}_oad_val.csv.gz",
        test="results/sen4agrinet/{scenario}_oad_test.csv.gz",
    params:
        scenario="{scenario}",
        code=code_of("layouts.write_sen4agrinet_months"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/write_sen4agrinet_months/{scenario}.log",
    script:
        "../../src/cropstack/layouts/write_sen4agrinet_months.py"


rule check_layout:
    message:
        "Balance inputs and outputs of {wildcards.recipe}"
    input:
        products="build/catalogue/products.csv",
        catalogues=lambda wildcards: per_tile_year(
            f"build/catalogue/{RECIPES[wildcards.recipe]['collection']}/{{tile}}_{{year}}.json"
        ),
        labels=per_tile_year("build/labels/{tile}_{year}_labels.nc"),
        parcels=per_country_year("build/labels/{cc}_{year}_parcels.parquet"),
        tiles=per_country_year("build/labels/{cc}_{year}_tiles.parquet"),
        ledgers=per_country_year("build/labels/{cc}_{year}_ledger.csv")
        + per_tile_year("build/layouts/{{recipe}}/{tile}_{year}_ledger.csv"),
        splits="results/{recipe}/splits.csv",
        patches=per_tile_year("results/{{recipe}}/data/{year}/{tile}"),
        coco=lambda wildcards: [
            f"results/{wildcards.recipe}/{scenario}_coco_{split}.json"
            for scenario in scenarios_of(wildcards.recipe)
            for split in ("train", "val", "test")
        ],
        series=per_tile_year("results/{{recipe}}/parcels/{year}_{tile}.csv.gz"),
        parquets=per_tile_year("results/{{recipe}}/parcels/{year}_{tile}.parquet"),
        ids=per_tile_year("results/{{recipe}}/parcels/{year}_{tile}_ids.csv"),
        composites=per_tile_year("build/samples/composites/{tile}_{year}_parcels.parquet"),
        parcel_splits="results/{recipe}/parcel_splits.csv",
        months=lambda wildcards: [
            f"results/{wildcards.recipe}/{scenario}_oad_{split}.csv.gz"
            for scenario in scenarios_of(wildcards.recipe)
            for split in ("train", "val", "test")
        ],
    output:
        rejects="results/{recipe}/rejects.csv",
        balance="results/{recipe}/balance.csv",
    params:
        recipe="{recipe}",
        scenarios=lambda wildcards: scenarios_of(wildcards.recipe),
        code=code_of("layouts.check_layout"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/check_layout/{recipe}.log",
    resources:
        mem_mb=4000,
    script:
        "../../src/cropstack/layouts/check_layout.py"
