# Needs: models, the images that are attacked, records of all attacks.
# Makes: evaluation/MODEL/seedSEED/probes.{csv,json}, what probes of a model show; tables/verdicts.{csv,md}, what they and
#        the records say about each attack on each model.


rule probe_model:
    input:
        env="envs/tensorflow.yaml",
        model=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/model.keras",
        images=model_file("evaluation.npz"),
        info=model_file("dataset.json"),
        clean=rules.evaluate_model.output.records,
        records=attack_records,
    output:
        records=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/probes.csv",
        summary=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/probes.json",
    log:
        f"{RESULTS}/logs/probe_model/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/probe_model/{{model}}/seed{{seed}}.tsv"
    conda:
        "../envs/tensorflow.yaml"
    threads: config["threads"]["evaluate"]
    resources:
        gpu=config["gpu"],
        mem_mb=grown(probe_memory),
        runtime=grown(probe_minutes),
    params:
        program=program("probe_model"),
        code=code_of("probe_model", attack_methods=probed_methods, layers=layers_of_defence),
        threads=config["threads"]["evaluate"],
        gpu=gpu_option,
        evaluation=lambda wildcards, input: str(Path(input.clean).parent),
        recorded=recorded_options,
        options=probe_options,
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
        " --records {output.records:q}"
        " --summary {output.summary:q}"
        " > {log:q} 2>&1"


localrules:
    diagnose_attacks,


rule diagnose_attacks:
    input:
        env="envs/light.yaml",
        clean=CLEAN_SUMMARIES,
        attacks=ATTACK_SUMMARIES,
        transfers=TRANSFERS,
        worst_cases=expand("{worst_case}.{suffix}", worst_case=WORST_CASES, suffix=["csv", "json"]),
        probes=expand("{probes}.{suffix}", probes=PROBES, suffix=["csv", "json"]),
    output:
        verdicts=f"{RESULTS}/tables/verdicts.csv",
        text=f"{RESULTS}/tables/verdicts.md",
    log:
        f"{RESULTS}/logs/diagnose_attacks.log",
    benchmark:
        f"{RESULTS}/benchmarks/diagnose_attacks.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(2000),
        runtime=grown(30),
    params:
        program=program("diagnose_attacks"),
        code=code_of("diagnose_attacks"),
        evaluation=lambda wildcards, input: str(Path(input.clean[0]).parents[2]),
        runs=runs_options(),
    shell:
        "python {params.program:q}"
        " --evaluation-folder {params.evaluation:q}"
        " {params.runs}"
        " --verdicts {output.verdicts:q}"
        " --text {output.text:q}"
        " > {log:q} 2>&1"
