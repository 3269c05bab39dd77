"""environment - the machine, the software and the model, as the report names them: no host, no user, no path."""

import datetime
import importlib.metadata
import os
import platform
import re

import arrowquant

PACKAGES = ["numpy", "torch", "pyarrow", "transformers", "sentence-transformers", "pytest"]


def machine():
    """What the tests ran on, as (name, value) pairs."""
    return [
        ("Processor", f"{processor()}, {usable_cpus()} CPUs usable"),
        ("Memory", memory()),
        ("System", f"{platform.system()} {platform.release()}, {platform.machine()}"),
    ]


def software():
    """Versions, as (name, value) pairs; packages that are not installed are named as such."""
    pairs = [
        ("Python", platform.python_version()),
        ("arrowquant", f"{arrowquant.__version__}, instruction set {arrowquant.cpu_in_use()}"),
    ]
    for package in PACKAGES:
        try:
            pairs.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            pairs.append((package, "not installed"))
    return pairs


def model(name, tensors):
    """What the model is, as (name, value) pairs. `tensors` is an open arrowquant mapping."""
    params, types = 0, {}
    for tensor in tensors.values():
        params += tensor.num_params
        types[tensor.dtype] = types.get(tensor.dtype, 0) + tensor.num_params
    kinds = ", ".join(f"{count:,} in {dtype}" for dtype, count in sorted(types.items(), key=lambda t: -t[1]))
    return [("Name", name), ("Tensors", f"{len(tensors):,}"), ("Parameters", f"{params:,} ({kinds})")]


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def usable_cpus():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def memory():
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (ValueError, OSError, AttributeError):
        return "unknown"
