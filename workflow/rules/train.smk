# Models learn from patches (pad) and from parcels (oad).


rule train_models:
    message:
        "Train the models of {wildcards.recipe} on the table {wildcards.table}"
    input:
        composites=lambda wildcards: per_tile_year(COMPOSITES_OF[wildcards.table]),
        splits=lambda wildcards: f"results/{wildcards.recipe}/{SPLITS_OF[wildcards.table]}.csv",
        legend=lambda wildcards: f"taxonomy/legends/{RECIPES[wildcards.recipe]['legend']}.csv",
        classes="taxonomy/classes.csv",
    output:
        experiments=directory("results/{recipe}/experiments/{table}"),
    params:
        settings=lambda wildcards: EXPERIMENTS[wildcards.recipe][wildcards.table],
        months=parcel_months,
        resume="build/train/{recipe}_{table}",
        code=code_of("train.train_models"),
    conda:
        "../../envs/train.yaml"
    log:
        "logs/train_models/{recipe}_{table}.log",
    threads: 1  # results are equal bit for bit only with equal threads (--set-threads train_models=8 for a real run)
    resources:
        mem_mb=8000,
    priority: 1  # the longest job begins as soon as it can
    script:
        "../../src/cropstack/train/train_models.py"
