"""What the Python package has of the table of options: arguments, their documentation, and the dict for the library.

In python/arrowquant/api.py these parts of a function are made here: the arguments after `*`, the entries of Args after
those of the other arguments, and the literal of `options`.
"""

from __future__ import annotations

import ast
import dataclasses
import keyword
import re
import textwrap

from option_table import Option, read_options

OWNERS = {
    "convert": ("convert", "table", "run"),
    "quantize": ("quantize", "search", "table", "run"),
    "export": ("export", "run"),
    "compare": ("compare", "run"),
    "info": ("info", "run"),
    "verify": ("verify", "run"),
    "validate": ("validate", "run"),
    "perplexity": ("perplexity", "run"),
}
EXPLAINED_IN = "convert"  # what the options are that all operations have
PATHS = ("FILE", "DIR", "TABLE", "MODEL")  # an argument of these is a path


@dataclasses.dataclass
class Argument:
    """An argument of a function. `entry` is its line in the dict for the library."""

    name: str
    annotation: str
    default: str
    entry: str
    text: str = ""


PATTERNS = "str | Iterable[str]"
# Members whose argument takes more than the command's option, or says it in another way.
SPECIAL = {
    "calib_texts": None,  # an argument stands for both members
    "texts": None,
    "type": Argument("type", "str | None", "None", '"type": type,'),
    "symmetry": Argument(
        "symmetric",
        "bool | None",
        "None",
        '"symmetry": {None: 0, True: 1, False: 2}[symmetric if symmetric is None else bool(symmetric)],',
        "whether zero points are 0 (default: for int8 only)",
    ),
    "calib": Argument(
        "calib",
        "Path | Iterable[str] | None",
        "None",
        '**_calibration.text_options("calib", calib, "calib", "calib_texts"),',
        'calibration texts: "builtin" (default for an encoder that can be run), the path of a file with one text per '
        'line or JSONL with a member text, the texts themselves (at least 40, better thousands), "self": texts that a '
        'language model writes itself (a file of that name is "./self"), or "none": data-free, from the tensors alone. '
        'Used with a target or "gptq"',
    ),
    "tune_seconds": Argument(
        "tune",
        "bool | float",
        "False",
        '"tune_seconds": tune,',
        "after a target is met, tune codes and scales by gradient descent for this number of seconds (True: 300). The "
        "result depends on the speed of the machine",
    ),
    "activations": Argument(
        "activations",
        "Activations | None",
        "None",
        '"activations": _calibration.inputs("activations", activations),',
        'for "gptq", inputs of layers: a mapping from names of weights to floating-point arrays of NumPy or torch, '
        "whose last axis has the length of a row of the weight",
    ),
    "tensor_rules": Argument(
        "tensor",
        f"{PATTERNS} | Mapping[str, str]",
        "()",
        '"tensor_rules": _rules(tensor),',
        'rules "PATTERN=SPEC", or a mapping from patterns to specs; later ones win. A pattern is an exact name, a glob '
        'over the whole name, or "re:REGEX". A spec is a list such as "int4,per=group,group=32,asym,method=mse", or '
        '"keep"',
    ),
    "keep_patterns": Argument(
        "keep",
        PATTERNS,
        "()",
        '"keep_patterns": _texts("keep", keep),',
        "patterns of tensors that are not quantized; takes precedence over `tensor`",
    ),
    "strict": Argument(
        "strict",
        "bool",
        "False",
        '"strict": strict,',
        "fail when a matrix would not be quantized and none of your rules keeps it",
    ),
    "min_cosine": Argument(
        "min_cosine",
        "float | None",
        "None",
        '"min_cosine": min_cosine,',
        "minimum of the mean cosine of the quantized tensors, 0 to 1 (default: none)",
    ),
    "no_outputs": Argument(
        "outputs",
        "bool",
        "True",
        '"no_outputs": not outputs,',
        "run the model and compare its embeddings of texts, when it can be run. When it cannot, passing `texts`, "
        "`labels` or `folder` is an error",
    ),
    "texts_file": Argument(
        "texts",
        "Path | Iterable[str] | None",
        "None",
        '**_calibration.text_options("texts", texts, "texts_file", "texts"),',
        "evaluation texts: the path of a file with one text per line or JSONL with a member text, or the texts "
        "themselves (default: built-in texts)",
    ),
    "types": Argument(
        "types",
        PATTERNS,
        '"int8,int4,int2"',
        '"types": types if isinstance(types, str) else ",".join(_texts("types", types)),',
        "types to try, as a list or separated by commas",
    ),
    "output_dir": Argument(
        "output_dir", "Path", '"validation_results"', '"output_dir": os.fsencode(output_dir),', "folder for the reports"
    ),
}
PROGRESS = Argument(
    "progress",
    "ProgressCallback | None",
    "None",
    "",
    "called with a `Progress`; an exception from it stops the job, which then leaves no output",
)


def _literal(words: list[str]) -> str:
    return "Literal[" + ", ".join(f'"{word}"' for word in words) + "]"


def argument_of(option: Option, member: str) -> Argument | None:
    """The argument for a member; None when another one stands for it."""
    if member in SPECIAL:
        return SPECIAL[member]
    name = option.keyword
    assert name is not None, f"{member}: scripts/option_python.py does not say what its argument is"
    if keyword.iskeyword(name):  # --for
        name = member
    if option.kind == "FLAG":
        return Argument(name, "bool", "False", f'"{member}": {name},')
    if option.kind == "SIZE":
        return Argument(name, "Size", "0", f'"{member}": {name},')
    if option.kind == "UINT":
        return Argument(name, "int", "0", f'"{member}": {name},')
    if option.kind == "REAL":
        return Argument(name, "float | None", "None", f'"{member}": {name},')
    if option.kind == "ENUM":
        numbers = "{" + ", ".join(f'"{word}": {i}' for i, word in enumerate(option.words)) + "}"
        entry = f'"{member}": _choice("{name}", {name}, {numbers}),'
        return Argument(name, _literal(option.words), f'"{option.words[0]}"', entry)
    if option.argument in PATHS:
        return Argument(name, "Path | None", "None", f'"{member}": _optional_path({name}),')
    annotation = _literal(option.values) if option.values else "str"
    return Argument(name, f"{annotation} | None", "None", f'"{member}": {name},')


def _in_python(option: Option, name: str) -> str:
    """The text of the table with arguments in place of options, and words as Python writes them."""

    others = {option.argument: f"`{name}`", "OUT": "the output", "DIR": "`output_dir`", "SRC": "the source"}

    def replaced(match: re.Match[str]) -> str:
        word = match[0]
        if word.startswith("--"):
            return "`" + word[2:].replace("-", "_") + "`"
        if word in option.words:
            return f'"{word}"'
        return others.get(word, word)

    text = f"{option.help}. {option.more}".removesuffix(". ").removesuffix(".")
    return re.sub(r"--[a-z][\w-]*|(?<![\w:.-])\w+(?![\w-])", replaced, text.replace(" (-o may be left out)", ""))


def arguments(function: str) -> list[tuple[str, Argument]]:
    """(owner, argument) in the order of the table."""
    found: dict[str, tuple[str, Argument]] = {}
    for option in read_options():
        owner = next((o for o in OWNERS[function] if o in option.at), None)
        argument = argument_of(option, option.at[owner]) if owner is not None else None
        if owner is None or argument is None:
            continue
        text = argument.text or _in_python(option, argument.name)
        found.setdefault(argument.entry, (owner, dataclasses.replace(argument, text=text)))
    common = ("table", "run")
    return sorted(found.values(), key=lambda item: common.index(item[0]) + 1 if item[0] in common else 0)


def signature_lines(function: str) -> list[str]:
    given = [argument for _, argument in arguments(function)] + [PROGRESS]
    return [f"    {a.name}: {a.annotation} = {a.default}," for a in given]


def document_lines(function: str) -> list[str]:
    lines, elsewhere = [], []
    for owner, argument in [*arguments(function), ("run", PROGRESS)]:
        if owner in ("table", "run") and function != EXPLAINED_IN:
            elsewhere.append(argument.name)
            continue
        entry = f"{argument.name}: {argument.text}."
        lines += textwrap.wrap(entry, 120, initial_indent=" " * 8, subsequent_indent=" " * 12, break_on_hyphens=False)
    return lines + ([f"        {', '.join(elsewhere)}: as in `{EXPLAINED_IN}`."] if elsewhere else [])


def dict_lines(function: str) -> list[str]:
    body = [f"        {argument.entry}" for _, argument in arguments(function)]
    return ["    options: dict[str, Any] = {", *body, "    }"]


def _replace_in(node: ast.FunctionDef, lines: list[str]) -> list[tuple[int, int, list[str]]]:
    """(first line, line after the last, what stands there instead), lines counted from 0."""
    document = node.body[0]
    assert isinstance(document, ast.Expr)
    star = next(i for i in range(node.lineno, document.lineno) if lines[i] == "    *,")
    close = next(i for i in range(star, document.lineno) if lines[i].startswith(") ->"))
    last = node.args.args[-1].arg  # its entry is one line, or several that are indented further
    entry = re.compile(rf" {{8}}([\w, ]*, )?{last}: ")
    first = next(i for i in range(document.lineno, document.end_lineno) if entry.match(lines[i]))
    first = next(i for i in range(first + 1, document.end_lineno) if not lines[i].startswith(" " * 12))
    blank = next(i for i in range(first, document.end_lineno) if not lines[i].strip())
    literal = next(n for n in node.body if isinstance(n, ast.AnnAssign) and ast.unparse(n.target) == "options")
    return [
        (star + 1, close, signature_lines(node.name)),
        (first, blank, document_lines(node.name)),
        (literal.lineno - 1, literal.end_lineno, dict_lines(node.name)),
    ]


def api_module(text: str) -> str:
    lines = text.split("\n")
    nodes = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name in OWNERS]
    for node in reversed(nodes):
        for first, end, new in reversed(_replace_in(node, lines)):
            lines[first:end] = new
    return "\n".join(lines)


def keywords_module(_: str) -> str:
    """The arguments for members that hints of the library name."""
    names: dict[str, str] = {}
    for owners in OWNERS.values():
        for option in read_options():
            for member in (option.at[owner] for owner in owners if owner in option.at):
                argument = argument_of(option, member)
                if argument is not None:
                    names.setdefault(member, argument.name)
    different = {member: name for member, name in sorted(names.items()) if member != name}
    body = "".join(f'    "{member}": "{name}",\n' for member, name in different.items())
    return (
        '"""Members of the options of the library and their arguments in this package, where the two differ.\n\n'
        'Made by scripts/generate-options.\n"""\n\n'
        f"KEYWORDS = {{\n{body}}}\n"
    )
