# Needs: with --cache, the folder that the environment variable SNAKEMAKE_OUTPUT_CACHE names; else nothing.
# Makes: nothing by itself. With --cache, the rules above that have the param `provenance` (see common.smk) take their results
#        from that folder where a study of any clone has put the same there, and put there what they make.

import os

CACHING = workflow.workflow_settings.cache

if CACHING is not None:
    # Snakemake would notice an unusable folder only when a job has ended, and then remove what the job made.
    folder = os.environ.get("SNAKEMAKE_OUTPUT_CACHE", "")
    if not (os.path.isabs(folder) and os.path.isdir(folder) and os.access(folder, os.W_OK)):
        raise WorkflowError(
            f"--cache: the environment variable SNAKEMAKE_OUTPUT_CACHE is '{folder}': "
            "set it to the absolute path of a folder that exists and that you may write to."
        )
    cacheable = {each.name: each for each in workflow.rules if "provenance" in each.params.keys()}
    # Of other rules Snakemake would mix up results: it does not know, for example, an epsilon that is but a wildcard.
    if others := sorted(set(CACHING) - set(cacheable)):
        raise WorkflowError(
            f"--cache: {others[0]} is none of the rules that can be cached ({', '.join(cacheable)}): "
            "name some of those, or none for all; targets come before --cache."
        )
    # Jobs of a cluster are told of --cache only where it names rules.
    workflow.workflow_settings.cache = CACHING or list(cacheable)
    # A result from the cache took no time: Snakemake caches no rule with a benchmark.
    for each in cacheable.values():
        each._benchmark = None
