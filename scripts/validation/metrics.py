"""metrics - reads the measured numbers out of the tests' JSON report.

A test records what it measured as user properties; pytest-json-report stores them with the test as a list of objects of
one key. A test that failed after measuring has its numbers there too.
"""

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Test:
    name: str  # "TestAccuracyValidation::test_int8_accuracy_target"
    outcome: str  # "passed", "failed", "error", "skipped"
    seconds: float
    message: str  # why it failed; empty when it passed


@dataclass(frozen=True)
class Results:
    tests: list[Test] = field(default_factory=list)
    metrics: dict = field(default_factory=dict)

    def count(self, outcome):
        return sum(t.outcome == outcome for t in self.tests)

    @property
    def failed(self):
        return [t for t in self.tests if t.outcome != "passed"]


def read(path):
    """The results in the file of pytest-json-report; empty results when there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except FileNotFoundError:
        return Results()
    tests, metrics = [], {}
    for entry in document.get("tests", []):
        stages = [entry[s] for s in ("setup", "call", "teardown") if s in entry]
        tests.append(
            Test(
                name=entry["nodeid"].split("::", 1)[-1],
                outcome=entry["outcome"],
                seconds=sum(s.get("duration", 0) for s in stages),
                message=failure_of(stages),
            )
        )
        for measured in entry.get("user_properties", []):
            metrics.update(measured)
    return Results(tests, metrics)


def failure_of(stages):
    """The message of the first stage that failed, without the traceback where there is a message."""
    for stage in stages:
        if stage.get("outcome") in ("failed", "error"):
            return stage.get("crash", {}).get("message") or stage.get("longrepr", "")
        if stage.get("outcome") == "skipped":
            return stage.get("longrepr", "")
    return ""
