"""The memory that a program took at its peak, measured in a small process in between: a child begins with the memory of the
one that forks it, and that of a test runner is large."""
import json
import subprocess
import sys

MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
print(json.dumps([done.returncode, done.stderr, peak]))
"""


def peak_memory(command, *args, cwd=None, env=None):
    """Exit status, what was said on standard error, and the largest resident memory of a run, in bytes."""
    done = subprocess.run([sys.executable, "-S", "-c", MEASURE, command, *map(str, args)], cwd=cwd, env=env,
                          capture_output=True, check=True)
    return json.loads(done.stdout)
