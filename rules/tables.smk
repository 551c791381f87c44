# Needs: every summary of the study, the verdicts.
# Makes: tables/{robust_accuracy,clean_accuracy,worst_case,transfer}.{csv,md,tex}; where an attack has a target,
#        tables/targeted.{csv,md,tex}, how often it reached it; where a model can reject an image, tables/rejections.{csv,md,tex};
#        tables/curves.csv for the figures against epsilon; tables/comparisons.csv and tables/findings.md, what each defence
#        changed; where the study has iteration sweeps, tables/iterations.{csv,md}, and tables/iteration_curves.csv for their figures;
#        tables/training.{csv,md}; tables/drops.{csv,md}, averages over epsilons; where it has temperature sweeps,
#        tables/temperatures.{csv,md}, and tables/temperature_curves.csv for their figures; tables/published.{csv,md} where the
#        study names published numbers; tables/black_box.{csv,md,tex} where it has substitutes; tables/defences.{csv,md,tex},
#        all defences in one table, from the others.

NAMES = ["robust_accuracy", "clean_accuracy", "worst_case", "transfer"]
NAMES += ["rejections"] if study.rejecting_models(config) else []
if any("target" in attack for attack in config["attacks"].values()):
    NAMES.append("targeted")
AGGREGATED = [f"{name}.{suffix}" for name in NAMES for suffix in ("csv", "md", "tex")] + ["curves.csv"]
TABLES = AGGREGATED + ["verdicts.csv", "verdicts.md", "comparisons.csv", "findings.md", "training.csv", "training.md"]
TABLES += ["drops.csv", "drops.md", "defences.csv", "defences.md", "defences.tex"]
if SWEEPS:
    TABLES += ["iterations.csv", "iterations.md", "iteration_curves.csv"]
if config["temperature_sweeps"]:
    TABLES += ["temperatures.csv", "temperatures.md", "temperature_curves.csv"]
if SUBSTITUTES:
    TABLES += ["black_box.csv", "black_box.md", "black_box.tex"]
if config["published"]:
    TABLES += ["published.csv", "published.md"]


localrules:
    aggregate_tables,
    aggregate_drops,
    aggregate_iterations,
    aggregate_training,
    aggregate_defences,
    aggregate_temperatures,
    aggregate_black_box,
    compare_published,
    write_findings,


rule aggregate_tables:
    input:
        env="envs/light.yaml",
        attacks=ATTACK_SUMMARIES,
        clean=CLEAN_SUMMARIES,
        transfers=TRANSFERS,
        worst_cases=expand("{worst_case}.json", worst_case=WORST_CASES),
        verdicts=rules.diagnose_attacks.output.verdicts,
    output:
        tables=expand("{results}/tables/{name}", results=RESULTS, name=AGGREGATED),
    log:
        f"{RESULTS}/logs/aggregate_tables.log",
    benchmark:
        f"{RESULTS}/benchmarks/aggregate_tables.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(2000),
        runtime=grown(10),
    params:
        program=program("aggregate_tables"),
        code=code_of("aggregate_tables"),
        # The runs in a compact form: thousands of file names would be too long for a command line.
        evaluation=lambda wildcards, input: str(Path(input.clean[0]).parents[2]),
        folder=lambda wildcards, output: str(Path(output.tables[0]).parent),
        runs=runs_options(),
        classifiers=shlex.join(word for model in CLASSIFIERS for word in ("--classifier", model)),
    shell:
        "python {params.program:q}"
        " --evaluation-folder {params.evaluation:q}"
        " {params.runs}"
        " {params.classifiers}"
        " --verdicts {input.verdicts:q}"
        " --output-folder {params.folder:q}"
        " > {log:q} 2>&1"


rule aggregate_drops:
    input:
        env="envs/light.yaml",
        clean=CLEAN_SUMMARIES,
        attacks=ATTACK_SUMMARIES,
        verdicts=rules.diagnose_attacks.output.verdicts,
    output:
        table=f"{RESULTS}/tables/drops.csv",
        text=f"{RESULTS}/tables/drops.md",
    log:
        f"{RESULTS}/logs/aggregate_drops.log",
    benchmark:
        f"{RESULTS}/benchmarks/aggregate_drops.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(2000),
        runtime=grown(10),
    params:
        program=program("aggregate_drops"),
        code=code_of("aggregate_drops"),
        evaluation=lambda wildcards, input: str(Path(input.clean[0]).parents[2]),
        runs=runs_options(),
        baselines=shlex.join(baseline_words(MODELS)),
    shell:
        "python {params.program:q}"
        " --evaluation-folder {params.evaluation:q}"
        " {params.runs}"
        " {params.baselines}"
        " --verdicts {input.verdicts:q}"
        " --table {output.table:q}"
        " --text {output.text:q}"
        " > {log:q} 2>&1"


rule aggregate_iterations:
    input:
        env="envs/light.yaml",
        summaries=SWEEP_SUMMARIES,
    output:
        table=f"{RESULTS}/tables/iterations.csv",
        text=f"{RESULTS}/tables/iterations.md",
        curves=f"{RESULTS}/tables/iteration_curves.csv",
    log:
        f"{RESULTS}/logs/aggregate_iterations.log",
    benchmark:
        f"{RESULTS}/benchmarks/aggregate_iterations.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("aggregate_iterations"),
        code=code_of("aggregate_iterations"),
        evaluation=lambda wildcards, input: str(Path(input.summaries[0]).parents[3]),
        runs=sweep_runs_options(),
    shell:
        "python {params.program:q}"
        " --evaluation-folder {params.evaluation:q}"
        " {params.runs}"
        " --table {output.table:q}"
        " --text {output.text:q}"
        " --curves {output.curves:q}"
        " > {log:q} 2>&1"


rule write_findings:
    input:
        env="envs/light.yaml",
        clean=CLEAN_SUMMARIES,
        attacks=ATTACK_SUMMARIES,
        worst_cases=expand("{worst_case}.{suffix}", worst_case=WORST_CASES, suffix=["csv", "json"]),
        verdicts=rules.diagnose_attacks.output.verdicts,
        training=f"{RESULTS}/tables/training.csv",
    output:
        comparisons=f"{RESULTS}/tables/comparisons.csv",
        findings=f"{RESULTS}/tables/findings.md",
    log:
        f"{RESULTS}/logs/write_findings.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_findings.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(2000),
        runtime=grown(30),
    params:
        program=program("write_findings"),
        code=code_of("write_findings"),
        evaluation=lambda wildcards, input: str(Path(input.clean[0]).parents[2]),
        runs=runs_options(),
        options=findings_options(),
    shell:
        "python {params.program:q}"
        " --evaluation-folder {params.evaluation:q}"
        " {params.runs}"
        " {params.options}"
        " --verdicts {input.verdicts:q}"
        " --training {input.training:q}"
        " --comparisons {output.comparisons:q}"
        " --findings {output.findings:q}"
        " > {log:q} 2>&1"


rule aggregate_training:
    input:
        env="envs/light.yaml",
        trainings=expand(
            "{folder}/models/{model}/seed{seed}/{name}",
            folder=MODELS_DIR,
            model=TRAINED,
            seed=SEEDS,
            name=["metadata.json", "history.csv"],
        ),
    output:
        table=f"{RESULTS}/tables/training.csv",
        text=f"{RESULTS}/tables/training.md",
    log:
        f"{RESULTS}/logs/aggregate_training.log",
    benchmark:
        f"{RESULTS}/benchmarks/aggregate_training.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("aggregate_training"),
        code=code_of("aggregate_training"),
        folder=lambda wildcards, input: str(Path(input.trainings[0]).parents[2]),
        runs=training_runs_options(),
    shell:
        "python {params.program:q}"
        " --models-folder {params.folder:q}"
        " {params.runs}"
        " --table {output.table:q}"
        " --text {output.text:q}"
        " > {log:q} 2>&1"


rule aggregate_defences:
    input:
        env="envs/light.yaml",
        robust=f"{RESULTS}/tables/robust_accuracy.csv",
        clean=f"{RESULTS}/tables/clean_accuracy.csv",
        worst_cases=f"{RESULTS}/tables/worst_case.csv",
        training=rules.aggregate_training.output.table,
        rejections=f"{RESULTS}/tables/rejections.csv" if "rejections" in NAMES else [],
        targeted=f"{RESULTS}/tables/targeted.csv" if "targeted" in NAMES else [],
    output:
        table=f"{RESULTS}/tables/defences.csv",
        text=f"{RESULTS}/tables/defences.md",
        latex=f"{RESULTS}/tables/defences.tex",
    log:
        f"{RESULTS}/logs/aggregate_defences.log",
    benchmark:
        f"{RESULTS}/benchmarks/aggregate_defences.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("aggregate_defences"),
        code=code_of("aggregate_defences"),
        optional=lambda wildcards, input: options(
            {"rejections": input.rejections or None, "targeted": input.targeted or None}
        ),
        networks=defence_table_options(),
    shell:
        "python {params.program:q}"
        " --robust {input.robust:q}"
        " --clean {input.clean:q}"
        " --worst-cases {input.worst_cases:q}"
        " --training {input.training:q}"
        " {params.optional}"
        " {params.networks}"
        " --table {output.table:q}"
        " --text {output.text:q}"
        " --latex {output.latex:q}"
        " > {log:q} 2>&1"


rule aggregate_temperatures:
    input:
        env="envs/light.yaml",
        robust=f"{RESULTS}/tables/robust_accuracy.csv",
        clean=f"{RESULTS}/tables/clean_accuracy.csv",
        worst_cases=f"{RESULTS}/tables/worst_case.csv",
        verdicts=rules.diagnose_attacks.output.verdicts,
    output:
        table=f"{RESULTS}/tables/temperatures.csv",
        text=f"{RESULTS}/tables/temperatures.md",
        curves=f"{RESULTS}/tables/temperature_curves.csv",
    log:
        f"{RESULTS}/logs/aggregate_temperatures.log",
    benchmark:
        f"{RESULTS}/benchmarks/aggregate_temperatures.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("aggregate_temperatures"),
        code=code_of("aggregate_temperatures"),
        sweeps=temperature_sweeps_options(),
    shell:
        "python {params.program:q}"
        " --robust {input.robust:q}"
        " --clean {input.clean:q}"
        " --worst-cases {input.worst_cases:q}"
        " --verdicts {input.verdicts:q}"
        " {params.sweeps}"
        " --table {output.table:q}"
        " --text {output.text:q}"
        " --curves {output.curves:q}"
        " > {log:q} 2>&1"


rule aggregate_black_box:
    input:
        env="envs/light.yaml",
        clean=CLEAN_SUMMARIES,
        metadata=SUBSTITUTE_METADATA,
        transfer=f"{RESULTS}/tables/transfer.csv",
    output:
        table=f"{RESULTS}/tables/black_box.csv",
        text=f"{RESULTS}/tables/black_box.md",
        latex=f"{RESULTS}/tables/black_box.tex",
    log:
        f"{RESULTS}/logs/aggregate_black_box.log",
    benchmark:
        f"{RESULTS}/benchmarks/aggregate_black_box.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("aggregate_black_box"),
        code=code_of("aggregate_black_box"),
        evaluation=lambda wildcards, input: str(Path(input.clean[0]).parents[2]),
        models=lambda wildcards, input: str(Path(input.metadata[0]).parents[2]),
        pairs=black_box_options(),
    shell:
        "python {params.program:q}"
        " --evaluation-folder {params.evaluation:q}"
        " --models-folder {params.models:q}"
        " --transfer {input.transfer:q}"
        " {params.pairs}"
        " --table {output.table:q}"
        " --text {output.text:q}"
        " --latex {output.latex:q}"
        " > {log:q} 2>&1"


rule compare_published:
    input:
        env="envs/light.yaml",
        published=config["published"],
        robust=f"{RESULTS}/tables/robust_accuracy.csv",
        clean=f"{RESULTS}/tables/clean_accuracy.csv",
        training=rules.aggregate_training.output.table,
        drops=rules.aggregate_drops.output.table,
        iterations=f"{RESULTS}/tables/iterations.csv" if SWEEPS else [],
    output:
        table=f"{RESULTS}/tables/published.csv",
        text=f"{RESULTS}/tables/published.md",
    log:
        f"{RESULTS}/logs/compare_published.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_published.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("compare_published"),
        code=code_of("compare_published"),
        published=shlex.join(word for path in config["published"] for word in ("--published", path)),
        iterations=lambda wildcards, input: shlex.join(flags({"iterations": input.iterations or None})),
    shell:
        "python {params.program:q}"
        " {params.published}"
        " --robust {input.robust:q}"
        " --clean {input.clean:q}"
        " --training {input.training:q}"
        " --drops {input.drops:q}"
        " {params.iterations}"
        " --table {output.table:q}"
        " --text {output.text:q}"
        " > {log:q} 2>&1"
