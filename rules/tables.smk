# Needs: every summary of the study, the verdicts.
# Makes: tables/{robust_accuracy,clean_accuracy,worst_case,transfer}.{csv,md,tex}; tables/curves.csv for the figures
#        against epsilon; tables/comparisons.csv and tables/findings.md, what each defence changed.

NAMES = ("robust_accuracy", "clean_accuracy", "worst_case", "transfer")
AGGREGATED = [f"{name}.{suffix}" for name in NAMES for suffix in ("csv", "md", "tex")] + ["curves.csv"]
TABLES = AGGREGATED + ["verdicts.csv", "verdicts.md", "comparisons.csv", "findings.md"]


localrules:
    aggregate_tables,
    write_findings,


rule aggregate_tables:
    input:
        program=program("aggregate_tables"),
        modules=modules("aggregate_tables"),
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
        # The runs in a compact form: thousands of file names would be too long for a command line.
        evaluation=lambda wildcards, input: str(Path(input.clean[0]).parents[2]),
        folder=lambda wildcards, output: str(Path(output.tables[0]).parent),
        runs=runs_options(),
    shell:
        "python {input.program:q}"
        " --evaluation-folder {params.evaluation:q}"
        " {params.runs}"
        " --verdicts {input.verdicts:q}"
        " --output-folder {params.folder:q}"
        " > {log:q} 2>&1"


rule write_findings:
    input:
        program=program("write_findings"),
        modules=modules("write_findings"),
        env="envs/light.yaml",
        clean=CLEAN_SUMMARIES,
        attacks=ATTACK_SUMMARIES,
        worst_cases=expand("{worst_case}.{suffix}", worst_case=WORST_CASES, suffix=["csv", "json"]),
        verdicts=rules.diagnose_attacks.output.verdicts,
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
        evaluation=lambda wildcards, input: str(Path(input.clean[0]).parents[2]),
        runs=runs_options(),
        options=findings_options(),
    shell:
        "python {input.program:q}"
        " --evaluation-folder {params.evaluation:q}"
        " {params.runs}"
        " {params.options}"
        " --verdicts {input.verdicts:q}"
        " --comparisons {output.comparisons:q}"
        " --findings {output.findings:q}"
        " > {log:q} 2>&1"
