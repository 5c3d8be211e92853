"""The UV runner, with the real uv, offline, and wheels that are made here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command
from bioimageit_core.core.exceptions import ConfigError, RunnerExecError
from bioimageit_core.core.wrappers import read_wrapper
from bioimageit_core.plugins.contracts import LocksEnvironment, RunnerService, RunsCommands
from bioimageit_core.plugins.environments import sha256_of
from bioimageit_core.plugins.pyenv import pyenv_pythons
from bioimageit_core.plugins.runner_uv import UvRunnerService, UvRunnerServiceBuilder

GALAXY = """<tool id="stamp" name="Stamp" version="1.0" profile="22.05">
    <requirements><requirement type="package" version="9.9">numpy</requirement></requirements>
    <command><![CDATA[python '$__tool_directory__/stamp.py' '$i' '$o']]></command>
    <inputs><param name="i" type="data" format="txt"/></inputs>
    <outputs><data name="o" format="txt"/></outputs>
</tool>
"""
STAMP = "import numpy, sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read() + ' by ' + numpy.__version__)\n"


@pytest.fixture
def runner(uv, wheels, tmp_path: Path) -> UvRunnerService:
    links = wheels("numpy", "9.9.1", {"numpy/__init__.py": "__version__ = '9.9.1'\n"}, "blur=numpy:blur")
    return UvRunnerService(str(tmp_path / "envs"), find_links=[str(links)], offline=True)


def test_it_is_a_runner_that_runs_commands_and_locks() -> None:
    runner = UvRunnerService()

    assert isinstance(runner, RunnerService)
    assert isinstance(runner, RunsCommands)
    assert isinstance(runner, LocksEnvironment)


def test_the_builder_gives_one_instance_and_ignores_what_it_does_not_know() -> None:
    builder = UvRunnerServiceBuilder()

    assert builder(find_links="wheels", working_dir="/x") is builder()
    assert builder().find_links == (str(Path("wheels").absolute()),)


def test_a_tool_runs_in_its_own_environment_and_its_lock_is_recorded(uv, wheels, run_tool, tmp_path: Path) -> None:
    links = wheels("numpy", "9.9.1", {"numpy/__init__.py": "__version__ = '9.9.1'\n"})
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "stamp.py").write_text(STAMP)
    options = {"env_dir": str(tmp_path / "envs"), "find_links": str(links), "offline": True}

    _, run, results = run_tool(GALAXY, {"service": "UV", **options})

    assert results == ["one by 9.9.1", "two by 9.9.1"]
    lock = next((tmp_path / "envs").glob("uv-*/lock.txt")).read_text()
    assert "numpy==9.9.1 \\\n    --hash=sha256:" in lock
    document = json.loads(Path(run.md_uri).read_text())
    assert sha256_of(lock) in json.dumps(document)


def test_the_environment_is_isolated_from_the_host(runner, requiring, tmp_path, monkeypatch) -> None:
    (tmp_path / "leak").mkdir()
    (tmp_path / "leak" / "leaked.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "leak"))
    code = (
        "import importlib.util as u, sys; print(sys.prefix, u.find_spec('leaked'), u.find_spec('lxml'), "
        "u.find_spec('numpy') is None)"
    )

    finished = runner.run_command(requiring("numpy"), Command(["python", "-c", code], str(tmp_path)))

    prefix, *found = finished.stdout.split()
    assert prefix.startswith(str(tmp_path / "envs"))
    assert found == ["None", "None", "False"]


def test_entry_points_are_on_the_path(runner, requiring, tmp_path) -> None:
    finished = runner.run_command(requiring("numpy"), Command(["which", "blur"], str(tmp_path)))

    assert finished.stdout.startswith(str(tmp_path / "envs"))


def test_nothing_is_made_or_asked_for_twice(runner, requiring, tmp_path) -> None:
    tool = requiring("numpy", version="9.9")
    assert runner.environment_digest(tool) is None, "it is not made yet"
    runner.set_up(tool, 1)
    digest = runner.environment_digest(tool)
    record = next((tmp_path / "envs").glob("uv-*/environment.json"))
    made = record.stat().st_mtime_ns

    other = UvRunnerService(str(tmp_path / "envs"), find_links=runner.find_links, offline=True)
    other.set_up(tool, 2)

    assert record.stat().st_mtime_ns == made
    assert other.environment_digest(tool) == digest == sha256_of(record.with_name("lock.txt").read_text())


def test_a_half_made_environment_is_never_used(runner, requiring, tmp_path) -> None:
    tool = requiring("numpy")
    folder = tmp_path / "envs" / runner.recipe(tool).name
    (folder / "prefix" / "bin").mkdir(parents=True)
    (folder / "prefix" / "bin" / "python").symlink_to(sys.executable)

    code = "import numpy; print(numpy.__version__)"
    finished = runner.run_command(tool, Command(["python", "-c", code], str(tmp_path)))

    assert finished.stdout == "9.9.1\n"


def test_an_environment_that_was_removed_is_made_again_from_its_lock(runner, requiring, wheels, tmp_path) -> None:
    import shutil

    tool = requiring("numpy")
    runner.set_up(tool)
    digest = runner.environment_digest(tool)
    shutil.rmtree(next((tmp_path / "envs").glob("uv-*/prefix")))
    wheels("numpy", "9.9.2", {"numpy/__init__.py": "__version__ = '9.9.2'\n"})  # a release that came meanwhile

    runner.set_up(tool)
    code = "import numpy; print(numpy.__version__)"
    finished = runner.run_command(tool, Command(["python", "-c", code], str(tmp_path)))

    assert (finished.stdout, runner.environment_digest(tool)) == ("9.9.1\n", digest)


def test_a_wheel_that_is_not_the_one_of_the_lock_is_refused(runner, requiring, wheels, tmp_path) -> None:
    import shutil

    tool = requiring("numpy")
    runner.set_up(tool)
    shutil.rmtree(next((tmp_path / "envs").glob("uv-*/prefix")))
    shutil.rmtree(tmp_path / "uv-cache")
    wheels("numpy", "9.9.1", {"numpy/__init__.py": "__version__ = 'tampered'\n"})

    with pytest.raises(RunnerExecError, match=r"(?i)tool 'blur_v1': its environment cannot be made: .*hash"):
        runner.set_up(tool)

    assert not list((tmp_path / "envs").glob("uv-*/prefix"))


def test_many_threads_make_one_environment(runner, requiring, tmp_path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    others = [UvRunnerService(str(tmp_path / "envs"), find_links=runner.find_links, offline=True) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        prefixes = set(pool.map(lambda other: other.environment(requiring("numpy")).prefix, others))

    assert len(prefixes) == 1


def test_a_version_stands_for_those_that_begin_with_it(runner, requiring, wheels, tmp_path) -> None:
    wheels("numpy", "9.10.0", {"numpy/__init__.py": "__version__ = '9.10.0'\n"})

    runner.set_up(requiring("numpy", version="9.9"))

    assert "numpy==9.9.1" in next((tmp_path / "envs").glob("uv-*/lock.txt")).read_text()


def test_a_release_that_is_not_there_is_replaced_by_the_next_where_that_is_asked_for(
    runner, requiring, wheels, tmp_path, caplog
) -> None:
    wheels("numpy", "9.10.0", {"numpy/__init__.py": "__version__ = '9.10.0'\n"})
    tool = requiring("numpy", version="9.8")

    with pytest.raises(RunnerExecError, match=r"near_versions"):
        runner.set_up(tool)
    near = runner.with_near_versions()
    finished = near.run_command(
        tool, Command(["python", "-c", "import numpy; print(numpy.__version__)"], str(tmp_path))
    )

    assert finished.stdout == "9.9.1\n"
    assert near.replaced(tool) == ["numpy==9.9.1 instead of numpy==9.8.*"]
    assert "numpy==9.9.1 instead of numpy==9.8.*" in caplog.text
    assert near.environment(tool).lock.splitlines()[1] == "# instead of numpy==9.8.*: numpy==9.9.1"


def test_a_release_that_is_there_is_taken_as_it_is_also_where_others_would_do(runner, requiring) -> None:
    near = runner.with_near_versions()
    assert near.replaced(requiring("numpy", version="9.9")) == []


def test_pythons_that_pyenv_keeps_are_found(tmp_path, monkeypatch) -> None:
    for name in ("3.9.18", "3.10.2", "3.14.0rc1", "pypy3.9-7.3"):
        python = tmp_path / "versions" / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text("")
        python.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))

    assert [version for _, version in pyenv_pythons()] == ["3.10.2", "3.9.18"]


def test_what_cannot_be_found_is_said_in_uvs_words(runner, requiring) -> None:
    with pytest.raises(RunnerExecError, match=r"tool 'blur_v1': its environment cannot be made: .*numpy") as caught:
        runner.set_up(requiring("numpy", version="1.0"))

    assert caught.value.exit_status == 1


@pytest.mark.parametrize("name", ["bftools", "pixi", "no-such-thing"])
def test_a_package_of_no_known_counterpart_is_never_guessed(name: str, requiring) -> None:
    with pytest.raises(RunnerExecError, match=rf"requires '{name}', and no package of PyPI .*CONDA.*\"packages\""):
        UvRunnerService().set_up(requiring(name))


def test_the_configuration_can_name_a_counterpart(uv, wheels, requiring, tmp_path) -> None:
    links = wheels("fast_blur", "2.0", {"fast_blur.py": ""})
    runner = UvRunnerService(
        str(tmp_path / "envs"), find_links=[str(links)], offline=True, packages={"Blur": "fast-blur==2.0"}
    )

    runner.set_up(requiring("blur", version="17"))

    assert "fast-blur==2.0" in next((tmp_path / "envs").glob("uv-*/lock.txt")).read_text()


@pytest.mark.parametrize("target", ["-r /etc/passwd", "x @ file:///tmp/x", "", 3])
def test_a_counterpart_that_is_no_name_is_a_configuration_error(target: object) -> None:
    with pytest.raises(ConfigError, match="packages: 'blur': expected the name of a package of PyPI"):
        UvRunnerService(packages={"blur": target})


def test_without_uv_the_error_says_how_to_get_it(monkeypatch, requiring, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))

    with pytest.raises(RunnerExecError, match=r"program 'uv' is neither on the path .*pip install uv"):
        UvRunnerService(str(tmp_path / "envs")).set_up(requiring("numpy"))


def test_a_python_that_is_asked_for_and_not_there_is_an_error(uv, requiring, tmp_path) -> None:
    with pytest.raises(RunnerExecError, match=r"python '2\.1' is not on this machine; install it \(uv python install"):
        UvRunnerService(str(tmp_path), offline=True, python="2.1").set_up(requiring("numpy"))


def test_a_python_that_a_wrapper_wants_and_nobody_has_is_replaced_and_told(runner, requiring, caplog) -> None:
    tool = requiring("numpy")
    tool.requirements.append({"origin": "package", "type": "package", "name": "python", "version": "2.1"})

    environment = runner.environment(tool)

    assert "requires python 2.1, which this machine lacks" in caplog.text
    assert environment.lock.startswith(f"# python {sys.version.split()[0]}\n")


@pytest.mark.parametrize("said", [False, True])
def test_a_release_for_another_python_gets_one_that_is_here(said, uv, wheels, requiring, tmp_path) -> None:
    import subprocess

    show = [uv, "python", "list", "--only-installed", "--output-format", "json", "--offline"]
    installed = json.loads(subprocess.run(show, capture_output=True, text=True, check=True).stdout)
    versions = {item["version"] for item in installed if item["implementation"] == "cpython"}
    versions |= {version for _, version in pyenv_pythons()}
    # a newer one: uv asks what a release needs at least, not at most
    others = [v for v in versions if v.replace(".", "").isdigit() and int(v.split(".")[1]) > sys.version_info[1]]
    other = max(others, default=None, key=lambda version: int(version.split(".")[1]))
    if other is None:
        pytest.skip("there is no second Python here")
    major, minor, _ = other.split(".")
    links = wheels("numpy", "1.0", {"numpy/__init__.py": ""}, python=f"{major}.{minor}")

    runner = UvRunnerService(str(tmp_path / "envs"), find_links=[str(links)], offline=True)
    code = "import numpy, sys; print(sys.version.split()[0])"
    tool = requiring("numpy")
    if said:
        tool.requirements.append({"origin": "package", "name": "python", "version": f"{major}.{minor}"})
    finished = runner.run_command(tool, Command(["python", "-c", code], str(tmp_path)))

    assert finished.stdout.startswith(f"{major}.{minor}.")


def test_a_tool_that_requires_nothing_runs_with_what_is_there(tmp_path) -> None:
    runner = UvRunnerService(str(tmp_path / "envs"))
    finished = runner.run_command(Tool(), Command(["python", "-c", "import sys; print(sys.prefix)"], str(tmp_path)))

    assert finished.stdout.strip() == sys.prefix
    assert runner.environment_digest(Tool()) is None
    assert not (tmp_path / "envs").exists()


def test_a_directory_that_cannot_be_written_is_an_error_that_names_it(uv, requiring, tmp_path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(RunnerExecError, match=r"the environment .*file.* cannot be made"):
        UvRunnerService(str(tmp_path / "file")).set_up(requiring("numpy"))


def test_every_tool_of_the_toolbox_can_be_installed_by_name() -> None:
    import bioimageit_core

    wrappers = sorted((Path(bioimageit_core.__file__).parent / "toolbox").glob("*/*.xml"))
    recipes = {UvRunnerService().recipe(read_wrapper(str(path))).name for path in wrappers}

    assert wrappers
    assert recipes
