"""Puts the shared library into the wheel. Everything else of the package is said in pyproject.toml.

WMLICENSE_BUILD_LIBRARY names a library that is built already; the word `none` leaves it out, for systems that have one of their own.
Without it the library of the repository around this folder is built; where there is no repository, it is left out.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Tuple

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

REPOSITORY = Path(__file__).resolve().parent.parent
LIBRARY = "libwmlicense.so"
NAMED = os.environ.get("WMLICENSE_BUILD_LIBRARY", "")


def built_here() -> Path:
    """Builds the library of the repository as everything is built that is packaged."""
    built = subprocess.run(["ci/build_packaged.sh"], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE)
    return Path(os.fsdecode(built.stdout.rstrip(b"\n"))) / LIBRARY


def goes_along() -> bool:
    """Whether the wheel holds a library."""
    if NAMED:
        return NAMED != "none"
    return (REPOSITORY / "include" / "wmlicense.h").exists()


def library() -> Path:
    """What goes into the wheel."""
    return Path(NAMED).resolve(strict=True) if NAMED else built_here()


class BuildWithLibrary(build_py):
    """Copies the library beside the modules, without what only debuggers read, and the licenses of what it holds."""

    def run(self) -> None:
        super().run()
        if not goes_along():
            return
        source, package = library(), Path(self.build_lib) / "wmlicense"
        if shutil.which("strip"):
            subprocess.run(["strip", "--strip-all", "-o", package / LIBRARY, source], check=True)
        else:
            shutil.copyfile(source, package / LIBRARY)
        for text in REPOSITORY.glob("LICENSE-*"):
            shutil.copyfile(text, package / text.name)


class WheelOfPlatform(bdist_wheel):
    """No module is compiled: one wheel serves every Python, on this kind of machine where the library is inside."""

    def get_tag(self) -> Tuple[str, str, str]:
        _python, _abi, platform = super().get_tag()
        return "py3", "none", platform


class WithLibrary(Distribution):
    """Belongs to a kind of machine if the library goes along."""

    def has_ext_modules(self) -> bool:
        return goes_along()


setup(distclass=WithLibrary, cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": WheelOfPlatform})
