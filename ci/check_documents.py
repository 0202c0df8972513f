#!/usr/bin/env python3
"""Holds documents against docs/protocol.cddl with two tools that share nothing: `cddl-verifier`, and the crate `cddl` in ci/cddl.

Arguments: a folder of files NAME.RULE.cbor, each of which has the form of its rule, and the program of ci/cddl. A few documents
of each rule are changed besides, a field or an element at a time; both tools must refuse what the form rules out, and agree about
the rest.
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile

import cbor2
from cddl_verifier import Validator

CDDL = pathlib.Path(__file__).parent.parent / "docs" / "protocol.cddl"
# The rule of what a document signs.
INSIDE = {
    "authority-certificate": "authority-claims",
    "service-certificate": "service-claims",
    "device-certificate": "device-claims",
    "service-document": "service-description",
    "signed-time": "time-over-nonce",
    "status-list": "status-list-content",
    "request": "request-content",
    "acknowledgement": "acknowledgement-content",
    "revocation": "revocation-content",
    "rekey": "rekey-content",
    "footer": "footer-content",
    "signed-answer": "answer-content",
    "signed-given": "given-content",
}
# Documents of one rule that are changed; those of one rule are much alike.
CHANGED = 3
# What no field of any document may be.
NEVER = 1.5
OK, REFUSED, EITHER = "ok", "refused", "either"
# What the crate cannot see: it looks at one level at a time, and takes plain types alone for the keys of a map.
VERIFIER_ALONE = " to cddl-verifier"


def canonical(value):
    return cbor2.dumps(value, canonical=True)


def parts(rule, data):
    """A document and the documents that stand in it, with their rules."""
    yield rule, data
    value = cbor2.loads(data)
    if rule in INSIDE:
        yield INSIDE[rule], value.value[2]
    if rule in ("answer", "given"):
        yield from parts(f"signed-{rule}", value[1])
        for letter in value.get(64, []):
            yield from parts("given", letter)
        for license in value[3][:CHANGED]:
            yield from parts("license", canonical(license))
        for certificate in value[4]:
            yield from parts("service-certificate", certificate)
        for key, name in ((5, "device-certificate"), (6, "status-list")):
            if key in value:
                yield from parts(name, value[key])
    if rule == "license":
        yield "policy", value[0]
        yield "binding", value[1]
    if rule == "record":
        yield from parts("license", canonical(value[2]))
    if rule == "item" and value[0] == 5:
        yield "tombstone", value[1]


def changed(rule, data):
    """Changed documents, each with what becomes of it and what was changed."""
    value = cbor2.loads(data)
    if isinstance(value, dict):
        yield REFUSED, "63 added", value | {63: 0}
        yield OK + VERIFIER_ALONE, "70 added", value | {70: [NEVER]}
        for key in value:
            yield EITHER, f"{key} left out", {k: v for k, v in value.items() if k != key}
            if key < 64:
                yield REFUSED, f"{key} replaced", value | {key: NEVER}
    elif isinstance(value, list):
        yield REFUSED, "an element added", [*value, None]
        for index in range(len(value)):
            yield REFUSED, f"element {index} left out", value[:index] + value[index + 1 :]
            yield REFUSED, f"element {index} replaced", value[:index] + [NEVER] + value[index + 1 :]
    elif isinstance(value, cbor2.CBORTag):
        yield REFUSED, "another tag", cbor2.CBORTag(value.tag + 1, value.value)
        yield REFUSED, "no tag", value.value
        protected, unprotected, payload, signed = value.value
        yield REFUSED, "an unprotected header", cbor2.CBORTag(value.tag, [protected, {4: b""}, payload, signed])
        header = cbor2.loads(protected)
        header[16] = header[16].replace("wmlicense-", "wmlicense-x")
        yield REFUSED + VERIFIER_ALONE, "another type", cbor2.CBORTag(value.tag, [canonical(header), unprotected, payload, signed])
        content = cbor2.loads(payload) | {63: 0}
        yield REFUSED + VERIFIER_ALONE, "63 added inside", cbor2.CBORTag(value.tag, [protected, unprotected, canonical(content), signed])


def cases(folder):
    """(name, rule, what becomes of it, bytes), the documents of the folder first."""
    by_rule = collections.defaultdict(dict)
    for path in sorted(folder.glob("*.cbor")):
        name, rule, _ = path.name.split(".")
        data = path.read_bytes()
        yield name, rule, OK, data
        for rule, part in parts(rule, data):
            by_rule[rule].setdefault(part, name)
    for rule, found in by_rule.items():
        for data, name in list(found.items())[:CHANGED]:
            for becomes, what, value in changed(rule, data):
                yield f"{name}: {rule}, {what}", rule, becomes, canonical(value)


def for_the_crate(text):
    """The rules as far as the crate follows them: a level at a time, and no key of a map by a condition."""
    text = re.sub(r"bytes \.cbor (\{.*?\}|[\w-]+)", "bytes", text)
    text = text.replace("  optional-fields,\n", "").replace(", optional-fields }", " }")
    return re.sub(r"(\{ [\d*]+ )(?:name|action) =>", r"\1tstr =>", text)


def said_by_crate(program, documents):
    """What the crate says of each, in their order."""
    with tempfile.NamedTemporaryFile("w", suffix=".cddl") as rules:
        rules.write(for_the_crate(CDDL.read_text()))
        rules.flush()
        return run_crate(program, rules.name, documents)


def run_crate(program, rules, documents):
    lines = "".join(f"{rule} {data.hex()}\n" for _, rule, _, data in documents)
    run = subprocess.run([program, CDDL, rules], input=lines, capture_output=True, text=True, check=False)
    said = run.stdout.splitlines()
    if run.returncode != 0 or len(said) != len(documents):
        sys.exit(f"{program}: {run.returncode}, {len(said)} of {len(documents)} lines\n{run.stderr}")
    return said


def main(folder, program):
    documents = list(cases(pathlib.Path(folder)))
    validator = Validator(CDDL)
    counts, wrong = collections.Counter(), []
    for (name, rule, becomes, data), crate in zip(documents, said_by_crate(program, documents)):
        result = validator.validate(data, root_type=rule)
        verifier = OK if result.valid else REFUSED
        counts[verifier] += 1
        said = {"cddl": OK if crate == OK else REFUSED, "cddl-verifier": verifier}
        if becomes.endswith(VERIFIER_ALONE):
            becomes = becomes.removesuffix(VERIFIER_ALONE)
            del said["cddl"]
        if len(set(said.values())) != 1 or (becomes != EITHER and verifier != becomes):
            why = [f"{found.path_text} {found.message}" for found in result.diagnostics[:2]]
            wrong.append(f"{name} ({rule}) should be {becomes}: {said}; {crate[:300]}; {why}")
    if wrong:
        sys.exit("\n".join(wrong[:20]) + f"\n{len(wrong)} of {len(documents)}")
    if not documents or not counts[REFUSED]:
        sys.exit(f"too little to be sure of anything: {dict(counts)}")
    print(f"both tools take {counts[OK]} documents and refuse {counts[REFUSED]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
