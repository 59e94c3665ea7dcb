# What people open.


rule write_index:
    message:
        "Write the page over all recipes"
    input:
        products="build/catalogue/products.csv",
        ledgers=per_country_year("build/labels/{cc}_{year}_ledger.csv"),
        parcels=per_country_year("build/labels/{cc}_{year}_parcels.parquet"),
        sources=[f"taxonomy/countries/{cc}/source.yaml" for cc in AREAS],
        legend=f"taxonomy/legends/{RECIPES['sen4agrinet']['legend']}.csv",
        classes="taxonomy/classes.csv",
        patches=per_tile_year("results/sen4agrinet/data/{year}/{tile}"),
        splits="results/sen4agrinet/splits.csv",
        rejects="results/sen4agrinet/rejects.csv",
        template=str(WORKFLOW.parent / "src/cropstack/report/page.html"),
        style=str(WORKFLOW.parent / "src/cropstack/report/style.css"),
    output:
        page="results/index.html",
    params:
        tile_years=[[cc, tile, year] for (tile, year), cc in sorted(COUNTRY_OF.items())],
        size_px=SIZE_PX,
        code=code_of("report.write_index"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/write_index.log",
    script:
        "../../src/cropstack/report/write_index.py"
