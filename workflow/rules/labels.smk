# Farmers' declarations become parcels in one taxonomy, on the tiles' grids; LUCAS surveys become points.


rule harmonise_parcels:
    message:
        "Harmonise the declarations of {wildcards.cc} in {wildcards.year}"
    input:
        declarations=declaration_files,
        source="taxonomy/countries/{cc}/source.yaml",
        schema="workflow/schemas/source.schema.yaml",
        crops="taxonomy/countries/{cc}/crops.csv",
        classes="taxonomy/classes.csv",
    output:
        parcels="build/labels/{cc}_{year}_parcels.parquet",
        ledger="build/labels/{cc}_{year}_ledger.csv",
    params:
        country="{cc}",
        year=lambda wildcards: int(wildcards.year),
        max_unknown_share=SETTINGS["max_unknown_share"],
        allow_unreviewed=SETTINGS["allow_unreviewed"],
        simulated=SIMULATED,
        found=found_declarations,
        code=code_of("labels.harmonise_parcels"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/harmonise_parcels/{cc}_{year}.log",
    threads: 2  # the same bytes with any number; half of the work holds the lock of Python, so more win little
    resources:
        mem_mb=4000,
    script:
        "../../src/cropstack/labels/harmonise_parcels.py"


rule assign_tiles:
    message:
        "Assign the parcels of {wildcards.cc} in {wildcards.year} to tiles"
    input:
        parcels="build/labels/{cc}_{year}_parcels.parquet",
    output:
        tiles="build/labels/{cc}_{year}_tiles.parquet",
    params:
        selected=lambda wildcards: AREAS[wildcards.cc]["tiles"],
        size_px=SIZE_PX,
        code=code_of("labels.assign_tiles"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/assign_tiles/{cc}_{year}.log",
    script:
        "../../src/cropstack/labels/assign_tiles.py"


rule rasterise_labels:
    message:
        "Rasterise the labels of {wildcards.tile} in {wildcards.year}"
    input:
        parcels=lambda wildcards: f"build/labels/{country_of(wildcards)}_{wildcards.year}_parcels.parquet",
        corine=CORINE,
        clc="taxonomy/clc.csv",
    output:
        labels="build/labels/{tile}_{year}_labels.nc",
    params:
        tile="{tile}",
        year=lambda wildcards: int(wildcards.year),
        size_px=SIZE_PX,
        corine_year=SETTINGS["corine"] and SETTINGS["corine"]["year"],
        found=[stamp(Path(file)) for file in CORINE],
        code=code_of("labels.rasterise_labels"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/rasterise_labels/{tile}_{year}.log",
    resources:
        mem_mb=4000,
    script:
        "../../src/cropstack/labels/rasterise_labels.py"


rule assess_labels:
    message:
        "Assess the labels of {wildcards.tile} in {wildcards.year}"
    input:
        parcels=lambda wildcards: f"build/labels/{country_of(wildcards)}_{wildcards.year}_parcels.parquet",
        tiles=lambda wildcards: f"build/labels/{country_of(wildcards)}_{wildcards.year}_tiles.parquet",
        labels="build/labels/{tile}_{year}_labels.nc",
    output:
        quality="build/labels/{tile}_{year}_quality.csv",
    params:
        tile="{tile}",
        year=lambda wildcards: int(wildcards.year),
        size_px=SIZE_PX,
        code=code_of("labels.assess_labels"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/assess_labels/{tile}_{year}.log",
    resources:
        mem_mb=3000,
    script:
        "../../src/cropstack/labels/assess_labels.py"


rule read_points:
    message:
        "Read the LUCAS points of {wildcards.year}"
    input:
        surveys=survey_files,
        columns="taxonomy/lucas_columns.csv",
        codes="taxonomy/codes/lucas_lc1.csv",
    output:
        points="build/labels/points_{year}.parquet",
        ledger="build/labels/points_{year}_ledger.csv",
    params:
        year=lambda wildcards: int(wildcards.year),
        found=lambda wildcards: [stamp(Path(file)) for file in survey_files(wildcards)],
        code=code_of("labels.read_points"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/read_points/{year}.log",
    resources:
        mem_mb=4000,
    script:
        "../../src/cropstack/labels/read_points.py"
