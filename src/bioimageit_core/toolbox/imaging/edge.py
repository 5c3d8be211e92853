"""What the scripts share: options, reading, writing, and errors in one line."""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections.abc import Callable

from .image import ImageError

__all__ = ["by_option", "channel_option", "input_option", "number", "output_option", "parser", "run", "whole"]


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of options that shows the defaults."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )


def input_option(options: argparse.ArgumentParser, name: str = "--input", text: str = "image to read") -> None:
    """Add an option for a file that is read."""
    options.add_argument(name, required=True, help=text)


def output_option(options: argparse.ArgumentParser, name: str = "--output", text: str = "OME-TIFF to write") -> None:
    """Add an option for a file that is written."""
    options.add_argument(name, required=True, help=text)


def by_option(options: argparse.ArgumentParser, default: str) -> None:
    """Add the choice of volumes or planes."""
    options.add_argument("--by", choices=("volume", "plane"), default=default, help="what is processed at once")


def channel_option(options: argparse.ArgumentParser) -> None:
    """Add the choice of a channel."""
    options.add_argument("--channel", default="0", help="name of the channel, or its number counted from 0")


def number(low: float = -math.inf, high: float = math.inf) -> Callable[[str], float]:
    """Return a reader of finite numbers within bounds."""

    def read(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and low <= value <= high):
            raise argparse.ArgumentTypeError(f"{text}: expected a number from {low} to {high}")
        return value

    return read


def whole(low: int, high: int = 2**31) -> Callable[[str], int]:
    """Return a reader of whole numbers within bounds."""

    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text}: expected a whole number from {low} to {high}")
        return value

    return read


def run(main: Callable[[], None]) -> None:
    """Run a script: what is wrong with the input or the machine becomes one line and exit status 1."""
    warnings.simplefilter("ignore")  # of libraries, to those who maintain this, not to those who use it
    try:
        main()
    except (ImageError, OSError) as error:
        sys.exit(f"error: {_one_line(error)}")
    except MemoryError:
        sys.exit("error: not enough memory for this image")
    except Exception as error:  # noqa: BLE001  the program ends here, whatever a library raised
        sys.exit(f"error: {type(error).__name__}: {_one_line(error)}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
