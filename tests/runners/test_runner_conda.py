"""The CONDA runner: py-rattler with a channel of packages that are made here; an installed conda is a stand-in.

The stand-in understands the few arguments of ``conda create`` that are used, and installs with py-rattler. No conda,
mamba or micromamba is tried here.
"""

from __future__ import annotations

import functools
import json
import shutil
import sys
import textwrap
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.contracts import LocksEnvironment, RunnerService, RunsCommands
from bioimageit_core.plugins.environments import sha256_of
from bioimageit_core.plugins.runner_conda import CondaRunnerService, CondaRunnerServiceBuilder

GALAXY = """<tool id="stamp" name="Stamp" version="1.0" profile="22.05">
    <requirements><requirement type="package" version="0.3">blur-tool</requirement></requirements>
    <command><![CDATA[blur-tool '$i' > '$o']]></command>
    <inputs><param name="i" type="data" format="txt"/></inputs>
    <outputs><data name="o" format="txt"/></outputs>
</tool>
"""
OLDER = """<tool id="stamp" name="Stamp" version="1.0" type="sequential">
    <requirements><package type="conda" env="blur">-c {channel} blur-tool=0.3</package></requirements>
    <command>blur-tool ${{i}} ${{o}}</command>
    <inputs><param type="data" name="i" format="txt"/></inputs>
    <outputs><data name="o" format="txt"/></outputs>
</tool>
"""
BLUR = """#!/bin/sh
. "$(dirname "$0")/../share/blur/params.txt"
if [ $# = 2 ]; then exec > "$2"; fi
printf '%s blurred by %s' "$(cat "$1")" "$sigma"
"""


@pytest.fixture
def blur(channel) -> str:
    channel("blur-lib", "1.2.0", {"share/blur/params.txt": "sigma=2\n"})
    channel("blur-tool", "0.4.0", {"bin/blur-tool": "#!/bin/sh\nexit 9\n"}, ("blur-lib >=1.0",))
    return channel("blur-tool", "0.3.1", {"bin/blur-tool": BLUR}, ("blur-lib >=1.0",))


@pytest.fixture
def runner(blur: str, tmp_path: Path) -> CondaRunnerService:
    return CondaRunnerService(str(tmp_path / "envs"), [blur])


def test_it_is_a_runner_that_runs_commands_and_locks() -> None:
    runner = CondaRunnerService()

    assert isinstance(runner, RunnerService)
    assert isinstance(runner, RunsCommands)
    assert isinstance(runner, LocksEnvironment)


def test_the_builder_gives_one_instance_and_takes_the_published_option() -> None:
    builder = CondaRunnerServiceBuilder()

    assert builder(conda_dir="/opt/miniconda3", some="more") is builder()
    assert builder().conda_dir == "/opt/miniconda3"
    assert builder().channels == ("conda-forge", "bioconda")


@pytest.mark.parametrize("dialect", ["galaxy", "older"])
def test_a_tool_runs_in_its_own_environment_and_its_lock_is_recorded(dialect, blur, run_tool, tmp_path) -> None:
    options = {"env_dir": str(tmp_path / "envs"), "channels": [blur]}
    wrapper = GALAXY if dialect == "galaxy" else OLDER.format(channel=blur)

    _, run, results = run_tool(wrapper, {"service": "CONDA", **options})

    assert results == ["one blurred by 2", "two blurred by 2"]
    lock = next((tmp_path / "envs").glob("conda-*/lock.txt")).read_text()
    first, second = lock.removeprefix("@EXPLICIT\n").splitlines()
    assert first.startswith(f"{blur}/noarch/blur-lib-1.2.0-0.tar.bz2#sha256:")
    assert second.startswith(f"{blur}/noarch/blur-tool-0.3.1-0.tar.bz2#sha256:")
    assert sha256_of(lock) in json.dumps(json.loads(Path(run.md_uri).read_text()))


def test_channels_of_the_wrapper_come_before_those_of_the_configuration(requiring) -> None:
    tool = requiring("-c imcf blur=1", type_="conda")

    assert CondaRunnerService().recipe(tool).circumstances == ("imcf", "conda-forge", "bioconda")


def test_an_environment_that_was_removed_is_made_again_from_its_lock(runner, channel, requiring, tmp_path) -> None:
    tool = requiring("blur-tool", version="0.3")
    runner.set_up(tool)
    digest = runner.environment_digest(tool)
    for path in [*(tmp_path / "envs").glob("conda-*/prefix"), tmp_path / "envs" / "packages"]:
        shutil.rmtree(path)
    channel("blur-tool", "0.3.2", {"bin/blur-tool": "#!/bin/sh\nexit 8\n"})  # a release that came meanwhile

    CondaRunnerService(str(tmp_path / "envs"), runner.channels).set_up(tool)

    installed = sorted(path.name for path in (tmp_path / "envs").glob("conda-*/prefix/conda-meta/*.json"))
    assert installed == ["blur-lib-1.2.0-0.json", "blur-tool-0.3.1-0.json"]
    assert runner.environment_digest(tool) == digest


@pytest.fixture
def served(blur: str, tmp_path: Path) -> Iterator[str]:
    """The channel on HTTP."""
    handler = functools.partial(Quiet, directory=str(tmp_path / "channel"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.mark.parametrize("where", ["file", "http"])
def test_a_package_that_is_not_the_one_of_the_lock_is_refused(
    where, blur, served, channel, requiring, tmp_path
) -> None:
    runner = CondaRunnerService(str(tmp_path / "envs"), [blur if where == "file" else served])
    tool = requiring("blur-tool", version="0.3")
    runner.set_up(tool)
    for path in [*(tmp_path / "envs").glob("conda-*/prefix"), tmp_path / "envs" / "packages"]:
        shutil.rmtree(path)
    channel("blur-tool", "0.3.1", {"bin/blur-tool": "#!/bin/sh\necho tampered\n"})

    with pytest.raises(RunnerExecError, match=r"(?i)(hash mismatch|is not the one of the lock)"):
        CondaRunnerService(str(tmp_path / "envs"), runner.channels).set_up(tool)

    assert not list((tmp_path / "envs").glob("conda-*/prefix"))


def test_packages_in_python_are_installed_anew_from_a_lock(channel, requiring, tmp_path) -> None:
    channel("python", "3.11.0", {"lib/python3.11/os.py": ""}, subdir="linux-64")
    url = channel("pyblur", "1.0", {"site-packages/pyblur.py": "sigma = 2\n"}, ("python",), noarch="python")
    runner = CondaRunnerService(str(tmp_path / "envs"), [url])
    environment = runner.environment(requiring("pyblur"))
    module = environment.prefix / "lib/python3.11/site-packages/pyblur.py"
    assert module.is_file()
    shutil.rmtree(environment.prefix)

    runner.set_up(requiring("pyblur"))

    assert module.is_file()


def test_activation_gives_the_packages_variables(channel, requiring, tmp_path) -> None:
    script = 'export BLUR_HOME="$CONDA_PREFIX/share"\nunset NOTHING\n'
    url = channel(
        "blur-env",
        "1.0",
        {
            "etc/conda/activate.d/blur.sh": script,
            "etc/conda/env_vars.d/blur.json": '{"BLUR_SIGMA": "2"}',
            "share/readme": "",
        },
    )
    runner = CondaRunnerService(str(tmp_path / "envs"), [url])
    show = ["sh", "-c", 'echo "$BLUR_HOME|$BLUR_SIGMA|$CONDA_PREFIX|$VIRTUAL_ENV"']

    finished = runner.run_command(requiring("blur-env"), Command(show, str(tmp_path)))

    home, sigma, prefix, other = finished.stdout.strip().split("|")
    assert (home, sigma, other) == (f"{prefix}/share", "2", "")


@pytest.mark.parametrize("requirement", ["no-such-package", "blur-tool"])
def test_what_cannot_be_solved_says_what_and_where(requirement: str, runner, requiring) -> None:
    with pytest.raises(RunnerExecError, match=rf"tool 'blur_v1': its environment of {requirement}=7 cannot be made"):
        runner.set_up(requiring(requirement, version="7"))


async def _in_a_loop(runner: CondaRunnerService, tool: Tool) -> None:
    runner.set_up(tool)


def test_an_environment_is_made_where_a_loop_runs_already(runner, requiring) -> None:
    import asyncio

    tool = requiring("blur-tool", version="0.3")
    asyncio.run(_in_a_loop(runner, tool))

    assert runner.environment_digest(tool) is not None


def test_without_py_rattler_the_error_says_how_to_get_it(monkeypatch, requiring, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "rattler", None)

    with pytest.raises(RunnerExecError, match=r"py-rattler is not installed \(pip install 'bioimageit-core\[conda\]'"):
        CondaRunnerService(str(tmp_path)).set_up(requiring("blur"))


# An installed conda.

STAND_IN = """#!{python}
import asyncio, json, os, pathlib, sys, rattler
pathlib.Path(__file__).with_name("calls").open("a").write(json.dumps(sys.argv[1:]) + "\\n")
args, prefix, channels, file, specs = sys.argv[1:], "", [], "", []
assert args.pop(0) == "create"
while args:
    arg = args.pop(0)
    if arg == "--prefix": prefix = args.pop(0)
    elif arg == "--channel": channels.append(args.pop(0))
    elif arg == "--file": file = args.pop(0)
    elif not arg.startswith("--"): specs.append(arg)
if file:
    urls = [line for line in open(file).read().splitlines() if "://" in line]
    channels = [url.rsplit("/", 2)[0] for url in urls]
    specs = ["{{}} =={{}} {{}}".format(*url.rsplit("/", 1)[1].removesuffix(".tar.bz2").rsplit("-", 2)) for url in urls]
async def main():
    found = await rattler.solve([rattler.Channel(c) for c in dict.fromkeys(channels)], specs, platforms=["noarch"])
    await rattler.install(found, target_prefix=prefix, show_progress=False,
                          cache_dir=pathlib.Path(__file__).with_name("packages"))
asyncio.run(main())
os._exit(0)  # threads of py-rattler may still let go of their objects, which is fatal while Python finalizes
"""


@pytest.fixture
def conda_dir(tmp_path: Path) -> Path:
    """An installation of conda in which the program is a stand-in."""
    pytest.importorskip("rattler")
    program = tmp_path / "miniconda3" / "bin" / "conda"
    program.parent.mkdir(parents=True)
    program.write_text(textwrap.dedent(STAND_IN.format(python=sys.executable)))
    program.chmod(0o755)
    return tmp_path / "miniconda3"


def test_an_installed_conda_is_used_where_the_configuration_names_it(blur, run_tool, conda_dir, tmp_path) -> None:
    options = {"env_dir": str(tmp_path / "envs"), "channels": [blur], "conda_dir": str(conda_dir)}

    _, run, results = run_tool(GALAXY, {"service": "CONDA", **options})

    assert results == ["one blurred by 2", "two blurred by 2"]
    first, second = (json.loads(line) for line in (conda_dir / "bin" / "calls").read_text().splitlines())
    assert first[-4:] == ["--override-channels", "--channel", blur, "blur-tool=0.3"]
    assert second[-2] == "--file"
    lock = next((tmp_path / "envs").glob("conda-*/lock.txt")).read_text()
    assert sha256_of(lock) in Path(run.md_uri).read_text()


def test_a_conda_that_fails_is_quoted(requiring, tmp_path) -> None:
    program = tmp_path / "mamba"
    program.write_text("#!/bin/sh\necho 'nothing provides blur' >&2\nexit 1\n")
    program.chmod(0o755)

    with pytest.raises(RunnerExecError, match=r"cannot be made by .*/mamba: nothing provides blur"):
        CondaRunnerService(str(tmp_path / "envs"), conda_dir=str(program)).set_up(requiring("blur"))


def test_of_a_conda_that_says_nothing_is_told_how_it_ended(requiring, tmp_path) -> None:
    program = tmp_path / "mamba"
    program.write_text("#!/bin/sh\nkill -SEGV $$\n")
    program.chmod(0o755)

    with pytest.raises(RunnerExecError, match=r"/mamba: it was ended by SIGSEGV and said nothing"):
        CondaRunnerService(str(tmp_path / "envs"), conda_dir=str(program)).set_up(requiring("blur"))


def test_a_conda_that_is_not_there_is_an_error_that_says_what_else(requiring, tmp_path) -> None:
    runner = CondaRunnerService(str(tmp_path / "envs"), conda_dir=str(tmp_path / "nowhere"))

    with pytest.raises(RunnerExecError, match=r"no micromamba or mamba or conda in '.*nowhere' .*py-rattler is used"):
        runner.set_up(requiring("blur"))
