"""What the integration tests share: the model, its tables, and a place for measured numbers.

The tables are made once a session and only when a test asks for them. Measured numbers go into the report of
pytest-json-report as user properties, where scripts/run_quantization_validation.py reads them, and with --output-dir
into OUTPUT_DIR/measurements.json.
"""

import json
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from validation import models, targets  # noqa: E402

MEASURED = pytest.StashKey[dict]()


def pytest_addoption(parser):
    group = parser.getgroup("arrowquant")
    group.addoption("--model", choices=sorted(models.MODELS), default="minilm", help="model to test (default: minilm)")
    group.addoption("--model-path", metavar="DIR", help="folder or file of the model, instead of looking for it")
    group.addoption("--output-dir", metavar="DIR", help="folder for measurements.json")


def pytest_configure(config):
    config.stash[MEASURED] = {}


def pytest_sessionfinish(session):
    folder = session.config.getoption("--output-dir", None)
    if folder and not session.config.option.collectonly:
        path = pathlib.Path(folder, "measurements.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(session.config.stash[MEASURED], indent=2) + "\n", encoding="utf-8")


class Measured:
    """Numbers that a test measured: recorded first, so that they are in the report whatever comes of it."""

    def __init__(self, record_property, store):
        self.record_property, self.store, self.numbers = record_property, store, {}

    def record(self, numbers):
        for metric, value in numbers.items():
            self.numbers[metric] = self.store[metric] = value
            self.record_property(metric, value)

    def require(self, metric, *details):
        """Fails when a recorded number misses a target; `details` say why."""
        __tracebackhide__ = True
        targets.require(metric, self.numbers.get(metric), *details)


@pytest.fixture
def measured(record_property, pytestconfig):
    return Measured(record_property, pytestconfig.stash[MEASURED])


@pytest.fixture(scope="session")
def model_dir(pytestconfig):
    """Folder of the model. A model that cannot be had is a failure that says what was tried, and no skip."""
    option = pytestconfig.getoption
    try:
        return pathlib.Path(models.find(option("--model", "minilm"), option("--model-path", None)))
    except models.Unavailable as problem:
        pytest.fail(str(problem), pytrace=False)


@pytest.fixture(scope="session")
def pipeline(model_dir, tmp_path_factory):
    from quantization_pipeline import Pipeline

    return Pipeline(model_dir, tmp_path_factory.mktemp("tables"))
