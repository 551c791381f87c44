"""Python runs this at its start where the folder is on its path: at its end each program writes its peak of memory.

The operating system counts the peak; Snakemake's own measure is a sample every half a minute, which misses short ones.
"""

import atexit
import os
import resource
import sys
from pathlib import Path


def write_peak() -> None:
    """A file a process: the program's name and its peak in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    Path(os.environ["PEAKS_FOLDER"], f"{os.getpid()}.txt").write_text(f"{Path(sys.argv[0]).stem} {peak:.0f}")


if "PEAKS_FOLDER" in os.environ:
    atexit.register(write_peak)
