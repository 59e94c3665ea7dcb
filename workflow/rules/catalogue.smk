# What exists, what is taken of it, and its copy in the archive.


rule search_catalogue:
    message:
        "Search {wildcards.collection} for {wildcards.tile} in {wildcards.year}"
    input:
        listing="archive/simulated/{tile}_{year}.json" if SIMULATED else [],
    output:
        catalogue="build/catalogue/{collection}/{tile}_{year}.json",
    params:
        provider=SETTINGS["provider"],
        folder=SETTINGS["folder"],
        collection="{collection}",
        tile="{tile}",
        year=lambda wildcards: int(wildcards.year),
        found=found_in_folder(),
        code=code_of("catalogue.search_catalogue", f"providers.{SETTINGS['provider']}"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/search_catalogue/{collection}/{tile}_{year}.log",
    script:
        "../../src/cropstack/catalogue/search_catalogue.py"


checkpoint lock_products:
    message:
        "Choose the products to use"
    input:
        catalogues=[f for c in COLLECTIONS for f in per_tile_year(f"build/catalogue/{c}/{{tile}}_{{year}}.json")],
        replay=SETTINGS["products"] or [],
    output:
        products="build/catalogue/products.csv",
    params:
        recipes={
            name: {"collection": recipe["collection"], "max_cloud_percent": recipe["max_cloud_percent"]}
            for name, recipe in RECIPES.items()
        },
        exclude=SETTINGS["exclude"],
        size_px=SIZE_PX,
        keep_scenes=SETTINGS["keep_scenes"],
        code=code_of("catalogue.lock_products"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/lock_products.log",
    script:
        "../../src/cropstack/catalogue/lock_products.py"


rule fetch_product:
    message:
        "Fetch {wildcards.product}"
    output:
        fetched="archive/products/{product}.fetched.json",
    params:
        provider=SETTINGS["provider"],
        folder=SETTINGS["folder"] if SETTINGS["provider"] == "folder" else None,
        product="{product}",
        href=of_product("href"),
        form=of_product("form"),
        stamp=of_product("stamp"),
        code=code_of("catalogue.fetch_product", f"providers.{SETTINGS['provider']}"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/fetch_product/{product}.log",
    script:
        "../../src/cropstack/catalogue/fetch_product.py"
