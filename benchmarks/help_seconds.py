"""Seconds that each program takes to answer --help: the median and the largest of five runs. Prints; judges nothing.

Run from the clone's root: .venv/bin/python benchmarks/help_seconds.py
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

for program in sorted(Path("workflow_scripts").glob("*.py")):
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, program, "--help"], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    print(f"{statistics.median(seconds):6.2f} {max(seconds):6.2f}  {program.stem}")
