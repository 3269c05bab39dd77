"""suite - runs the integration tests in a process of their own and shows how far they are.

What pytest prints is kept in a file: the screen is for the summary. On a terminal a line on standard error counts the
tests that are done.
"""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

TESTS = "tests/integration/test_quantization_e2e.py"
DONE = re.compile(r"::(\w+) (PASSED|FAILED|ERROR|SKIPPED)")
NO_TESTS_RAN = (2, 3, 4, 5)  # pytest's statuses: interrupted, internal error, usage error, nothing collected


@dataclass(frozen=True)
class Run:
    status: int  # pytest's exit status; negative: the signal that ended it
    seconds: float
    results: str  # pytest-json-report's file
    log: str  # what pytest printed

    @property
    def passed(self):
        return self.status == 0

    @property
    def broke(self):
        """It ended before its tests did."""
        return self.status < 0 or self.status in NO_TESTS_RAN


def command(model_dir, output_dir, results, timeout):
    return [
        sys.executable,
        "-m",
        "pytest",
        TESTS,
        "-v",
        "--tb=short",
        "--color=no",
        "-p",
        "no:cacheprovider",
        f"--timeout={timeout:g}",
        f"--model-path={model_dir}",
        f"--output-dir={output_dir}",
        "--json-report",
        f"--json-report-file={results}",
        "--json-report-omit",
        "keywords",
        "collectors",
        "streams",
        "log",
    ]


def run(root, model_dir, output_dir, timeout):
    """Runs the tests on the model in `model_dir`. Files go to `output_dir`, an absolute path that exists."""
    results, log = os.path.join(output_dir, "test_results.json"), os.path.join(output_dir, "pytest_output.txt")
    for stale in (results, log):
        if os.path.exists(stale):
            os.remove(stale)
    start = time.monotonic()
    with (
        open(log, "w", encoding="utf-8") as copy,
        subprocess.Popen(
            command(model_dir, output_dir, results, timeout),
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        try:
            follow(process.stdout, copy)
        except BaseException:  # Ctrl-C: the tests got it too, but wait for nothing
            process.kill()
            raise
    return Run(process.returncode, time.monotonic() - start, results, log)


def follow(lines, copy):
    """Copies pytest's lines to `copy`, and counts finished tests on a terminal."""
    show = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    total, done = "?", set()
    for line in lines:
        copy.write(line)
        if found := re.match(r"collected (\d+) item", line):
            total = found[1]
        if (found := DONE.search(line)) and show:
            done.add(found[1])
            print(f"\r\033[K  {len(done)}/{total} {found[1]}", end="", file=sys.stderr, flush=True)
    if show:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
