# Needs: models, the images that are attacked, adversarial sets.
# Makes: evaluation/MODEL/seedSEED/{clean.csv,clean.json,confusion.csv} and evaluation/MODEL/seedSEED/attacks/ATTACK.{csv,json}:
#        records (a row an epsilon and image) and their summary; evaluation/MODEL/seedSEED/iterations/SWEEP.{csv,json}, the same after
#        each number of iterations; evaluation/MODEL/seedSEED/transfer.csv, the same for sets of other models;
#        evaluation/MODEL/seedSEED/worst_case/norm_NORM.{csv,json}: which images survive all of these and the cascade.


rule evaluate_model:
    input:
        env="envs/tensorflow.yaml",
        model=lambda wildcards: artifact_of(wildcards.model, wildcards.seed),
        metadata=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/metadata.json",
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
    priority: TOWARDS_WORST_CASE
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["evaluate"]
    resources:
        gpu=gpu_of_scoring,
        mem_mb=grown(clean_memory),
        runtime=grown(clean_minutes),
    params:
        program=program("evaluate_model"),
        code=code_of("evaluate_model", layers=layers_of_defence, techniques=[]),
        threads=config["threads"]["evaluate"],
        gpu=gpu_option,
    shell:
        "python {params.program:q}"
        " --model {input.model:q}"
        " --metadata {input.metadata:q}"
        " --validation {input.validation:q}"
        " --test {input.test:q}"
        " --evaluation {input.evaluation:q}"
        " --info {input.info:q}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --records {output.records:q}"
        " --summary {output.summary:q}"
        " --confusion {output.confusion:q}"
        " > {log:q} 2>&1"


rule evaluate_attack:
    input:
        env="envs/tensorflow.yaml",
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        metadata=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/metadata.json",
        images=model_file("evaluation.npz"),
        adversarial=attack_sets,
        info=model_file("dataset.json"),
    output:
        records=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/attacks/{{attack}}.csv",
        summary=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/attacks/{{attack}}.json",
    log:
        f"{RESULTS}/logs/evaluate_attack/{{model}}/seed{{seed}}/{{attack}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_attack/{{model}}/seed{{seed}}/{{attack}}.tsv"
    priority: TOWARDS_WORST_CASE
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["evaluate"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(attack_scoring_memory),
        runtime=grown(attack_scoring_minutes),
    params:
        program=program("evaluate_attack"),
        code=code_of("evaluate_attack", layers=layers_of_defence),
        threads=config["threads"]["evaluate"],
        gpu=gpu_option,
        sets=lambda wildcards, input: shlex.join(word for path in input.adversarial for word in ("--adversarial", path)),
    shell:
        "python {params.program:q}"
        " --model {input.model:q}"
        " --metadata {input.metadata:q}"
        " --images {input.images:q}"
        " {params.sets}"
        " --info {input.info:q}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --records {output.records:q}"
        " --summary {output.summary:q}"
        " > {log:q} 2>&1"


rule evaluate_iteration_sweep:
    input:
        env="envs/tensorflow.yaml",
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        metadata=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/metadata.json",
        images=model_file("evaluation.npz"),
        adversarial=rules.craft_iteration_sweep.output.adversarial,
        info=model_file("dataset.json"),
    output:
        records=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/iterations/{{sweep}}.csv",
        summary=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/iterations/{{sweep}}.json",
    log:
        f"{RESULTS}/logs/evaluate_iteration_sweep/{{model}}/seed{{seed}}/{{sweep}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_iteration_sweep/{{model}}/seed{{seed}}/{{sweep}}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["evaluate"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(sweep_scoring_memory),
        runtime=grown(sweep_scoring_minutes),
    params:
        program=program("evaluate_iteration_sweep"),
        code=code_of("evaluate_iteration_sweep", layers=layers_of_defence),
        threads=config["threads"]["evaluate"],
        gpu=gpu_option,
    shell:
        "python {params.program:q}"
        " --model {input.model:q}"
        " --metadata {input.metadata:q}"
        " --images {input.images:q}"
        " --adversarial {input.adversarial:q}"
        " --info {input.info:q}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --records {output.records:q}"
        " --summary {output.summary:q}"
        " > {log:q} 2>&1"


rule evaluate_transfer:
    input:
        env="envs/tensorflow.yaml",
        model=lambda wildcards: artifact_of(wildcards.model, wildcards.seed),
        images=model_file("evaluation.npz"),
        info=model_file("dataset.json"),
        sources=lambda wildcards: [
            f"{MODELS_DIR}/models/{source}/seed{wildcards.seed}/model.keras"
            for source in dict.fromkeys(source for source, _, _ in transfer_sources(wildcards.model))
        ],
        sets=lambda wildcards: [
            f"{RESULTS}/adversarial/{source}/seed{wildcards.seed}/{attack}/eps{epsilon}.npz"
            for source, attack, epsilons in transfer_sources(wildcards.model)
            for epsilon in epsilons
        ],
    output:
        records=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/transfer.csv",
    log:
        f"{RESULTS}/logs/evaluate_transfer/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_transfer/{{model}}/seed{{seed}}.tsv"
    priority: TOWARDS_WORST_CASE
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["evaluate"]
    resources:
        gpu=gpu_of_scoring,
        mem_mb=grown(transfer_memory),
        runtime=grown(transfer_minutes),
    params:
        program=program("evaluate_transfer"),
        code=code_of("evaluate_transfer", layers=layers_of_defence, techniques=[]),
        threads=config["threads"]["evaluate"],
        gpu=gpu_option,
        # The sets in a compact form: thousands of file names would be too long for a command line.
        models=lambda wildcards, input: str(Path(input.sources[0]).parents[2]),
        adversarial=lambda wildcards, input: str(Path(input.sets[0]).parents[3]),
        sources=lambda wildcards: shlex.join(
            word
            for source, attack, epsilons in transfer_sources(wildcards.model)
            for word in ("--source", source, attack, ",".join(epsilons))
        ),
    shell:
        "python {params.program:q}"
        " --model {input.model:q}"
        " --images {input.images:q}"
        " --info {input.info:q}"
        " --models-folder {params.models:q}"
        " --adversarial-folder {params.adversarial:q}"
        " {params.sources}"
        " --seed {wildcards.seed}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --records {output.records:q}"
        " > {log:q} 2>&1"


rule evaluate_worst_case:
    input:
        env="envs/tensorflow.yaml",
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        metadata=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/metadata.json",
        images=model_file("evaluation.npz"),
        info=model_file("dataset.json"),
        worst_case=rules.craft_worst_case.output.found,
        clean=rules.evaluate_model.output.records,
        records=attack_records,
        transfer=transfer_records,
    output:
        records=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/worst_case/norm_{{norm}}.csv",
        summary=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/worst_case/norm_{{norm}}.json",
    log:
        f"{RESULTS}/logs/evaluate_worst_case/{{model}}/seed{{seed}}/norm_{{norm}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_worst_case/{{model}}/seed{{seed}}/norm_{{norm}}.tsv"
    priority: TOWARDS_WORST_CASE
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["evaluate"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(worst_case_scoring_memory),
        runtime=grown(worst_case_scoring_minutes),
    params:
        program=program("evaluate_worst_case"),
        code=code_of("evaluate_worst_case", layers=layers_of_defence),
        threads=config["threads"]["evaluate"],
        gpu=gpu_option,
        evaluation=lambda wildcards, input: str(Path(input.clean).parent),
        transfer=lambda wildcards, input: f"--transfer {input.transfer}" if input.transfer else "",
        recorded=recorded_options,
    shell:
        "python {params.program:q}"
        " --model {input.model:q}"
        " --metadata {input.metadata:q}"
        " --images {input.images:q}"
        " --worst-case {input.worst_case:q}"
        " --info {input.info:q}"
        " --evaluation-folder {params.evaluation:q}"
        " {params.recorded}"
        " {params.transfer}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --records {output.records:q}"
        " --summary {output.summary:q}"
        " > {log:q} 2>&1"
