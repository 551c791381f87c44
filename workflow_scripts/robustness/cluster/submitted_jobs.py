"""What Snakemake's plugin for SLURM lacks: it forgets jobs that it could not ask for."""

from collections.abc import Callable


def remember_unanswered(executor) -> None:
    """Make an executor ask again for submitted jobs of which a look at the queue told nothing.

    While SLURM's controller does not answer, the plugin (2.8.0) drops all jobs that it has submitted, and Snakemake then waits
    for ever for what nobody looks after any more. Here a job is kept until it is reported as ended.
    """
    check, ended = executor.check_active_jobs, set()

    def noting(report: Callable) -> Callable:
        def noted(job, *more, **named):
            ended.add(id(job))
            return report(job, *more, **named)

        return noted

    async def checked(jobs):
        ended.clear()
        active = set()
        async for job in check(jobs):
            active.add(id(job))
            yield job
        for job in jobs:
            if id(job) not in active | ended:
                yield job

    executor.report_job_success = noting(executor.report_job_success)
    executor.report_job_error = noting(executor.report_job_error)
    executor.check_active_jobs = checked
