# Needs: tables, records, histories, adversarial sets.
# Makes: plots/**, each figure as .png and .svg.


localrules:
    plot_epsilon_curve,
    plot_comparison,
    plot_iterations,
    plot_temperatures,
    plot_published,
    plot_training,
    plot_confusion,
    plot_examples,
    plot_erasing,


rule plot_epsilon_curve:
    input:
        env="envs/light.yaml",
        curves=f"{RESULTS}/tables/curves.csv",
    output:
        png=f"{RESULTS}/plots/{{metric}}/{{dataset}}/{{curve}}.png",
        svg=f"{RESULTS}/plots/{{metric}}/{{dataset}}/{{curve}}.svg",
    log:
        f"{RESULTS}/logs/plot_epsilon_curve/{{metric}}/{{dataset}}/{{curve}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_epsilon_curve/{{metric}}/{{dataset}}/{{curve}}.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("plot_epsilon_curve"),
        code=code_of("plot_epsilon_curve"),
        title=lambda wildcards: config["plots"][f"{wildcards.metric}_title"],
        line=curve_options,
    shell:
        "python {params.program:q}"
        " --curves {input.curves:q}"
        " --metric {wildcards.metric}"
        " --dataset {wildcards.dataset:q}"
        " {params.line}"
        " --title {params.title:q}"
        " --png {output.png:q}"
        " --svg {output.svg:q}"
        " > {log:q} 2>&1"


rule plot_comparison:
    input:
        env="envs/light.yaml",
        curves=f"{RESULTS}/tables/curves.csv",
    output:
        png=f"{RESULTS}/plots/comparisons/{{comparison}}.png",
        svg=f"{RESULTS}/plots/comparisons/{{comparison}}.svg",
    log:
        f"{RESULTS}/logs/plot_comparison/{{comparison}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_comparison/{{comparison}}.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("plot_comparison"),
        code=code_of("plot_comparison"),
        options=comparison_options,
    shell:
        "python {params.program:q}"
        " --curves {input.curves:q}"
        " {params.options}"
        " --png {output.png:q}"
        " --svg {output.svg:q}"
        " > {log:q} 2>&1"


rule plot_iterations:
    input:
        env="envs/light.yaml",
        curves=f"{RESULTS}/tables/iteration_curves.csv",
    output:
        png=f"{RESULTS}/plots/iterations/{{dataset}}/{{sweep}}.png",
        svg=f"{RESULTS}/plots/iterations/{{dataset}}/{{sweep}}.svg",
    log:
        f"{RESULTS}/logs/plot_iterations/{{dataset}}/{{sweep}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_iterations/{{dataset}}/{{sweep}}.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("plot_iterations"),
        code=code_of("plot_iterations"),
        title=lambda wildcards: config["plots"]["iterations_title"],
    shell:
        "python {params.program:q}"
        " --curves {input.curves:q}"
        " --dataset {wildcards.dataset:q}"
        " --sweep {wildcards.sweep:q}"
        " --title {params.title:q}"
        " --png {output.png:q}"
        " --svg {output.svg:q}"
        " > {log:q} 2>&1"


rule plot_temperatures:
    input:
        env="envs/light.yaml",
        curves=f"{RESULTS}/tables/temperature_curves.csv",
    output:
        png=f"{RESULTS}/plots/temperatures/{{temperature_sweep}}.png",
        svg=f"{RESULTS}/plots/temperatures/{{temperature_sweep}}.svg",
    log:
        f"{RESULTS}/logs/plot_temperatures/{{temperature_sweep}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_temperatures/{{temperature_sweep}}.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("plot_temperatures"),
        code=code_of("plot_temperatures"),
        title=lambda wildcards: config["plots"]["temperatures_title"],
    shell:
        "python {params.program:q}"
        " --curves {input.curves:q}"
        " --sweep {wildcards.temperature_sweep:q}"
        " --title {params.title:q}"
        " --png {output.png:q}"
        " --svg {output.svg:q}"
        " > {log:q} 2>&1"


rule plot_published:
    input:
        env="envs/light.yaml",
        published=f"{RESULTS}/tables/published.csv",
    output:
        png=f"{RESULTS}/plots/published.png",
        svg=f"{RESULTS}/plots/published.svg",
    log:
        f"{RESULTS}/logs/plot_published.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_published.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("plot_published"),
        code=code_of("plot_published"),
    shell:
        "python {params.program:q}"
        " --published {input.published:q}"
        " --png {output.png:q}"
        " --svg {output.svg:q}"
        " > {log:q} 2>&1"


rule plot_training:
    input:
        env="envs/light.yaml",
        history=f"{MODELS_DIR}/models/{{model}}/seed{{seed}}/history.csv",
    output:
        png=f"{RESULTS}/plots/training/{{model}}/seed{{seed}}.png",
        svg=f"{RESULTS}/plots/training/{{model}}/seed{{seed}}.svg",
    log:
        f"{RESULTS}/logs/plot_training/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_training/{{model}}/seed{{seed}}.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("plot_training"),
        code=code_of("plot_training"),
        title=lambda wildcards: config["plots"]["training_title"],
    shell:
        "python {params.program:q}"
        " --history {input.history:q}"
        " --model {wildcards.model:q}"
        " --seed {wildcards.seed}"
        " --title {params.title:q}"
        " --png {output.png:q}"
        " --svg {output.svg:q}"
        " > {log:q} 2>&1"


rule plot_confusion:
    input:
        env="envs/light.yaml",
        confusion=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/confusion.csv",
    output:
        png=f"{RESULTS}/plots/confusion/{{model}}/seed{{seed}}.png",
        svg=f"{RESULTS}/plots/confusion/{{model}}/seed{{seed}}.svg",
    log:
        f"{RESULTS}/logs/plot_confusion/{{model}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_confusion/{{model}}/seed{{seed}}.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("plot_confusion"),
        code=code_of("plot_confusion"),
        title=lambda wildcards: config["plots"]["confusion_title"],
    shell:
        "python {params.program:q}"
        " --confusion {input.confusion:q}"
        " --model {wildcards.model:q}"
        " --seed {wildcards.seed}"
        " --title {params.title:q}"
        " --png {output.png:q}"
        " --svg {output.svg:q}"
        " > {log:q} 2>&1"


rule plot_examples:
    input:
        env="envs/light.yaml",
        images=model_file("evaluation.npz"),
        info=model_file("dataset.json"),
        adversarial=f"{RESULTS}/adversarial/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.npz",
        clean=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/clean.csv",
        attacked=f"{RESULTS}/evaluation/{{model}}/seed{{seed}}/attacks/{{attack}}.csv",
    output:
        png=f"{RESULTS}/plots/examples/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.png",
        svg=f"{RESULTS}/plots/examples/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.svg",
    log:
        f"{RESULTS}/logs/plot_examples/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_examples/{{model}}/seed{{seed}}/{{attack}}/eps{{epsilon}}.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("plot_examples"),
        code=code_of("plot_examples"),
        title=lambda wildcards: config["plots"]["examples_title"],
        n=config["plots"]["examples"],
    shell:
        "python {params.program:q}"
        " --images {input.images:q}"
        " --info {input.info:q}"
        " --adversarial {input.adversarial:q}"
        " --clean-records {input.clean:q}"
        " --attack-records {input.attacked:q}"
        " --model {wildcards.model:q}"
        " --n {params.n}"
        " --title {params.title:q}"
        " --png {output.png:q}"
        " --svg {output.svg:q}"
        " > {log:q} 2>&1"


rule plot_erasing:
    input:
        env="envs/light.yaml",
        train=f"{MODELS_DIR}/datasets/{{dataset}}/train.npz",
        schedule=f"{MODELS_DIR}/datasets/{{dataset}}/erasing.npz",
        info=f"{MODELS_DIR}/datasets/{{dataset}}/dataset.json",
    output:
        png=f"{RESULTS}/plots/erasing/{{dataset}}.png",
        svg=f"{RESULTS}/plots/erasing/{{dataset}}.svg",
    log:
        f"{RESULTS}/logs/plot_erasing/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_erasing/{{dataset}}.tsv"
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=grown(10),
    params:
        program=program("plot_erasing"),
        code=code_of("plot_erasing"),
    shell:
        "python {params.program:q}"
        " --train {input.train:q}"
        " --schedule {input.schedule:q}"
        " --info {input.info:q}"
        " --png {output.png:q}"
        " --svg {output.svg:q}"
        " > {log:q} 2>&1"
