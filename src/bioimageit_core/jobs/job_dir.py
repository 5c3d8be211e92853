"""The directory that one execution has for itself, and the places where its outputs are to be written."""

from __future__ import annotations

import contextlib
import os
import shutil

from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.core.wrappers.call import Call
from bioimageit_core.jobs.staging import remove

__all__ = ["remove_empty_place", "remove_staged", "write_job_dir"]


def write_job_dir(call: Call) -> None:
    """Write the files of a call, and link its inputs, where its command expects them.

    Raises
    ------
    RunnerExecError
        A path leaves the job's directory.
    """
    for relative, content in call.files.items():
        path = _inside(call.job_dir, relative)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(content)
    for relative, source in call.links.items():
        path = _inside(call.job_dir, relative)
        try:
            os.symlink(source, path)
        except OSError:  # no symbolic links here
            if os.path.isdir(source):
                shutil.copytree(source, path)
            else:
                shutil.copy2(source, path)


def _inside(job_dir: str, relative: str) -> str:
    path = os.path.normpath(os.path.join(job_dir, relative))
    if not path.startswith(os.path.join(os.path.normpath(job_dir), "")):
        raise RunnerExecError(f"{relative!r} leaves the job's directory")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def remove_staged(path: str) -> None:
    """Remove what a failed tool wrote, and the directory that was made for it alone."""
    if not path:
        return
    remove(path)
    remove_empty_place(path)


def remove_empty_place(path: str) -> None:
    """Remove the directory that LOCAL made for one output, now that the output is not in it any more."""
    if f"{os.sep}.bioimageit{os.sep}" in path:
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path))
