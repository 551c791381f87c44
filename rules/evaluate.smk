# Needs: models, the images that are attacked, adversarial sets.
# Makes: evaluation/MODEL/seedSEED/{clean.csv,clean.json,confusion.csv} and evaluation/MODEL/seedSEED/ATTACK/epsEPSILON.{csv,json}:
#        records (a row an image) and their summary.


rule evaluate_model:
    input:
        program=program("evaluate_model"),
        modules=modules("evaluate_model"),
        env="envs/tensorflow.yaml",
        model=f"{RESULTS}/models/{{model}}/seed{{seed}}/model.keras",
        metadata=f"{RESULTS}/models/{{model}}/seed{{seed}}/metadata.json",
        validation=model_file("validation.npz"),
        test=model_file("test.npz"),
        evaluation=model_file("evaluation.npz"),
        info=model_file("dataset.json"),
    output:
        records=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/clean.csv",
        summary=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/clean.json",
        confusion=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/confusion.csv",
    log:
        f"{RESULTS}/logs/evaluate_model/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_model/{{model}}/seed{{seed}}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["evaluate"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(4000),
        runtime=grown(30),
    params:
        threads=config["threads"]["evaluate"],
    shell:
        "python {input.program:q}"
        " --model {input.model:q}"
        " --metadata {input.metadata:q}"
        " --validation {input.validation:q}"
        " --test {input.test:q}"
        " --evaluation {input.evaluation:q}"
        " --info {input.info:q}"
        " --threads {params.threads}"
        " --records {output.records:q}"
        " --summary {output.summary:q}"
        " --confusion {output.confusion:q}"
        " > {log:q} 2>&1"


rule evaluate_attack:
    input:
        program=program("evaluate_attack"),
        modules=modules("evaluate_attack"),
        env="envs/tensorflow.yaml",
        model=f"{RESULTS}/models/{{model}}/seed{{seed}}/model.keras",
        metadata=f"{RESULTS}/models/{{model}}/seed{{seed}}/metadata.json",
        images=model_file("evaluation.npz"),
        adversarial=rules.craft_adversarial.output.adversarial,
        info=model_file("dataset.json"),
    output:
        records=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.csv",
        summary=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.json",
    log:
        f"{RESULTS}/logs/evaluate_attack/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_attack/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["evaluate"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(4000),
        runtime=grown(30),
    params:
        threads=config["threads"]["evaluate"],
    shell:
        "python {input.program:q}"
        " --model {input.model:q}"
        " --metadata {input.metadata:q}"
        " --images {input.images:q}"
        " --adversarial {input.adversarial:q}"
        " --info {input.info:q}"
        " --threads {params.threads}"
        " --records {output.records:q}"
        " --summary {output.summary:q}"
        " > {log:q} 2>&1"
