# Needs: downloads/SOURCE/FILE.
# Makes: datasets/DATASET/{train,validation,test}.npz and dataset.json; evaluation.npz, the images that are attacked;
#        erasing.npz, the rectangles of random erasing.


rule preprocess_dataset:
    input:
        env="envs/light.yaml",
        files=lambda wildcards: expand(
            "{folder}/downloads/{source}/{file}",
            folder=MODELS_DIR,
            source=dataset_of(wildcards)["source"],
            file=source_files(dataset_of(wildcards)["source"]),
        ),
    output:
        train=f"{MODELS_DIR}/datasets/{{dataset}}/train.npz",
        validation=f"{MODELS_DIR}/datasets/{{dataset}}/validation.npz",
        test=f"{MODELS_DIR}/datasets/{{dataset}}/test.npz",
        info=f"{MODELS_DIR}/datasets/{{dataset}}/dataset.json",
    log:
        f"{MODELS_DIR}/logs/preprocess_dataset/{{dataset}}.log",
    benchmark:
        f"{MODELS_DIR}/benchmarks/preprocess_dataset/{{dataset}}.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(preprocessing_memory),
        runtime=grown(preprocessing_minutes),
    params:
        program=program("preprocess_dataset"),
        code=code_of("preprocess_dataset"),
        provenance=provenance,
        files=lambda wildcards, input: Untracked(" ".join(f"--file {shlex.quote(file)}" for file in input.files)),
        options=preprocess_options,
    shell:
        "python {params.program:q}"
        " {params.files}"
        " {params.options}"
        " --name {wildcards.dataset:q}"
        " --train {output.train:q}"
        " --validation {output.validation:q}"
        " --test {output.test:q}"
        " --info {output.info:q}"
        " > {log:q} 2>&1"


rule select_evaluation_subset:
    input:
        env="envs/light.yaml",
        test=rules.preprocess_dataset.output.test,
    output:
        images=f"{MODELS_DIR}/datasets/{{dataset}}/evaluation.npz",
    log:
        f"{MODELS_DIR}/logs/select_evaluation_subset/{{dataset}}.log",
    benchmark:
        f"{MODELS_DIR}/benchmarks/select_evaluation_subset/{{dataset}}.tsv"
    priority: 100  # a subset that is too large shall fail before hours of training
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(2000),
        runtime=grown(10),
    params:
        program=program("select_evaluation_subset"),
        code=code_of("select_evaluation_subset"),
        provenance=provenance,
        options=lambda wildcards: options(dataset_of(wildcards)["evaluation"]),
    shell:
        "python {params.program:q}"
        " --test {input.test:q}"
        " {params.options}"
        " --output {output.images:q}"
        " > {log:q} 2>&1"


rule draw_erasing_schedule:
    input:
        env="envs/light.yaml",
        info=rules.preprocess_dataset.output.info,
    output:
        schedule=f"{MODELS_DIR}/datasets/{{dataset}}/erasing.npz",
    log:
        f"{MODELS_DIR}/logs/draw_erasing_schedule/{{dataset}}.log",
    benchmark:
        f"{MODELS_DIR}/benchmarks/draw_erasing_schedule/{{dataset}}.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(erasing_memory),
        runtime=grown(erasing_minutes),
    params:
        program=program("draw_erasing_schedule"),
        code=code_of("draw_erasing_schedule"),
        provenance=provenance,
        options=lambda wildcards: options(dataset_of(wildcards)["erasing"]),
    shell:
        "python {params.program:q}"
        " --info {input.info:q}"
        " {params.options}"
        " --output {output.schedule:q}"
        " > {log:q} 2>&1"
