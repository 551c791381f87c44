from snakemake.utils import min_version

min_version("9.0")


include: "rules/common.smk"
include: "rules/download.smk"
include: "rules/preprocess.smk"
include: "rules/train.smk"
include: "rules/attack.smk"
include: "rules/evaluate.smk"
include: "rules/diagnose.smk"
include: "rules/tables.smk"
include: "rules/plots.smk"


rule all:
    default_target: True
    input:
        expand("{results}/tables/{name}", results=RESULTS, name=TABLES),
        expand("{results}/plots/{plot}.{suffix}", results=RESULTS, plot=all_plots(), suffix=["png", "svg"]),
