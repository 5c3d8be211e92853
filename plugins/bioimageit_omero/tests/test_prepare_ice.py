"""The script that prepares the wheel of zeroc-ice; nothing is downloaded or built here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "prepare_ice.py"

SLICE = "#include <Util.h>\n#include <compile.h>\n#include <eval.h>\nint main() {}\n"
UTIL = (
    "#include <compile.h>\nPyFrameObject *f = PyThreadState_GET()->frame;\n"
    "return PyEval_CallObject(type, args.get());\n"
)
SETUP = "import sys, os\n# Gather the list of sources to compile.\nsources = []\n"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prepare_ice", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    for name, text in (("src/Slice.cpp", SLICE), ("src/Util.cpp", UTIL), ("setup.py", SETUP)):
        (tmp_path / name).write_text(text)
    return tmp_path


def texts(source: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in sorted(source.rglob("*.*")) if p.is_file()}


def test_the_sources_are_mended(script: ModuleType, source: Path) -> None:
    script.patch(source)

    after = texts(source)
    assert "#include <compile.h>" not in after["Slice.cpp"] + after["Util.cpp"]
    assert "#include <eval.h>" not in after["Slice.cpp"]
    assert "#include <Util.h>" in after["Slice.cpp"]
    assert "= PyEval_GetFrame();" in after["Util.cpp"]
    assert "PyObject_CallObject(type" in after["Util.cpp"]
    assert "_compile_in_parallel" in after["setup.py"]
    compile(after["setup.py"], "setup.py", "exec")


def test_mending_twice_is_mending_once(script: ModuleType, source: Path) -> None:
    script.patch(source)
    once = texts(source)
    script.patch(source)

    assert texts(source) == once


@pytest.mark.parametrize("name", ["src/Slice.cpp", "src/Util.cpp", "setup.py"])
def test_another_version_is_refused(script: ModuleType, source: Path, name: str) -> None:
    (source / name).write_text("something else\n")

    with pytest.raises(script.PreparationError, match="this is not zeroc-ice"):
        script.patch(source)


def test_a_wheel_in_the_cache_is_used_again(script: ModuleType, tmp_path: Path, capsys: Any) -> None:
    import sysconfig

    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    wheel = tmp_path / f"zeroc_ice-3.6.5-{tag}-{tag}-{platform}.whl"
    wheel.touch()

    assert script.main(["--cache", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(wheel)


def test_a_wheel_for_another_python_is_not(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "zeroc_ice-3.6.5-cp27-cp27-linux_x86_64.whl").touch()

    assert script.cached_wheel(tmp_path, sys.executable) is None
