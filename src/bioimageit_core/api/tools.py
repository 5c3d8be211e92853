"""What one can ask about tools, and what one can have done with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.api.services import Services

if TYPE_CHECKING:
    from bioimageit_core.containers import (
        Experiment,
        Job,
        Pipeline,
        Run,
        Tool,
        ToolIndexContainer,
        ToolsCategoryContainer,
    )
    from bioimageit_core.jobs import Limits, Plan, Reason, Stop
    from bioimageit_core.jobs.steps import PlannedStep
    from bioimageit_core.jobs.tool_tests import ToolTestReport, ToolTestResult

__all__ = ["ToolRequests"]


class ToolRequests(Services):
    """The part of `Request` about tools and runs."""

    def search_tool(self, keyword: str = "") -> list[ToolIndexContainer]:
        """List the tools that a keyword finds; all for ``''``."""
        return self.tools_service.search(keyword)

    def get_tool(self, fullname: str) -> Tool:
        """Read the tool of a full name, ``{id}_v{version}``."""
        return self.tools_service.get_tool(fullname)

    def get_tool_from_uri(self, uri: str) -> Tool:
        """Read the tool that a wrapper describes."""
        return self.tools_service.read_tool(uri)

    def get_categories(self, parent: str) -> list[ToolsCategoryContainer]:
        """List the categories in the category `parent`."""
        return self.tools_service.get_categories(parent)

    def get_category_tools(self, category: str) -> list[ToolIndexContainer]:
        """List the tools of a category."""
        return self.tools_service.get_category_tools(category)

    def export_tools_to_json(self, path: str) -> None:
        """Write what is known of all tools to a JSON file.

        Raises
        ------
        ToolsServiceError
            The file cannot be written.
        """
        from bioimageit_core.api.export import export_tools

        export_tools(self, path)

    def test_tools(
        self,
        paths: Iterable[str],
        *,
        environment: str = "current",
        numbers: Sequence[int] = (),
        workers: int = 1,
        timeout: float = 600.0,
        keep_dir: str = "",
        near_versions: bool = False,
        on_result: Callable[[ToolTestResult], None] | None = None,
    ) -> ToolTestReport:
        """Run the ``<tests>`` of wrappers, and verify what the tools write.

        Parameters
        ----------
        paths
            Wrappers, or directories that are searched for them.
        environment
            ``'current'`` for that of this process; ``'runner'`` for what the configured runner makes; the name of a
            runner plugin (``'UV'``, ``'conda'``, ...) for what that makes; or the directory of a Python environment.
        numbers
            Only the tests of these numbers, counted from 1; all where empty.
        workers
            How many tests to run at a time.
        timeout
            Seconds that one test may take, where it does not say so itself.
        keep_dir
            A directory that the tests' job directories are kept in; empty to remove them.
        near_versions
            Whether a release that is for no Python of this machine is replaced by the next later one that is, where the
            runner can do so (UV); each result tells of it.
        on_result
            Is told of each result as it comes.

        Raises
        ------
        ToolsServiceError
            A path is not there, or the environment is not.
        PluginError
            The runner cannot be used.
        """
        from bioimageit_core.jobs.tool_tests import run_tool_tests

        runner = None
        if environment == "runner":
            runner = self.runner_service
        elif environment.isalnum() and environment != "current" and not os.path.isdir(environment):
            runner = self.runner_named(environment.upper())
        if near_versions:
            from bioimageit_core.core.exceptions import ToolsServiceError

            with_near_versions = getattr(runner, "with_near_versions", None)
            if with_near_versions is None:
                raise ToolsServiceError("other releases than those required are taken by the runner UV alone")
            runner = with_near_versions()
        return run_tool_tests(
            paths,
            runner=runner,
            environment=environment,
            numbers=numbers,
            workers=workers,
            timeout=timeout,
            keep_dir=keep_dir,
            on_result=on_result,
        )

    def get_pipeline(self, uri: str) -> Pipeline:
        """Read a pipeline from its JSON file."""
        return self.tools_service.get_pipeline(uri)

    def exec(self, tool: Tool | str, **values: Any) -> dict[str, list[str]]:
        """Execute a tool on files; nothing is recorded.

        Parameters
        ----------
        tool
            What `get_tool` returns, or the full name that it takes.
        values
            By name: the path of each input, the path that each output is to have, and parameters.

        Returns
        -------
        dict
            Paths of the files that the tool wrote, by the name of the output.

        Raises
        ------
        RunnerExecError
            The command failed; the error has its argv, exit status and the end of its stderr.
        ToolNotFoundError
            No tool has that full name.
        ToolsServiceError
            A value does not fit the tool, or an input is not there.
        """
        from bioimageit_core.jobs import exec_tool

        tool = self.get_tool(tool) if isinstance(tool, str) else tool
        return exec_tool(tool, values, runner=self.runner_service, observers=self.observers, job_id=self.new_job())

    def run(
        self,
        job: Job,
        *,
        dry_run: bool = False,
        workers: int | None = None,
        reuse: bool = True,
        resume: bool = True,
        broadcast: Collection[str] = (),
        preflight: bool = True,
        limits: Limits | None = None,
        stop: Stop | None = None,
    ) -> Run:
        """Run a tool over a selection, and record what came of each item that succeeded.

        Parameters
        ----------
        dry_run
            Only plan: the run that is returned lists the items and what would become of them.
        workers
            How many items to work on at a time; None for what suits the runner.
        reuse
            Whether results of the same work in other datasets of the experiment are taken over.
        resume
            Whether items that were done before are skipped.
        broadcast
            Inputs whose one data goes with every item.
        preflight
            Whether inputs that the tool does not accept refuse the job before it begins.
        limits
            What one item may take.
        stop
            How another thread asks the job to stop.

        Raises
        ------
        JobFailedError
            Items failed; it has the run, with the others recorded, and an error for each.
        PairingError
            The selections cannot be paired by their common origin.
        """
        from bioimageit_core.jobs import run_job

        return run_job(
            job,
            data=self.data_service,
            runner=self.runner_service,
            user=self.config.user_name,
            formats=self.formats,
            observers=self.observers,
            job_id=0 if dry_run else self.new_job(),
            dry_run=dry_run,
            workers=workers,
            reuse=reuse,
            resume=resume,
            broadcast=broadcast,
            preflight=preflight,
            limits=limits,
            stop=stop,
            home=self.config.config["metadata"],
        )

    def plan(
        self,
        job: Job,
        *,
        reuse: bool = True,
        resume: bool = True,
        broadcast: Collection[str] = (),
        preflight: bool = True,
    ) -> Plan:
        """Say what `run` would do, item by item, and why; nothing is written."""
        from bioimageit_core.jobs import plan_job

        return plan_job(
            job,
            data=self.data_service,
            runner=self.runner_service,
            reuse=reuse,
            resume=resume,
            broadcast=broadcast,
            preflight=preflight,
        )

    def status(self, experiment: Experiment, dataset_name: str) -> list[Reason]:
        """Say why a processed dataset is not what its runs would make today; nothing if it is.

        Raises
        ------
        NotFoundError
            The experiment has no such dataset.
        """
        from bioimageit_core.jobs.selection import dataset_of
        from bioimageit_core.jobs.staleness import dataset_status

        dataset = dataset_of(self.data_service, experiment, dataset_name)
        return dataset_status(self.data_service, self.tools_service, experiment, dataset, runner=self.runner_service)

    def plan_pipeline(self, experiment: Experiment, pipeline: Pipeline) -> list[PlannedStep]:
        """Give the jobs that a pipeline stands for, in their order: sweeps laid out, everything checked, nothing run.

        Raises
        ------
        PipelineError
            The pipeline cannot be run; it names everything that is wrong with it.
        """
        from bioimageit_core.jobs.steps import plan_steps

        return plan_steps(experiment, pipeline, self.tools_service)

    def run_pipeline(
        self,
        experiment: Experiment,
        pipeline: Pipeline,
        *,
        workers: int | None = None,
        reuse: bool = True,
        resume: bool = True,
        preflight: bool = True,
        limits: Limits | None = None,
        stop: Stop | None = None,
    ) -> list[Run]:
        """Run the steps of a pipeline, each after those that it reads from, and return their runs.

        Parameters
        ----------
        workers
            How many items to work on at a time, in all steps together.
        reuse, resume, preflight, limits, stop
            As in `run`.

        Raises
        ------
        JobFailedError
            Items failed, or steps were not run because items that they need did.
        """
        from bioimageit_core.jobs import run_pipeline

        return run_pipeline(
            experiment,
            pipeline,
            data=self.data_service,
            tools=self.tools_service,
            runner=self.runner_service,
            user=self.config.user_name,
            observers=self.observers,
            job_id=self.new_job(),
            workers=workers,
            stop=stop,
            formats=self.formats,
            reuse=reuse,
            resume=resume,
            preflight=preflight,
            limits=limits,
            home=self.config.config["metadata"],
        )
