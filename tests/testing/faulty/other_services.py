"""Runners and tools services with one fault each; `caught_by` names the test of the kit that must find it."""

from __future__ import annotations

import subprocess

import pytest
from catching import caught_by, faulty_in

from bioimageit_core.containers import Tool, ToolIndexContainer
from bioimageit_core.core.exceptions import RunnerExecError, ToolNotFoundError, ToolsServiceError
from bioimageit_core.plugins.runner_local import LocalRunnerService
from bioimageit_core.testing import RunnerServiceTests, ToolsServiceTests


@caught_by("test_an_argument_is_only_a_value")
class AsksAShell(LocalRunnerService):
    def exec(self, tool, args, job_id=0):
        quoted = " ".join(f'"{argument}"' for argument in args)
        if subprocess.run(quoted, shell=True, stdin=subprocess.DEVNULL, capture_output=True).returncode:
            raise RunnerExecError("failed", args, 1)


@caught_by("test_an_exit_status_that_is_not_0_is_an_error_that_says_it")
class MindsNoFailure(LocalRunnerService):
    def exec(self, tool, args, job_id=0):
        try:
            super().exec(tool, args, job_id)
        except RunnerExecError:
            return


@caught_by("test_a_program_that_is_not_there_is_an_error_that_names_it")
class LetsTheSystemsErrorsOut(LocalRunnerService):
    def exec(self, tool, args, job_id=0):
        subprocess.run(args, check=True)


@caught_by("test_of_a_flood_of_output_the_end_is_kept")
class KeepsEverything(LocalRunnerService):
    def exec(self, tool, args, job_id=0):
        done = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RunnerExecError("failed", args, done.returncode, done.stderr)


@caught_by("test_two_jobs_overlap")
class TearsDownAll(LocalRunnerService):
    is_up = False

    def set_up(self, tool, job_id=0):
        self.is_up = True

    def exec(self, tool, args, job_id=0):
        if not self.is_up:
            raise RunnerExecError("not set up", args)
        super().exec(tool, args, job_id)

    def tear_down(self, tool, job_id=0):
        self.is_up = False


@caught_by("test_a_command_has_its_directory_and_its_environment")
class StaysWhereItIs(LocalRunnerService):
    def run_command(self, tool, command, job_id=0, stop=None):
        import dataclasses

        return super().run_command(tool, dataclasses.replace(command, env={}), job_id, stop)


class Catalogue:
    """A tools service of one tool."""

    def __init__(self):
        self.tool = Tool("blur", "Blur", "1.0", uri="blur.xml", command="blur")
        self.index = ToolIndexContainer("blur", "Blur", "1.0", "blur.xml", "Smooths")

    def search(self, keyword=""):
        return [self.index] if keyword.lower() in "blur smooths" else []

    def get_tool(self, fullname):
        if fullname != "blur_v1.0":
            raise ToolNotFoundError(fullname)
        return Tool(**vars(self.tool) | {"inputs": list(self.tool.inputs)})

    def read_tool(self, uri):
        if uri != "blur.xml":
            raise ToolsServiceError(uri)
        return self.get_tool("blur_v1.0")

    def get_categories(self, parent):
        return []

    def get_category_tools(self, category):
        return []

    def get_pipeline(self, uri):
        raise ToolsServiceError(uri)


@caught_by("test_a_tool_is_found_by_a_part_of_its_name_in_any_case")
class MindsCase(Catalogue):
    def search(self, keyword=""):
        return [self.index] if keyword in "Blur Smooths" else []


@caught_by("test_what_is_found_contains_what_was_searched")
class FindsEverything(Catalogue):
    def search(self, keyword=""):
        return [self.index]


@caught_by("test_a_tool_that_nobody_knows_is_an_error")
class ReturnsNone(Catalogue):
    def get_tool(self, fullname):
        return super().get_tool(fullname) if fullname == "blur_v1.0" else None


@caught_by("test_a_tool_that_was_read_is_the_callers_own")
class SharesItsTools(Catalogue):
    def get_tool(self, fullname):
        super().get_tool(fullname)
        return self.tool


@caught_by("test_a_wrapper_that_is_not_there_is_an_error")
class ReadsWhatIsNotThere(Catalogue):
    def read_tool(self, uri):
        return self.tool


def _make(service):
    kit = RunnerServiceTests if issubclass(service, LocalRunnerService) else ToolsServiceTests

    @pytest.fixture
    def fixture(self):
        return service()

    return type(f"Test{service.__name__}", (kit,), {"service": fixture})


globals().update({f"Test{service.__name__}": _make(service) for service in faulty_in(globals())})
