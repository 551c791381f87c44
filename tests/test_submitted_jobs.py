"""No submitted job is forgotten, whatever a look at the queue tells."""

import asyncio

import pytest

from robustness.cluster.submitted_jobs import remember_unanswered


class Executor:
    """Looks at jobs as the plugin for SLURM does: a look tells the state of each, or of all nothing."""

    def __init__(self, look: dict[str, str] | None):
        self.look, self.reported = look, []

    def report_job_success(self, job):
        self.reported.append((job, "success"))

    def report_job_error(self, job, msg=None):
        self.reported.append((job, msg))

    async def check_active_jobs(self, jobs):
        for job in jobs if self.look is not None else []:
            if self.look[job] == "COMPLETED":
                self.report_job_success(job)
            elif self.look[job] == "FAILED":
                self.report_job_error(job, msg="failed")
            else:
                yield job


@pytest.mark.parametrize(
    ("look", "active", "reported"),
    [
        (None, ["1", "2", "3"], []),
        ({"1": "RUNNING", "2": "PENDING", "3": "RUNNING"}, ["1", "2", "3"], []),
        ({"1": "COMPLETED", "2": "RUNNING", "3": "FAILED"}, ["2"], [("1", "success"), ("3", "failed")]),
        ({"1": "COMPLETED", "2": "COMPLETED", "3": "COMPLETED"}, [], [(job, "success") for job in "123"]),
    ],
    ids=["no answer", "all wait or run", "some have ended", "all have ended"],
)
def test_jobs_stay_until_they_are_reported(look, active, reported):
    executor = Executor(look)
    remember_unanswered(executor)

    async def after_a_look(jobs):
        return [job async for job in executor.check_active_jobs(jobs)]

    for _ in range(2):  # what one look told is no matter for the next
        executor.reported.clear()
        assert asyncio.run(after_a_look(["1", "2", "3"])) == active
        assert executor.reported == reported
