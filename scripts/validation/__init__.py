"""validation - the parts of scripts/run_quantization_validation.py.

targets      what is demanded of the measured numbers, and what to do when they fall short; the tests use it too
suite        runs the tests in a process of their own
metrics      reads the measured numbers from the tests' JSON report
diagnose     recognises why a test failed: no model, no memory, no time
environment  the machine, the software and the model
wording      numbers and tables as people read them
models       finds the model to test; hub and model_package are two places where it may be
advice       recommendations that follow from the measured numbers
report       the two Markdown files
"""
