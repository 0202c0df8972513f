"""The package as a whole: tied to the header, documented to the last name, installed with its library, true to its README."""

from __future__ import annotations

import ast
import ctypes
import enum
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import wmlicense
from wmlicense import _header
from wmlicense._library import library, name_of, soname

from support import AUTHORITY, MEDIA, ROOT, URL, Case, closed_port

SOURCES = ROOT / "python" / "wmlicense"
#: Functions of the header that the package does not call, and why.
NOT_CALLED = {
    "wm_add_ref": "an object of Python counts its own references",
    "wm_version": "library_version answers the text",
    "wm_set_log_callback": "a callback on a thread of the library is not safe while an interpreter ends",
    "wm_set_transport": "as wm_set_log_callback",
    "wm_exchange_cancelled": "belongs to wm_set_transport",
    "wm_exchange_set_status": "belongs to wm_set_transport",
    "wm_exchange_add_header": "belongs to wm_set_transport",
    "wm_exchange_write": "belongs to wm_set_transport",
    "wm_status_name": "Status has the names",
}


def _generator() -> Any:
    """generate.py, which stands beside the sources and is not installed."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "python" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _generator()


def installed(text: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """What another Python says, with a changed environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WMLICENSE_")}
    command = [sys.executable, "-c", text]
    return subprocess.run(command, env={**kept, **environment}, capture_output=True, universal_newlines=True)


class Header(Case):
    def test_the_generated_files_are_those_of_the_header(self) -> None:
        for name, text in generate.generate((ROOT / "include" / "wmlicense.h").read_text()).items():
            self.assertEqual((SOURCES / name).read_text(), text, f"{name}: run python/generate.py")

    def test_a_family_of_constants_or_a_type_that_is_not_known_stops_the_generator(self) -> None:
        header = (ROOT / "include" / "wmlicense.h").read_text()
        for changed in (
            header + "\n/** New. */\n#define WM_NEW_FAMILY 1u\n",
            header + "\n#define WM_REMEDY_NEW 99u\n",
            header.replace("uint32_t attempts;", "long attempts;"),
            header.replace("wm_result wm_cancel(void *object);", "wm_result wm_cancel(float object);"),
        ):
            self.assertNotEqual(changed, header)
            with self.assertRaises((SystemExit, KeyError)):
                generate.generate(changed)

    def test_structs_are_laid_out_as_a_c_compiler_does(self) -> None:
        compiler = shutil.which("cc")
        assert compiler is not None, "cc is missing: run ci/install.sh"
        wanted: List[Tuple[str, str, int]] = []
        for name in generate.structs((ROOT / "include" / "wmlicense.h").read_text()):
            kind = getattr(_header, name[0])
            wanted.append((f"sizeof({name[0]})", f"{name[0]}", ctypes.sizeof(kind)))
            for field, *_type in kind._fields_:
                wanted.append((f"offsetof({name[0]}, {field})", f"{name[0]}.{field}", getattr(kind, field).offset))
        lines = "".join(f'printf("%s %zu\\n", "{label}", (size_t){expression});' for expression, label, _value in wanted)
        source = self.folder / "layout.c"
        source.write_text(f"#include <stdio.h>\n#include <wmlicense.h>\nint main(void) {{ {lines} return 0; }}\n")
        subprocess.run([compiler, f"-I{ROOT / 'include'}", source, "-o", self.folder / "layout"], check=True)
        printed = subprocess.run([self.folder / "layout"], check=True, capture_output=True, universal_newlines=True).stdout
        self.assertEqual(printed.split("\n")[:-1], [f"{label} {value}" for _expression, label, value in wanted])
        self.assertGreater(len(wanted), 60)

    def test_every_function_of_the_header_is_called_or_has_a_reason(self) -> None:
        written = "".join(path.read_text() for path in SOURCES.glob("*.py") if path.name != "_header.py")
        called = {name for name in _header.FUNCTIONS if re.search(rf"\b{name}\b", written)}
        self.assertEqual(called & set(NOT_CALLED), set())
        self.assertEqual(set(_header.FUNCTIONS) - called, set(NOT_CALLED))
        names = set(re.findall(r"\bwm_\w+(?=\()", generate.uncommented((ROOT / "include" / "wmlicense.h").read_text())))
        self.assertEqual(set(_header.FUNCTIONS), names)

    def test_the_library_knows_every_number_by_the_same_name(self) -> None:
        self.assertEqual([name_of(result) for result in wmlicense.Result], [f"WM_{result.name}" for result in wmlicense.Result])
        for status in wmlicense.Status:
            self.assertEqual(library().wm_status_name(status).decode(), f"WM_STATUS_{status.name}")
        self.assertEqual(wmlicense.library_version(), wmlicense.__version__)

    def test_numbers_of_a_later_library_are_told_as_they_are(self) -> None:
        later = wmlicense.Result(-0x3FF2D511)
        self.assertIs(later, wmlicense.Result(-0x3FF2D511))
        self.assertEqual((int(later), later.name), (-0x3FF2D511, "UNKNOWN_C00D2AEF"))
        self.assertEqual(wmlicense.Reason(1 << 30), 1 << 30)
        self.assertEqual(f"{wmlicense.Result.S_OK} {wmlicense.Result.S_FALSE:d}", "Result.S_OK 1")
        with self.assertRaises(ValueError):
            wmlicense.Result("S_OK")  # type: ignore[arg-type]


def documented() -> Iterator[Tuple[str, object]]:
    """Every public name of the package with what stands behind it, members of its classes included."""
    for name in wmlicense.__all__:
        value = getattr(wmlicense, name)
        if not inspect.isclass(value) and not callable(value):
            continue
        yield name, value
        if inspect.isclass(value) and not issubclass(value, enum.Enum):
            own = [base for base in value.__mro__ if base.__module__.startswith("wmlicense")]
            for member in sorted({member for base in own for member in vars(base) if not member.startswith("_")}):
                inner = inspect.getattr_static(value, member)
                # Values of fields are described in the source.
                if not isinstance(inner, (str, int, tuple, type(None))):
                    yield f"{name}.{member}", inner


class Documentation(Case):
    def test_every_public_name_says_what_it_is(self) -> None:
        aliases = {"Kid", "EventValue"}
        found = dict(documented())
        silent = [name for name, value in found.items() if name not in aliases and not (inspect.getdoc(value) or "").strip()]
        self.assertEqual(silent, [])
        self.assertGreater(len(found), 120)

    def test_fields_of_records_and_members_of_enums_have_a_comment(self) -> None:
        for path in SOURCES.glob("*.py"):
            lines = path.read_text().split("\n")
            for node in ast.walk(ast.parse("\n".join(lines))):
                if not isinstance(node, ast.ClassDef):
                    continue
                record = any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
                numbers = any(getattr(base, "id", "") in ("Number", "IntFlag") for base in node.bases)
                for field in node.body:
                    if (record and isinstance(field, ast.AnnAssign)) or (numbers and isinstance(field, ast.Assign)):
                        self.assertTrue(lines[field.lineno - 2].strip().startswith("#:"), f"{path.name}:{field.lineno}")

    def test_the_manual_can_be_read_without_the_library(self) -> None:
        printed = installed("import pydoc; print(pydoc.render_doc('wmlicense'))", WMLICENSE_LIBRARY="/nowhere/lib.so")
        self.assertEqual(printed.returncode, 0, printed.stderr)
        self.assertIn("ensure_license", printed.stdout)

    def test_the_sources_are_python_of_the_version_that_is_promised(self) -> None:
        promised = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "python" / "pyproject.toml").read_text())
        assert promised is not None
        for path in [*SOURCES.glob("*.py"), ROOT / "python" / "setup.py", ROOT / "python" / "generate.py"]:
            ast.parse(path.read_text(), feature_version=(3, int(promised[1])))
            self.assertLessEqual(len(path.read_text().split("\n")), 401, path)


class Installed(Case):
    def test_the_library_in_the_wheel_is_used_unless_the_environment_names_another(self) -> None:
        package = Path(wmlicense.__file__).parent
        self.assertNotIn(ROOT, package.parents)
        self.assertTrue((package / "py.typed").exists())
        self.assertTrue((package / "LICENSE-MIT").exists())
        said = "import wmlicense; print(wmlicense.library_path(), wmlicense.library_version())"
        self.assertEqual(installed(said).stdout.split()[0], str(package / "libwmlicense.so"))
        other = os.environ["WM_TEST_LIBRARY"]
        self.assertEqual(installed(said, WMLICENSE_LIBRARY=other).stdout.split(), [other, wmlicense.__version__])

    def test_a_package_without_a_library_takes_the_systems(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(Path(wmlicense.__file__).parent, f"{folder}/wmlicense", ignore=shutil.ignore_patterns("*.so"))
            said = f"import sys; sys.path.insert(0, {folder!r}); import wmlicense; print(wmlicense.library_path()); "
            printed = installed(said + "wmlicense.live_objects()")
            self.assertEqual(printed.stdout.strip(), soname())
            if printed.returncode != 0:
                self.assertIn("WMLICENSE_LIBRARY", printed.stderr)
            os.symlink(os.environ["WM_TEST_LIBRARY"], f"{folder}/{soname()}")
            printed = installed(said + "wmlicense.live_objects()", LD_LIBRARY_PATH=folder)
            self.assertEqual((printed.returncode, printed.stderr), (0, ""))

    def test_a_library_that_is_missing_or_another_one_says_what_to_do(self) -> None:
        said = "import wmlicense; wmlicense.live_objects()"
        printed = installed(said, WMLICENSE_LIBRARY="/nowhere/libwmlicense.so")
        self.assertIn("ImportError: libwmlicense cannot be loaded", printed.stderr)
        self.assertIn("set WMLICENSE_LIBRARY to its path", printed.stderr)
        printed = installed(said, WMLICENSE_LIBRARY="libm.so.6")
        self.assertIn("ImportError: libm.so.6 lacks wm_", printed.stderr)

    def test_a_library_of_another_abi_is_refused(self) -> None:
        functions = "".join(f"int {name}(void) {{ return 0; }}\n" for name in _header.FUNCTIONS if name != "wm_abi_version")
        (self.folder / "other.c").write_text(functions + "unsigned wm_abi_version(void) { return 77; }\n")
        other = self.folder / "other.so"
        subprocess.run(["cc", "-shared", "-fPIC", self.folder / "other.c", "-o", other], check=True)
        printed = installed("import wmlicense; wmlicense.live_objects()", WMLICENSE_LIBRARY=str(other))
        self.assertIn(f"ImportError: {other} has ABI 77; this package is for {_header.ABI_VERSION}", printed.stderr)

    def test_the_ten_lines_of_the_readmes_lead_to_a_license(self) -> None:
        found: Dict[str, str] = {}
        for path in (ROOT / "README.md", ROOT / "python" / "README.md"):
            section = path.read_text().split("## First license in ten lines\n")[1].split("\n## ")[0]
            found[str(path)] = section.split("```python\n")[1].split("```")[0]
        (lines,) = set(found.values())
        self.assertLessEqual(len([line for line in lines.split("\n") if line.strip()]), 10)
        store, film = self.folder / "the store of Zoë", str(MEDIA / "packager-cenc-video.mp4")
        for service, said in ((URL, "The license is stored."), (closed_port(), "Done.")):
            command = [sys.executable, "-c", lines, str(store), AUTHORITY, service, film]
            printed = subprocess.run(command, check=True, capture_output=True, universal_newlines=True).stdout
            self.assertEqual(printed, f"{said}\n")


if __name__ == "__main__":
    unittest.main()
