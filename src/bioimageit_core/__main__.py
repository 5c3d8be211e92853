"""``python -m bioimageit_core`` is the command ``bioimageit``."""

from __future__ import annotations

from bioimageit_core.cli import main

if __name__ == "__main__":
    main()
