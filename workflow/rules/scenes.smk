# Products become scenes: after this nothing knows a sensor's file format.


rule read_s2:
    message:
        "Read {wildcards.scene}"
    input:
        products=products_of_scene,
    output:
        scene=(lambda path: path if SETTINGS["keep_scenes"] else temp(path))("build/scenes/{collection}/{scene}.nc"),
    params:
        tile=lambda wildcards: wildcards.scene.rpartition("_T")[2],
        size_px=SIZE_PX,
        code=code_of("scenes.read_s2"),
    conda:
        "../../envs/cropstack.yaml"
    log:
        "logs/read_s2/{collection}/{scene}.log",
    threads: 1  # scenes are many: one core each wastes none (--set-threads read_s2=4 for a single one)
    resources:
        mem_mb=3000,
    script:
        "../../src/cropstack/scenes/read_s2.py"
