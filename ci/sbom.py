#!/usr/bin/env python3
"""Prints the bill of materials of what is packaged, CycloneDX 1.5 as JSON: every crate that becomes part of the library, the
service or the command line, with the checksums of Cargo.lock, and the C libraries inside of them. `--features LIST` names the
features of the build, as ci/build_packaged.sh does."""

import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ["wmlicense", "wmlicense-server", "wmlicense-cli"]
# The C libraries that crates bring along: name, the file that says its version and where in it, its license where that is not the
# crate's, and the feature without which it stays out.
INSIDE = {
    "libsqlite3-sys": ("sqlite", "sqlite3/sqlite3.h", r'#define SQLITE_VERSION +"([^"]+)"', "blessing", "bundled-sqlite"),
    "aws-lc-sys": ("aws-lc", "aws-lc/include/openssl/base.h", r'#define AWSLC_VERSION_NUMBER_STRING +"([^"]+)"', None, None),
}


def cargo(*words):
    return subprocess.run(["cargo", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def features_of(text):
    return [] if text == "default" else ["--no-default-features", "--features", text]


def packaged(features):
    """Name and version of each crate that becomes part of a program: what only builds or tests is not among them."""
    chosen = [word for package in PACKAGES for word in ("-p", package)]
    lines = cargo("tree", "--locked", *chosen, *features_of(features), "--edges", "normal", "--prefix", "none",
                  "--format", "{p}").splitlines()
    return {tuple(line.split()[:2]) for line in lines if line}


def reference(name, version):
    return f"pkg:cargo/{name}@{version}"


def checksums():
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {(one["name"], one["version"]): one.get("checksum") for one in lock["package"]}


def component(package, sums):
    name, version = package["name"], package["version"]
    made = {"type": "library", "bom-ref": reference(name, version), "name": name, "version": version, "scope": "required"}
    if package.get("description"):
        made["description"] = " ".join(package["description"].split())
    if package.get("license"):
        made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = sums.get((name, version))
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    made["purl"] = reference(name, version)
    return made


def inside(package, features):
    """The C library in the sources of this crate, if there is one and it is compiled in."""
    if package["name"] not in INSIDE:
        return None
    name, file, pattern, license_, feature = INSIDE[package["name"]]
    if feature and features != "default" and feature not in features.replace(",", " ").split():
        return None
    text = (pathlib.Path(package["manifest_path"]).parent / file).read_text()
    version = re.search(pattern, text)[1]
    return {"type": "library", "bom-ref": f"pkg:generic/{name}@{version}", "name": name, "version": version,
            "scope": "required",
            "licenses": [{"license": {"id": license_}} if license_ else {"expression": package["license"]}],
            "purl": f"pkg:generic/{name}@{version}"}


def edges(metadata, wanted, within):
    """Who is made of what, only between those that are listed."""
    names = {one["id"]: (one["name"], one["version"]) for one in metadata["packages"]}
    for node in metadata["resolve"]["nodes"]:
        key = names[node["id"]]
        if key not in wanted:
            continue
        normal = [dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
        on = {reference(*names[one]) for one in normal if names[one] in wanted} | within.get(key, set())
        yield {"ref": reference(*key), "dependsOn": sorted(on)}


def document(features):
    metadata = json.loads(cargo("metadata", "--format-version", "1", "--locked"))
    wanted = {(name, version.lstrip("v")) for name, version in packaged(features)}
    packages = [one for one in metadata["packages"] if (one["name"], one["version"]) in wanted]
    packages.sort(key=lambda one: (one["name"], one["version"]))
    sums, components, within = checksums(), [], {}
    for package in packages:
        components.append(component(package, sums))
        c_library = inside(package, features)
        if c_library:
            components.append(c_library)
            within[(package["name"], package["version"])] = {c_library["bom-ref"]}
    version = next(one["version"] for one in packages if one["name"] == "wmlicense")
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or datetime.datetime.now().timestamp())
    top = {"type": "application", "bom-ref": "wmlicense", "name": "wmlicense", "version": version,
           "description": "License library, service and command line for media players",
           "licenses": [{"expression": "MIT OR Apache-2.0"}]}
    made_of = [{"ref": "wmlicense", "dependsOn": sorted(reference(name, version) for name in PACKAGES)}]
    made_of += edges(metadata, wanted, within)
    made_of += [{"ref": one} for refs in within.values() for one in sorted(refs)]
    # The same build gets the same number.
    number = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps([components, made_of], sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{number}", "version": 1,
        "metadata": {"timestamp": datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="seconds"),
                     "component": top},
        "components": components, "dependencies": made_of,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", default="default")
    print(json.dumps(document(parser.parse_args().features), indent=1))


main()
