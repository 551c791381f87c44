# Needs: every summary of the study.
# Makes: tables/robust_accuracy.{csv,md,tex} and tables/clean_accuracy.{csv,md,tex}; tables/curves.csv for
#        the figures against epsilon.

TABLES = [f"{name}.{suffix}" for name in ("robust_accuracy", "clean_accuracy") for suffix in ("csv", "md", "tex")]
TABLES += ["curves.csv"]


localrules:
    aggregate_tables,


rule aggregate_tables:
    input:
        program=program("aggregate_tables"),
        modules=modules("aggregate_tables"),
        env="envs/light.yaml",
        attacks=ATTACK_SUMMARIES,
        clean=CLEAN_SUMMARIES,
    output:
        tables=expand("{results}/tables/{name}", results=RESULTS, name=TABLES),
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
        " --output-folder {params.folder:q}"
        " > {log:q} 2>&1"
