# Needs: models/MODEL/seedSEED/model.keras and datasets/DATASET/evaluation.npz.
# Makes: adversarial/MODEL/seedSEED/ATTACK/path.npz, what an attack shares at all epsilons, where there is such a thing;
#        adversarial/MODEL/seedSEED/ATTACK/epsEPSILON.npz, one artifact an epsilon;
#        adversarial/MODEL/seedSEED/iterations/SWEEP.npz, one attack after several numbers of iterations; then, from the
#        records of the former, adversarial/MODEL/seedSEED/worst_case/norm_NORM.npz, what a cascade finds beyond them.


rule craft_path:
    input:
        env="envs/tensorflow.yaml",
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        images=model_file("evaluation.npz"),
        info=model_file("dataset.json"),
    output:
        path=f"{RESULTS}/adversarial/{{model}}/seed{{seed}}/{{attack}}/path.npz",
    log:
        f"{RESULTS}/logs/craft_path/{{model}}/seed{{seed}}/{{attack}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/craft_path/{{model}}/seed{{seed}}/{{attack}}.tsv"
    priority: TOWARDS_WORST_CASE
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["craft"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(path_memory),
        runtime=grown(path_minutes),
    params:
        program=program("craft_path"),
        code=code_of("craft_path", attack_methods=attack_method, layers=layers_of_defence),
        threads=config["threads"]["craft"],
        gpu=gpu_option,
        options=attack_options,
    shell:
        "python {params.program:q}"
        " --model {input.model:q}"
        " --images {input.images:q}"
        " --info {input.info:q}"
        " --attack {wildcards.attack:q}"
        " {params.options}"
        " --seed {wildcards.seed}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --output {output.path:q}"
        " > {log:q} 2>&1"


rule craft_adversarial:
    input:
        env="envs/tensorflow.yaml",
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        images=model_file("evaluation.npz"),
        info=model_file("dataset.json"),
        path=attack_path,
    output:
        adversarial=f"{RESULTS}/adversarial/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.npz",
    log:
        f"{RESULTS}/logs/craft_adversarial/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/craft_adversarial/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.tsv"
    priority: TOWARDS_WORST_CASE
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["craft"]
    resources:
        gpu=gpu_of_crafting,
        mem_mb=grown(set_memory),
        runtime=grown(set_minutes),
    params:
        program=program("craft_adversarial"),
        code=code_of("craft_adversarial", attack_methods=attack_method, layers=layers_of_defence),
        threads=config["threads"]["craft"],
        gpu=gpu_option,
        options=attack_options,
        path=lambda wildcards, input: shlex.join(["--path", input.path]) if input.path else "",
    shell:
        "python {params.program:q}"
        " --model {input.model:q}"
        " --images {input.images:q}"
        " --info {input.info:q}"
        " --attack {wildcards.attack:q}"
        " {params.options}"
        " --epsilon {wildcards.epsilon}"
        " {params.path}"
        " --seed {wildcards.seed}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --output {output.adversarial:q}"
        " > {log:q} 2>&1"


rule craft_iteration_sweep:
    input:
        env="envs/tensorflow.yaml",
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        images=model_file("evaluation.npz"),
        info=model_file("dataset.json"),
    output:
        adversarial=f"{RESULTS}/adversarial/{{model}}/seed{{seed}}/iterations/{{sweep}}.npz",
    log:
        f"{RESULTS}/logs/craft_iteration_sweep/{{model}}/seed{{seed}}/{{sweep}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/craft_iteration_sweep/{{model}}/seed{{seed}}/{{sweep}}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["craft"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(sweep_memory),
        runtime=grown(sweep_minutes),
    params:
        program=program("craft_iteration_sweep"),
        code=code_of("craft_iteration_sweep", attack_methods=swept_method, layers=layers_of_defence),
        threads=config["threads"]["craft"],
        gpu=gpu_option,
        options=sweep_options,
    shell:
        "python {params.program:q}"
        " --model {input.model:q}"
        " --images {input.images:q}"
        " --info {input.info:q}"
        " --sweep {wildcards.sweep:q}"
        " {params.options}"
        " --seed {wildcards.seed}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --output {output.adversarial:q}"
        " > {log:q} 2>&1"


rule craft_worst_case:
    input:
        env="envs/tensorflow.yaml",
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        images=model_file("evaluation.npz"),
        info=model_file("dataset.json"),
        clean=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/clean.csv",
        records=attack_records,
    output:
        found=f"{RESULTS}/adversarial/{{model}}/seed{{seed}}/worst_case/norm_{{norm}}.npz",
    log:
        f"{RESULTS}/logs/craft_worst_case/{{model}}/seed{{seed}}/norm_{{norm}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/craft_worst_case/{{model}}/seed{{seed}}/norm_{{norm}}.tsv"
    priority: TOWARDS_WORST_CASE
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["craft"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(worst_case_memory),
        runtime=grown(worst_case_minutes),
    params:
        program=program("craft_worst_case"),
        code=code_of("craft_worst_case", attack_methods=CASCADE_METHODS, layers=layers_of_defence),
        threads=config["threads"]["craft"],
        gpu=gpu_option,
        evaluation=lambda wildcards, input: str(Path(input.clean).parent),
        recorded=recorded_options,
        options=worst_case_options,
    shell:
        "python {params.program:q}"
        " --model {input.model:q}"
        " --images {input.images:q}"
        " --info {input.info:q}"
        " --evaluation-folder {params.evaluation:q}"
        " {params.recorded}"
        " {params.options}"
        " --seed {wildcards.seed}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --output {output.found:q}"
        " > {log:q} 2>&1"
