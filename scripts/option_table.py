"""The table of options, src/options/option_table.c, as Python data."""

from __future__ import annotations

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "src" / "options" / "option_table.c"
COMMON_TITLES = ("Table options", "Common options")

_LINE = re.compile(r"^    \{(.*?)\},$(?=\n    \{|\n\n)", re.S | re.M)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PLACE = re.compile(r"AT(?:_COUNTED)?\((\w+), (\w+)")


@dataclasses.dataclass
class Option:
    title: str  # of its group
    name: str | None  # without the dashes; None: the command has no such option
    letter: str
    kind: str  # "FLAG", "TEXT", ...
    at: dict[str, str]  # {owner: member}
    argument: str | None
    words: list[str]
    values: list[str]  # what the words mean to the library
    sets: str | None
    minimum: float
    maximum: float
    help: str
    more: str

    @property
    def keyword(self) -> str | None:
        return self.name and self.name.replace("-", "_")


def _fields(line: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """What members are initialised with: their C text without strings, and the strings in it."""
    strings = [text.replace('\\"', '"') for text in _STRING.findall(line)]
    fields, texts = {}, {}
    for part in re.split(r"\.(?=\w+ =\s)", _STRING.sub('""', line))[1:]:  # a string has no designator in it now
        name, _, value = part.partition(" =")
        count = value.count('""')
        fields[name] = value.strip(", \n")
        if count > 0:
            texts[name], strings = strings[:count], strings[count:]
    return fields, texts


def read_options(text: str | None = None) -> list[Option]:
    """Every option, in order."""
    source = TABLE.read_text(encoding="utf-8") if text is None else text
    body = source[source.index("aq_option_table[] = {") : source.index("    {0},")] + "    {"
    options, title = [], ""
    for line in _LINE.findall(body):
        fields, texts = _fields(line)
        if "title" in texts:
            title = "".join(texts["title"])
            continue

        def joined(name: str, texts: dict[str, list[str]] = texts) -> str | None:
            return "".join(texts[name]) if name in texts else None

        options.append(
            Option(
                title=title,
                name=joined("name"),
                letter=fields.get("letter", "").strip("'"),
                kind=fields["kind"].removeprefix("AQ_OPTION_"),
                at=dict(_PLACE.findall(fields["at"])),
                argument=joined("argument"),
                words=texts.get("words", []),
                values=texts.get("values", texts.get("words", [])),
                sets=joined("sets"),
                minimum=float(fields.get("minimum", 0)),
                maximum=float(fields.get("maximum", 0)),
                help=joined("help") or "",
                more=joined("more") or "",
            )
        )
    return options


def read_owners(command: str) -> set[str]:
    """The structs whose options a command has, from its source."""
    source = (ROOT / "src" / "cli" / f"{command}.c").read_text(encoding="utf-8")
    owners = re.search(r"\.owners = (.*?),\n", source, re.S)[1]
    common = {"run", "command", "help"} if "CLI_COMMON_OPTIONS" in owners else set()
    return set(re.findall(r"OF\((\w+)\)", owners)) | common
