# Needs: the sources' mirrors.
# Makes: downloads/SOURCE/FILE, verified.


localrules:
    download_dataset,


rule download_dataset:
    input:
        env="envs/light.yaml",
    output:
        file=f"{MODELS_DIR}/downloads/{{source}}/{{file}}",
    log:
        f"{MODELS_DIR}/logs/download_dataset/{{source}}/{{file}}.log",
    benchmark:
        f"{MODELS_DIR}/benchmarks/download_dataset/{{source}}/{{file}}.tsv"
    priority: 1000  # a mirror that can't be reached shall be known before anything else is done
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(120),
    params:
        program=program("download_dataset"),
        code=code_of("download_dataset"),
        provenance=provenance,
        mirrors=mirror_options,
        checksums=lambda wildcards: shlex.join(checksum_options(wildcards)),
        content=unchecked_content,
    shell:
        "python {params.program:q}"
        " --name {wildcards.file:q}"
        " {params.mirrors}"
        " {params.checksums}"
        " --output {output.file:q}"
        " > {log:q} 2>&1"
