"""Tools do run with a low priority."""

import os
import sys

from bioimageit_nice import NiceRunnerServiceBuilder

from bioimageit_core.containers import Tool


def test_commands_have_a_low_priority(tmp_path):
    service = NiceRunnerServiceBuilder()(niceness=7)
    seen = tmp_path / "niceness"
    service.exec(Tool(), [sys.executable, "-c", f"import os; open({str(seen)!r}, 'w').write(str(os.nice(0)))"], 0)
    assert int(seen.read_text()) == min(os.nice(0) + 7, 19)
