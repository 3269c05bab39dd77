#!/usr/bin/env python3
"""run_quantization_validation.py - validates int8 and int2 quantization on a real model and writes the reports.

    python scripts/run_quantization_validation.py [--model minilm|qwen] [--model-path DIR] [--output-dir DIR]

Finds the model, runs tests/integration/test_quantization_e2e.py on it, holds what the tests measured against the
acceptance criteria (scripts/validation/targets.py) and writes

    OUTPUT_DIR/test_results.json            the tests' report (pytest-json-report), measured numbers included
    OUTPUT_DIR/validation_summary.md        figures and criteria on a page
    docs/QUANTIZATION_VALIDATION_REPORT.md  the detailed report

Exit status: 0 when every test passed and every criterion is met; 1 when not, or when the tests could not be run (no
model, no memory, ...); 2 when the command line is wrong; 130 when interrupted. docs/VALIDATION_GUIDE.md explains the
results.
"""

import argparse
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from validation import diagnose, metrics, models, report, suite, targets  # noqa: E402

RULE = "=" * 80


def parse(arguments):
    parser = argparse.ArgumentParser(
        description="Validates int8 and int2 quantization on a real model.",
        epilog="Exit status: 0 all criteria passed, 1 not, 2 usage, 130 interrupted.",
    )
    parser.add_argument(
        "--model", choices=sorted(models.MODELS), default="minilm", help="model to test (default: minilm)"
    )
    parser.add_argument("--model-path", metavar="DIR", help="folder or file of the model, instead of looking for it")
    parser.add_argument(
        "--output-dir",
        metavar="DIR",
        default="validation_results",
        help="where results go (default: validation_results)",
    )
    parser.add_argument(
        "--report",
        metavar="FILE",
        default=str(ROOT / "docs" / "QUANTIZATION_VALIDATION_REPORT.md"),
        help="the detailed report (default: docs/QUANTIZATION_VALIDATION_REPORT.md)",
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=positive, default=600, help="time limit of each test (default: 600)"
    )
    return parser.parse_args(arguments)


def positive(text):
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be more than 0, is {text}")
    return value


def shown(path):
    """A path as the reader knows it: relative to the project where it lies there."""
    absolute = pathlib.Path(path).resolve()
    return str(absolute.relative_to(ROOT)) if absolute.is_relative_to(ROOT) else str(path)


def banner(title):
    print(f"{RULE}\n{title}\n{RULE}", flush=True)


def test(options, model_dir):
    """Runs the tests; returns the document that the reports are made from."""
    output = pathlib.Path(options.output_dir).resolve()
    print(f"Running tests: {suite.TESTS}", flush=True)
    run = suite.run(ROOT, model_dir, output, options.timeout)
    results = metrics.read(run.results)
    if run.passed:
        print("Tests completed successfully!")
    elif not results.tests:
        print("Tests could not be run!")
    else:
        print(f"Tests completed with failures: {len(results.failed)} of {len(results.tests)} did not pass")
    print(f"Execution time: {run.seconds:.2f}s\n\nExtracting metrics...")
    problems = diagnose.merged([diagnose.of_run(run, results), *map(diagnose.of_test, results.failed)])
    print("Validating acceptance criteria...")
    return report.Document(
        model=models.describe(options.model, options.model_path, model_dir),
        results=results,
        verdicts=targets.judge(results.metrics),
        problems=problems,
        seconds=run.seconds,
    )


def write(options, document):
    summary = pathlib.Path(options.output_dir, "validation_summary.md")
    summary.write_text(report.summary(document), encoding="utf-8")
    detailed = pathlib.Path(options.report)
    detailed.parent.mkdir(parents=True, exist_ok=True)
    detailed.write_text(report.detailed(document), encoding="utf-8")
    return summary, detailed


def conclude(document, summary, detailed):
    """The closing block, and for a failure what failed and what to do."""
    print()
    banner("Validation Summary")
    print(document.headline())
    for line in report.predictions(document.results.metrics):
        print(line)
    for problem in document.problems:
        print("\n" + "\n".join(problem.lines()))
    known = "\n".join(m for p in document.problems for m in p.messages)
    for failed in document.results.failed:
        if failed.name not in known:
            print(f"\n{failed.outcome.upper()} {failed.name}\n  {failed.message.strip()}")
    print(f"\nFull report: {shown(summary)}\nDetailed report: {shown(detailed)}\n{RULE}", flush=True)


def main(arguments=None):
    options = parse(arguments)
    banner("Quantization Validation Test Suite")
    where = f" at {options.model_path}" if options.model_path else ""
    print(f"Model: {options.model}{where}\nOutput directory: {options.output_dir}\n", flush=True)
    try:
        os.makedirs(options.output_dir, exist_ok=True)
        model_dir = models.find(options.model, options.model_path)
        document = test(options, model_dir)
        print("Generating summary report...")
        conclude(document, *write(options, document))
    except models.Unavailable as problem:
        print(f"{problem}", file=sys.stderr)
        return 1
    except OSError as problem:
        print(f"run_quantization_validation: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nrun_quantization_validation: interrupted", file=sys.stderr)
        return 130
    return 0 if document.passed else 1


if __name__ == "__main__":
    sys.exit(main())
