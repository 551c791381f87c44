# Needs: datasets/DATASET/{train,validation,erasing}.npz; model.keras of a student's teacher, and of a model that another
#        starts from; downloads/SOURCE/FILE of pretrained weights; for a substitute the model that it asks, and
#        datasets/DATASET/{test,evaluation}.npz.
# Makes: models/MODEL/seedSEED/{model.keras,history.csv,metadata.json}, for a classifier of another technique
#        models/MODEL/seedSEED/{classifier.pickle,metadata.json}.
# A killed run leaves checkpoints/MODEL-seedSEED.npz, and the next start goes on from there; not so a substitute's or a
# classifier's, which are short.


rule train_model:
    input:
        env="envs/tensorflow.yaml",
        train=model_file("train.npz"),
        validation=model_file("validation.npz"),
        info=model_file("dataset.json"),
        erasing=erasing_schedule,
        initial=initial_file,
        weights=weights_file,
    output:
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        history=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/history.csv",
        metadata=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/metadata.json",
    log:
        f"{MODELS_DIR}/logs/train_model/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{MODELS_DIR}/benchmarks/train_model/{{model}}/seed{{seed}}.tsv"
    wildcard_constraints:
        model=one_of(name for name in TRAINED if name not in STUDENTS + ADVERSARIALLY_TRAINED + SUBSTITUTES + DEFENDED),
    priority: training_priority
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["train"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(training_memory),
        runtime=grown(training_minutes, most=job_sizes.LONGEST),
    params:
        program=program("train_model"),
        code=training_code("train_model"),
        provenance=provenance,
        threads=config["threads"]["train"],
        gpu=gpu_option,
        options=training_options,
        state=checkpoint_file,
        erasing=lambda wildcards, input: Untracked(f"--erasing-schedule {input.erasing}" if input.erasing else ""),
        initial=lambda wildcards, input: Untracked(f"--initial {input.initial}" if input.initial else ""),
        weights=lambda wildcards, input: Untracked(f"--weights {input.weights}" if input.weights else ""),
    shell:
        "python {params.program:q}"
        " --train {input.train:q}"
        " --validation {input.validation:q}"
        " --info {input.info:q}"
        " {params.erasing}"
        " {params.initial}"
        " {params.weights}"
        " --name {wildcards.model:q}"
        " --seed {wildcards.seed}"
        " {params.options}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --state {params.state:q}"
        " --model {output.model:q}"
        " --history {output.history:q}"
        " --metadata {output.metadata:q}"
        " > {log:q} 2>&1"


rule train_adversarially:
    input:
        env="envs/tensorflow.yaml",
        train=model_file("train.npz"),
        validation=model_file("validation.npz"),
        info=model_file("dataset.json"),
        erasing=erasing_schedule,
        initial=initial_file,
        weights=weights_file,
    output:
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        history=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/history.csv",
        metadata=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/metadata.json",
    log:
        f"{MODELS_DIR}/logs/train_adversarially/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{MODELS_DIR}/benchmarks/train_adversarially/{{model}}/seed{{seed}}.tsv"
    wildcard_constraints:
        model=one_of(ADVERSARIALLY_TRAINED),
    priority: training_priority
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["train"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(training_memory),
        runtime=grown(training_minutes, most=job_sizes.LONGEST),
    params:
        program=program("train_adversarially"),
        code=training_code("train_adversarially"),
        provenance=provenance,
        threads=config["threads"]["train"],
        gpu=gpu_option,
        options=training_options,
        state=checkpoint_file,
        erasing=lambda wildcards, input: Untracked(f"--erasing-schedule {input.erasing}" if input.erasing else ""),
        initial=lambda wildcards, input: Untracked(f"--initial {input.initial}" if input.initial else ""),
        weights=lambda wildcards, input: Untracked(f"--weights {input.weights}" if input.weights else ""),
    shell:
        "python {params.program:q}"
        " --train {input.train:q}"
        " --validation {input.validation:q}"
        " --info {input.info:q}"
        " {params.erasing}"
        " {params.initial}"
        " {params.weights}"
        " --name {wildcards.model:q}"
        " --seed {wildcards.seed}"
        " {params.options}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --state {params.state:q}"
        " --model {output.model:q}"
        " --history {output.history:q}"
        " --metadata {output.metadata:q}"
        " > {log:q} 2>&1"


rule train_defended:
    input:
        env="envs/tensorflow.yaml",
        train=model_file("train.npz"),
        validation=model_file("validation.npz"),
        info=model_file("dataset.json"),
        erasing=erasing_schedule,
        initial=initial_file,
        weights=weights_file,
    output:
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        history=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/history.csv",
        metadata=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/metadata.json",
    log:
        f"{MODELS_DIR}/logs/train_defended/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{MODELS_DIR}/benchmarks/train_defended/{{model}}/seed{{seed}}.tsv"
    wildcard_constraints:
        model=one_of(DEFENDED),
    priority: training_priority
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["train"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(training_memory),
        runtime=grown(training_minutes, most=job_sizes.LONGEST),
    params:
        program=program("train_defended"),
        code=training_code("train_defended"),
        provenance=provenance,
        threads=config["threads"]["train"],
        gpu=gpu_option,
        options=training_options,
        defence=defence_options,
        state=checkpoint_file,
        erasing=lambda wildcards, input: Untracked(f"--erasing-schedule {input.erasing}" if input.erasing else ""),
        initial=lambda wildcards, input: Untracked(f"--initial {input.initial}" if input.initial else ""),
        weights=lambda wildcards, input: Untracked(f"--weights {input.weights}" if input.weights else ""),
    shell:
        "python {params.program:q}"
        " --train {input.train:q}"
        " --validation {input.validation:q}"
        " --info {input.info:q}"
        " {params.erasing}"
        " {params.initial}"
        " {params.weights}"
        " --name {wildcards.model:q}"
        " --seed {wildcards.seed}"
        " {params.options}"
        " {params.defence}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --state {params.state:q}"
        " --model {output.model:q}"
        " --history {output.history:q}"
        " --metadata {output.metadata:q}"
        " > {log:q} 2>&1"


rule distill_student:
    input:
        env="envs/tensorflow.yaml",
        teacher=teacher_file,
        train=model_file("train.npz"),
        validation=model_file("validation.npz"),
        info=model_file("dataset.json"),
        erasing=erasing_schedule,
        initial=initial_file,
        weights=weights_file,
    output:
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        history=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/history.csv",
        metadata=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/metadata.json",
    log:
        f"{MODELS_DIR}/logs/distill_student/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{MODELS_DIR}/benchmarks/distill_student/{{model}}/seed{{seed}}.tsv"
    wildcard_constraints:
        model=one_of(STUDENTS),
    priority: training_priority
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["distill"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(training_memory),
        runtime=grown(training_minutes, most=job_sizes.LONGEST),
    params:
        program=program("distill_student"),
        code=training_code("distill_student"),
        provenance=provenance,
        threads=config["threads"]["distill"],
        gpu=gpu_option,
        options=training_options,
        state=checkpoint_file,
        erasing=lambda wildcards, input: Untracked(f"--erasing-schedule {input.erasing}" if input.erasing else ""),
        initial=lambda wildcards, input: Untracked(f"--initial {input.initial}" if input.initial else ""),
        weights=lambda wildcards, input: Untracked(f"--weights {input.weights}" if input.weights else ""),
    shell:
        "python {params.program:q}"
        " --teacher {input.teacher:q}"
        " --train {input.train:q}"
        " --validation {input.validation:q}"
        " --info {input.info:q}"
        " {params.erasing}"
        " {params.initial}"
        " {params.weights}"
        " --name {wildcards.model:q}"
        " --seed {wildcards.seed}"
        " {params.options}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --state {params.state:q}"
        " --model {output.model:q}"
        " --history {output.history:q}"
        " --metadata {output.metadata:q}"
        " > {log:q} 2>&1"


rule train_substitute:
    input:
        env="envs/tensorflow.yaml",
        target=target_file,
        test=model_file("test.npz"),
        evaluation=model_file("evaluation.npz"),
        validation=model_file("validation.npz"),
        info=model_file("dataset.json"),
        weights=weights_file,
    output:
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        history=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/history.csv",
        metadata=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/metadata.json",
    log:
        f"{MODELS_DIR}/logs/train_substitute/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{MODELS_DIR}/benchmarks/train_substitute/{{model}}/seed{{seed}}.tsv"
    wildcard_constraints:
        model=one_of(SUBSTITUTES),
    priority: training_priority
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["train"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(training_memory),
        runtime=grown(training_minutes),
    params:
        program=program("train_substitute"),
        code=code_of("train_substitute", networks=network_of, layers=layers_of_target, techniques=[]),
        provenance=provenance,
        threads=config["threads"]["train"],
        gpu=gpu_option,
        options=training_options,
        weights=lambda wildcards, input: Untracked(f"--weights {input.weights}" if input.weights else ""),
    shell:
        "python {params.program:q}"
        " --target {input.target:q}"
        " --train {input.test:q}"
        " --evaluation {input.evaluation:q}"
        " --validation {input.validation:q}"
        " --info {input.info:q}"
        " {params.weights}"
        " --name {wildcards.model:q}"
        " --seed {wildcards.seed}"
        " {params.options}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --model {output.model:q}"
        " --history {output.history:q}"
        " --metadata {output.metadata:q}"
        " > {log:q} 2>&1"


rule train_classifier:
    input:
        env="envs/tensorflow.yaml",
        train=model_file("train.npz"),
        info=model_file("dataset.json"),
    output:
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/classifier.pickle",
        metadata=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/metadata.json",
    log:
        f"{MODELS_DIR}/logs/train_classifier/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{MODELS_DIR}/benchmarks/train_classifier/{{model}}/seed{{seed}}.tsv"
    wildcard_constraints:
        model=one_of(CLASSIFIERS),
    priority: training_priority
    conda:
        "../envs/tensorflow.yaml"
    threads: 1
    resources:
        mem_mb=grown(classifier_memory),
        runtime=grown(240),
    params:
        program=program("train_classifier"),
        code=code_of("train_classifier", techniques=technique_of),
        provenance=provenance,
        options=classifier_options,
    shell:
        "python {params.program:q}"
        " --train {input.train:q}"
        " --info {input.info:q}"
        " --name {wildcards.model:q}"
        " --seed {wildcards.seed}"
        " {params.options}"
        " --model {output.model:q}"
        " --metadata {output.metadata:q}"
        " > {log:q} 2>&1"


rule wrap_model:
    input:
        env="envs/tensorflow.yaml",
        network=wrapped_file("model.keras"),
        metadata=wrapped_file("metadata.json"),
        validation=model_file("validation.npz"),
        info=model_file("dataset.json"),
    output:
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        metadata=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/metadata.json",
    log:
        f"{MODELS_DIR}/logs/wrap_model/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{MODELS_DIR}/benchmarks/wrap_model/{{model}}/seed{{seed}}.tsv"
    wildcard_constraints:
        model=one_of(WRAPPING),
    priority: training_priority
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["evaluate"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(clean_memory),
        runtime=grown(clean_minutes),
    params:
        program=program("wrap_model"),
        code=code_of("wrap_model", defences=defence_method, layers=layers_of_defence),
        provenance=provenance,
        threads=config["threads"]["evaluate"],
        gpu=gpu_option,
        name=lambda wildcards: study.defence_of(config, wildcards.model),
        defence=defence_options,
    shell:
        "python {params.program:q}"
        " --network {input.network:q}"
        " --network-metadata {input.metadata:q}"
        " --validation {input.validation:q}"
        " --info {input.info:q}"
        " --name {wildcards.model:q}"
        " --defence {params.name:q}"
        " {params.defence}"
        " --seed {wildcards.seed}"
        " --threads {params.threads}"
        " {params.gpu}"
        " --model {output.model:q}"
        " --metadata {output.metadata:q}"
        " > {log:q} 2>&1"
