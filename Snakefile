import gc

from snakemake.utils import min_version

min_version("9.0")

# A plan is made of millions of objects that all stay. Python would search them for unreachable ones after each 700 new
# ones, which takes an eighth of the time of a large plan.
gc.set_threshold(100_000)


include: "rules/common.smk"


if "container" in config:

    container: config["container"]


include: "rules/download.smk"
include: "rules/preprocess.smk"
include: "rules/train.smk"
include: "rules/attack.smk"
include: "rules/evaluate.smk"
include: "rules/diagnose.smk"
include: "rules/tables.smk"
include: "rules/plots.smk"
include: "rules/cache.smk"


onstart:
    # Snakemake's limit of 100 starts a second makes it look at all waiting jobs again a second after each look, and once
    # more for every job that has ended: with hundreds of jobs a fifth of a core. A cluster's queue keeps the limit.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
    else:
        remember_unanswered(workflow.scheduler._executor)


rule all:
    default_target: True
    input:
        expand("{results}/tables/{name}", results=RESULTS, name=TABLES),
        expand("{results}/plots/{plot}.{suffix}", results=RESULTS, plot=all_plots(), suffix=["png", "svg"]),
