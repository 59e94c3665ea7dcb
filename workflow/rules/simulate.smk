# A simulated archive: products and declarations as agencies deliver them, from a seed.

if SIMULATED:

    rule simulate_products:
        message:
            "Simulate the products of {wildcards.tile} in {wildcards.year}"
        output:
            listing="archive/simulated/{tile}_{year}.json",
        params:
            tile="{tile}",
            year=lambda wildcards: int(wildcards.year),
            country=country_of,
            size_px=SIZE_PX,
            acquisitions=SETTINGS["simulation"]["acquisitions"],
            seed=SETTINGS["simulation"]["seed"],
            code=code_of("simulate.simulate_products"),
        conda:
            "../../envs/cropstack.yaml"
        log:
            "logs/simulate_products/{tile}_{year}.log",
        resources:
            mem_mb=4000,
        script:
            "../../src/cropstack/simulate/simulate_products.py"

    rule simulate_declarations:
        message:
            "Simulate the declarations of {wildcards.cc} in {wildcards.year}"
        input:
            source="taxonomy/countries/{cc}/source.yaml",
        output:
            declarations="archive/simulated/declarations/{cc}/{year}/{file}",
        params:
            country="{cc}",
            year=lambda wildcards: int(wildcards.year),
            tiles=lambda wildcards: AREAS[wildcards.cc]["tiles"],
            size_px=SIZE_PX,
            seed=SETTINGS["simulation"]["seed"],
            code=code_of("simulate.simulate_declarations"),
        conda:
            "../../envs/cropstack.yaml"
        log:
            "logs/simulate_declarations/{cc}_{year}_{file}.log",
        script:
            "../../src/cropstack/simulate/simulate_declarations.py"
