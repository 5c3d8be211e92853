"""A tool and its wrapper. The package has no ``plugin_info``: it is no plugin, only a place for `wrappers`."""

from pathlib import Path

wrappers = Path(__file__).parent / "wrappers"
"""The directory to name in the configuration's ``xml_dirs``."""
