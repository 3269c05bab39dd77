"""diagnose - recognises why a test failed, and says what to do, in the words of the validation guide."""

import re
import signal
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    title: str  # the guide's name of the problem
    messages: tuple[str, ...]  # what happened, and in which test
    remedies: tuple[str, ...]

    def lines(self):
        return [*(f"{self.title}: {m}" for m in self.messages), *(f"  - {r}" for r in self.remedies)]


MEMORY = (
    "close other applications",
    'use the CPU only: set CUDA_VISIBLE_DEVICES=""',
    "run the tests one at a time: pytest tests/integration/test_quantization_e2e.py::CLASS::TEST",
    "in your own code: read layer by layer with WeightLoader.get_layer(), and limit working memory with "
    "arrowquant.quantize(..., max_memory='1GB', threads=1)",
)
TIME = (
    "increase the timeout: --timeout=600 (the script and pytest take it)",
    "run the tests one at a time: pytest tests/integration/test_quantization_e2e.py::CLASS::TEST",
    "check system resources (CPU/memory): see whether the machine is busy",
)
PLUGINS = ("install what the tests need: pip install -r requirements.txt",)

OUT_OF_MEMORY = re.compile(
    r"out of memory|MemoryError|not enough memory|memory limit|cannot allocate memory|std::bad_alloc", re.IGNORECASE
)
TIMED_OUT = re.compile(r"Timeout \(?>?\s*([\d.]+)\s*s?\)? ?from pytest-timeout", re.IGNORECASE)


def of_test(test):
    """The known problem behind a failed test, or None: then its own message says it."""
    if found := TIMED_OUT.search(test.message):
        return Problem("Tests Timeout", (f"pytest timeout after {float(found[1]):g}s: {test.name}",), TIME)
    if OUT_OF_MEMORY.search(test.message):
        return Problem("Out of Memory", (f"{test.name}: {first_line(test.message)}",), MEMORY)
    return None


def of_run(run, results):
    """The problem that ended the tests before their end, or None."""
    if not run.broke and results.tests:
        return None
    if run.status == -signal.SIGKILL:
        return Problem("Out of Memory", ("the tests were killed, which the system does when memory runs out",), MEMORY)
    said = tail(run.log)
    if found := TIMED_OUT.search(said):
        return Problem("Tests Timeout", (f"pytest timeout after {float(found[1]):g}s",), TIME)
    if OUT_OF_MEMORY.search(said):
        return Problem("Out of Memory", (first_line(OUT_OF_MEMORY_LINE.search(said)[0]),), MEMORY)
    if "No module named" in said or "unrecognized arguments" in said:
        return Problem("Tests did not run", (last_line(said),), PLUGINS)
    how = f"signal {-run.status}" if run.status < 0 else f"exit status {run.status}"
    return Problem("Tests did not run", (f"pytest ended with {how}: {last_line(said)}",), (f"read {run.log}",))


def merged(problems):
    """The problems, those that have the same remedies as one."""
    found = {}
    for p in problems:
        if p is not None:
            found.setdefault((p.title, p.remedies), []).extend(p.messages)
    return [Problem(title, tuple(messages), remedies) for (title, remedies), messages in found.items()]


OUT_OF_MEMORY_LINE = re.compile(rf".*(?:{OUT_OF_MEMORY.pattern}).*", re.IGNORECASE)


def first_line(text):
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error|No module", line, re.IGNORECASE)]
    return (errors or lines or ["nothing was printed"])[-1]


def tail(path, limit=20_000):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()[-limit:]
    except OSError:
        return ""
