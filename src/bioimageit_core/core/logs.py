"""The log file: made when there is something to write, without secrets, and never a reason for work to fail."""

from __future__ import annotations

import datetime
import logging
import os
from collections.abc import Callable

__all__ = ["LogFile", "start_log"]

logger = logging.getLogger("bioimageit_core")


class LogFile(logging.Handler):
    """Append to ``bioimageit-<date>.log`` in a directory; both are made with the first record.

    Parameters
    ----------
    mask
        Takes secrets out of a line, its traceback included.
    """

    def __init__(self, log_dir: str, mask: Callable[[str], str], level: int = logging.INFO) -> None:
        super().__init__(level)
        self.log_dir = log_dir
        self._mask = mask
        self._failed = False
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    @property
    def path(self) -> str:
        """The file of today."""
        today = datetime.datetime.now().astimezone().date().isoformat()
        return os.path.join(self.log_dir, f"bioimageit-{today}.log")

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; where that cannot be done say so once, to the other handlers."""
        if self._failed:
            return
        try:
            line = self._mask(self.format(record)).replace("\n", "\n    ")  # so that no text can pass for a record
        except Exception:  # noqa: BLE001 - arguments that do not fit their message, as in logging itself
            self.handleError(record)
            return
        try:
            os.makedirs(self.log_dir, exist_ok=True)
            # opened for each record: several processes share the file, and none holds it
            with open(self.path, "a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{line}\n")
        except (OSError, ValueError) as error:
            self._failed = True
            logging.getLogger(__name__).warning("no log is written to %s: %s", self.log_dir, error)


def start_log(log_dir: str, mask: Callable[[str], str], *, debug: bool) -> Callable[[], None]:
    """Let what this library logs go to a file in `log_dir`, and return what ends that.

    Parameters
    ----------
    debug
        Write messages too, not only warnings and errors.
    """
    handler = LogFile(log_dir, mask, logging.INFO if debug else logging.WARNING)
    logger.addHandler(handler)
    if logger.level == logging.NOTSET or logger.level > handler.level:
        logger.setLevel(handler.level)

    def stop() -> None:
        logger.removeHandler(handler)
        handler.close()

    return stop
