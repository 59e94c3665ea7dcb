# What people open.

# Relative, so that a build that was moved is still up to date.
TEMPLATES = sorted(map(os.path.relpath, (WORKFLOW.parent / "src/cropstack/report/templates").iterdir()))


rule describe_tile:
    message:
        "Describe {wildcards.tile} in {wildcards.year} for the report of {wildcards.recipe}"
    input:
        scenes=lambda wildcards: scenes_of(wildcards.recipe)(wildcards),
        labels="build/labels/{tile}_{year}_labels.nc",
    output:
        scene_table="build/report/{recipe}/{tile}_{year}_scenes.csv",
        patches="build/report/{recipe}/{tile}_{year}_patches.parquet",
        preview="build/report/{recipe}/{tile}_{year}_preview.png",
    params:
        code=code_of("report.describe_tile"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/describe_tile/{recipe}_{tile}_{year}.log",
    script:
        "../../src/cropstack/report/describe_tile.py"


rule embed_samples:
    message:
        "Lay out parcels of {wildcards.recipe} in two dimensions"
    input:
        composites=per_tile_year("build/samples/composites/{tile}_{year}_parcels.parquet"),
        parcel_splits="results/{recipe}/parcel_splits.csv",
        legend=lambda wildcards: f"taxonomy/legends/{RECIPES[wildcards.recipe]['legend']}.csv",
        classes="taxonomy/classes.csv",
    output:
        embedding="build/report/{recipe}/embedding.parquet",
    params:
        tile_years=[[cc, tile, year] for (tile, year), cc in sorted(COUNTRY_OF.items())],
        bands=lambda wildcards: RECIPES[wildcards.recipe]["bands"],
        months=parcel_months,
        per_stratum=60,  # of a class, country and year: as many points as a figure can bear
        seed=SETTINGS["seed"],
        code=code_of("report.embed_samples"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/embed_samples/{recipe}.log",
    threads: 1  # with more the layout would not repeat itself
    resources:
        mem_mb=4000,
    script:
        "../../src/cropstack/report/embed_samples.py"


rule write_report:
    message:
        "Write the report of {wildcards.recipe}"
    input:
        products="build/catalogue/products.csv",
        rejects="results/{recipe}/rejects.csv",
        balance="results/{recipe}/balance.csv",
        parcels=per_country_year("build/labels/{cc}_{year}_parcels.parquet"),
        sources=[f"taxonomy/countries/{cc}/source.yaml" for cc in AREAS],
        legend=lambda wildcards: f"taxonomy/legends/{RECIPES[wildcards.recipe]['legend']}.csv",
        classes="taxonomy/classes.csv",
        splits="results/{recipe}/splits.csv",
        parcel_splits="results/{recipe}/parcel_splits.csv",
        coverage="results/{recipe}/split_coverage.csv",
        leakage="results/{recipe}/leakage.csv",
        scenes=per_tile_year("build/report/{{recipe}}/{tile}_{year}_scenes.csv"),
        patches=per_tile_year("build/report/{{recipe}}/{tile}_{year}_patches.parquet"),
        previews=per_tile_year("build/report/{{recipe}}/{tile}_{year}_preview.png"),
        quality=per_tile_year("build/labels/{tile}_{year}_quality.csv"),
        samples=per_tile_year("results/{{recipe}}/data/{year}/{tile}"),
        composites=per_tile_year("build/samples/composites/{tile}_{year}_parcels.parquet"),
        experiments=lambda wildcards: [
            f"results/{wildcards.recipe}/experiments/{table}" for table in EXPERIMENTS[wildcards.recipe]
        ],
        embedding="build/report/{recipe}/embedding.parquet",
        published=lambda wildcards: sorted(
            map(os.path.relpath, (WORKFLOW / "published" / wildcards.recipe).glob("*.csv"))
        ),
        templates=TEMPLATES,
    output:
        report="results/{recipe}/report.html",
        summary="build/report/{recipe}.json",
    params:
        recipe="{recipe}",
        title=lambda wildcards: RECIPES[wildcards.recipe]["title"],
        tile_years=[[cc, tile, year] for (tile, year), cc in sorted(COUNTRY_OF.items())],
        size_px=SIZE_PX,
        rules=lambda wildcards: sorted({r.name for r in workflow.rules if r.script} - {"write_report", "write_index"}),
        logs="logs",
        disk=["archive", "build", "results"],
        code=code_of("report.write_report"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/write_report/{recipe}.log",
    resources:
        mem_mb=3000,
    script:
        "../../src/cropstack/report/write_report.py"


rule write_index:
    message:
        "Write the page over all recipes"
    input:
        reports=[f"results/{recipe}/report.html" for recipe in RECIPES],
        summaries=[f"build/report/{recipe}.json" for recipe in RECIPES],
        templates=TEMPLATES,
    output:
        page="results/index.html",
    params:
        recipes=list(RECIPES),
        tile_years=[[cc, tile, year] for (tile, year), cc in sorted(COUNTRY_OF.items())],
        size_px=SIZE_PX,
        code=code_of("report.write_index"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/write_index.log",
    script:
        "../../src/cropstack/report/write_index.py"
