# Needs: models/MODEL/seedSEED/model.keras and datasets/DATASET/evaluation.npz.
# Makes: adversarial/MODEL/seedSEED/ATTACK/epsEPSILON.npz, one artifact an epsilon.


rule craft_adversarial:
    input:
        program=program("craft_adversarial"),
        modules=modules("craft_adversarial"),
        env="envs/tensorflow.yaml",
        model=f"{RESULTS}/models/{{model}}/seed{{seed}}/model.keras",
        images=model_file("evaluation.npz"),
        info=model_file("dataset.json"),
    output:
        adversarial=f"{RESULTS}/adversarial/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.npz",
    log:
        f"{RESULTS}/logs/craft_adversarial/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/craft_adversarial/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["craft"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(4000),
        runtime=grown(120),
    params:
        threads=config["threads"]["craft"],
        options=attack_options,
    shell:
        "python {input.program:q}"
        " --model {input.model:q}"
        " --images {input.images:q}"
        " --info {input.info:q}"
        " --attack {wildcards.attack:q}"
        " {params.options}"
        " --epsilon {wildcards.epsilon}"
        " --seed {wildcards.seed}"
        " --threads {params.threads}"
        " --output {output.adversarial:q}"
        " > {log:q} 2>&1"
