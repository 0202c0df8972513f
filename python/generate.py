#!/usr/bin/env python3
"""Writes what the package takes from include/wmlicense.h: structs, functions, flags, enums.

Run:  python3 generate.py [HEADER]         (the header of this repository where none is given)

A test compares the files with what this would write, so the package and the header cannot drift apart. What the generator
does not know (a new family of constants, a new C type) stops it.
"""
import re
import sys
import textwrap
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Tuple

HERE = Path(__file__).resolve().parent
HEADER = HERE.parent / "include" / "wmlicense.h"
PACKAGE = HERE / "wmlicense"


class Define(NamedTuple):
    """A constant of the header."""

    name: str
    value: str
    doc: str


class Enum(NamedTuple):
    """A family of constants that becomes an enum of Python."""

    prefix: str
    name: str
    base: str
    doc: str


ENUMS = [
    Enum("CATEGORY_", "Category", "Number", "Kind of a failure."),
    Enum("REMEDY_", "Remedy", "Number", "What helps against a failure: what a user interface switches on."),
    Enum("STATUS_", "Status", "Number", "What an event tells."),
    Enum("REASON_", "Reason", "IntFlag", "Why an action is not permitted; 0 where it is."),
    Enum("LICENSE_STATE_", "LicenseStateCategory", "Number", "What limits an action."),
    Enum("CLOCK_", "ClockVerdict", "Number", "What the clock is worth for licenses with dates."),
    Enum("INDIVIDUALIZE_", "IndividualizePhase", "Number", "How far an individualization is."),
    Enum("HTTP_", "HttpPhase", "Number", "How far a request to a service is."),
    Enum("SCHEME_", "Scheme", "Number", "How samples are encrypted: the four-character code as a number."),
    Enum("KID_", "KidForm", "Number", "How a key ID is written as text."),
]
# Flags of functions and of fields, kept out of the enums whose prefix they have; keyword arguments stand for them.
FLAGS = {
    "INFINITE",
    "INDIVIDUALIZE_FORCE",
    "DELETE_LOCAL",
    "ACQUIRE_SILENT",
    "ACQUIRE_NONSILENT",
    "ENSURE_INDIVIDUALIZE",
    "BACKUP_OVERWRITE",
    "RESTORE_INDIVIDUALIZE",
    "CHECK_REPAIR",
    "CLEAN_SYNC",
    "CLEAN_ASYNC",
    "LICENSE_STATE_VAGUE",
    "KID_GUID_ORDER",
}
# What has no place in Python: levels of the log callback, macros, and what is computed below.
LEFT_OUT = re.compile(r"LOG_|VERSION$|ABI_VERSION$|LICENSE_STORED\(|CONSTANT_\(")

SCALARS = {
    "size_t": "c_size_t",
    "uint8_t": "c_uint8",
    "uint32_t": "c_uint32",
    "int32_t": "c_int32",
    "uint64_t": "c_uint64",
    "int64_t": "c_int64",
    "wm_result": "c_int32",
    "wm_status": "c_int32",
    "wm_attr_type": "c_int32",
    "bool": "c_bool",
    "int": "c_int",
    "char": "c_char",
}
CALLBACKS = {"wm_status_callback", "wm_log_callback", "wm_transport_callback"}
# Structs that only callbacks see.
UNUSED_STRUCTS = {"wm_http_header", "wm_http_request", "wm_transport"}


def sentence(comment: str) -> str:
    """The words of a comment on one line, without what only tools read."""
    lines = (line.strip().lstrip("*").strip() for line in comment.splitlines())
    return " ".join(line for line in lines if line and line[0] not in "@\\")


def defines(header: str) -> Iterator[Define]:
    comment = r"(?:/\*\*(?P<doc>(?:(?!\*/).)*)\*/\n)?"
    pattern = re.compile(comment + r"#define WM_(?P<name>\w+\(?)(?P<value>[^\n]*)", re.S)
    for found in pattern.finditer(header):
        if found["value"].strip():
            yield Define(found["name"], found["value"].strip(), sentence(found["doc"] or ""))


def uncommented(text: str) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def number(text: str) -> int:
    """The value of a number in the form of C; results are signed."""
    found = re.fullmatch(r"WM_CONSTANT_\((wm_\w+), (\w+)\)|(\w+)", text)
    if found is None:
        raise SystemExit(f"not a number: {text}")
    value = int((found[2] or found[3]).rstrip("u"), 0)
    return value - (1 << 32) if found[1] == "wm_result" and value >= 1 << 31 else value


def written(value: int) -> str:
    return f"-0x{-value:08X}" if value < 0 else f"0x{value:X}"


def comment(define: Define) -> List[str]:
    return textwrap.wrap(define.doc, 116, initial_indent="    #: ", subsequent_indent="    #: ")


def members(found: List[Define], prefix: str) -> Iterator[str]:
    for define in found:
        if not define.doc:
            raise SystemExit(f"WM_{define.name} has no comment")
        yield from comment(define)
        yield f"    {define.name[len(prefix):]} = {written(number(define.value))}"


def head(what: str) -> List[str]:
    return [f'"""{what}', "", "Written by generate.py from include/wmlicense.h; do not edit it.", '"""', ""]


def results_file(all_defines: List[Define]) -> str:
    lines = head("The numbers of results.") + ["from ._number import Number", "", "", "class Result(Number):"]
    lines += ['    """Result of a call or an operation: negative is a failure, others are successes that may tell something."""', ""]
    lines += members([define for define in all_defines if re.match(r"[SE]_", define.name)], "")
    return "\n".join(lines) + "\n"


def constants_file(all_defines: List[Define]) -> str:
    lines = head("Kinds, remedies, statuses and the other numbers that applications see.")
    lines += ["from enum import IntFlag", "", "from ._number import Number"]
    for enum in ENUMS:
        found = [define for define in all_defines if define.name.startswith(enum.prefix) and define.name not in FLAGS]
        lines += ["", "", f"class {enum.name}({enum.base}):", f'    """{enum.doc}"""', ""]
        lines += members(found, enum.prefix)
    lines += ["", "", "class Action:", '    """Names of actions; policies may have others, which are plain text as well."""']
    lines.append("")
    for define in all_defines:
        if define.name.startswith("ACTION_"):
            lines += [*comment(define), f"    {define.name[len('ACTION_'):]} = {define.value}"]
    return "\n".join(lines) + "\n"


def structs(header: str) -> Iterator[Tuple[str, List[str]]]:
    for found in re.finditer(r"typedef struct (wm_\w+) \{(.*?)\n\} \1;", uncommented(header), re.S):
        if found[1] not in UNUSED_STRUCTS:
            yield found[1], [part for part in found[2].split(";") if part.strip()]


def field(declaration: str) -> str:
    found = re.fullmatch(r"(?:const )?(?:struct )?(\w+) (\*?)(\w+)(?:\[(\d+)\])?", declaration.strip())
    if found is None:
        raise SystemExit(f"not a field: {declaration}")
    kind, pointer, name, count = found.groups()
    python = "c_void_p" if pointer else SCALARS[kind]
    return f'        ("{name}", {python}{f" * {count}" if count else ""}),'


def parameter(declaration: str, known: Dict[str, List[str]]) -> str:
    found = re.fullmatch(r"(const )?(?:struct )?(\w+) ?(\**)(\w+)", declaration.strip())
    if found is None:
        raise SystemExit(f"not a parameter: {declaration}")
    constant, kind, stars, _name = found.groups()
    if kind in CALLBACKS:
        return "c_void_p"
    if stars == "**":
        return "POINTER(c_void_p)"
    if stars == "*":
        if kind == "char":
            return "c_char_p" if constant else "c_void_p"
        if kind == "uint8_t" or kind == "void":
            return "c_void_p"
        if kind in SCALARS:
            return f"POINTER({SCALARS[kind]})"
        return f"POINTER({kind})" if kind in known else "c_void_p"
    return SCALARS[kind]


def functions(header: str, known: Dict[str, List[str]]) -> Iterator[Tuple[str, str, List[str]]]:
    body = header.split('extern "C" {', 1)[1]
    plain = re.sub(r"(?m)^#.*$", "", uncommented(body))
    for found in re.finditer(r"(const char \*|wm_result|uint32_t|size_t) ?(wm_\w+)\((.*?)\);", plain, re.S):
        kind, name, text = found.groups()
        parts = [] if text.strip() == "void" else re.sub(r"\s+", " ", text).split(",")
        yield name, "c_char_p" if kind == "const char *" else SCALARS[kind], [parameter(part, known) for part in parts]


def header_file(header: str, all_defines: List[Define]) -> str:
    version = re.search(r"#define WM_VERSION \((\d+)u << 16 \| (\d+)u << 8 \| (\d+)u\)", header)
    abi = re.search(r"#define WM_ABI_VERSION (\d+)u", header)
    if version is None or abi is None:
        raise SystemExit("the header has no version")
    known = dict(structs(header))
    calls = list(functions(header, known))
    used = {word for call in calls for word in re.findall(r"\bc_\w+", f"{call[1]} {call[2]}")}
    used |= {word for body in known.values() for word in re.findall(r"\bc_\w+", " ".join(map(field, body)))}
    lines = head("The C side: structs, functions and flags.")
    lines += ["from ctypes import (", "    POINTER,", "    Structure,"]
    lines += [*(f"    {kind}," for kind in sorted(used)), ")"]
    lines += ["from typing import Any, Dict, Tuple", ""]
    lines += [f'VERSION = "{".".join(version.groups())}"', f"ABI_VERSION = {abi[1]}", ""]
    for define in all_defines:
        if define.name in FLAGS or define.name.startswith("TYPE_"):
            lines.append(f"{define.name} = {written(number(define.value))}")
    lines.append("")
    lines += [f"{define.name} = {define.value}" for define in all_defines if define.name.startswith("PROP_")]
    for name, body in known.items():
        lines += ["", "", f"class {name}(Structure):", f'    """{name}."""', "", "    _fields_ = ["]
        lines += [*map(field, body), "    ]"]
    lines += ["", "", "#: Every function of the header: the type of its answer, the types of its arguments."]
    lines += ["FUNCTIONS: Dict[str, Tuple[Any, Tuple[Any, ...]]] = {"]
    for name, answer, arguments in calls:
        listed = ", ".join(arguments) + ("," if len(arguments) == 1 else "")
        lines.append(f'    "{name}": ({answer}, ({listed})),')
    return "\n".join([*lines, "}"]) + "\n"


def placed(define: Define) -> bool:
    prefixes = [enum.prefix for enum in ENUMS] + ["S_", "E_", "ACTION_", "PROP_", "TYPE_"]
    return define.name in FLAGS or LEFT_OUT.match(define.name) is not None or define.name.startswith(tuple(prefixes))


def generate(header: str) -> Dict[str, str]:
    """The files of the package that come from this header, by name."""
    all_defines = list(defines(header))
    for define in all_defines:
        if not placed(define):
            raise SystemExit(f"WM_{define.name} is of no known family: say in generate.py what it is in Python")
    return {
        "_results.py": results_file(all_defines),
        "_constants.py": constants_file(all_defines),
        "_header.py": header_file(header, all_defines),
    }


def main() -> None:
    header = Path(sys.argv[1]) if len(sys.argv) > 1 else HEADER
    for name, text in generate(header.read_text(encoding="utf-8")).items():
        (PACKAGE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
