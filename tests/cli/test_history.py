"""What ``log`` and ``undo`` do for somebody at a terminal."""

from __future__ import annotations

from typing import Any

from bioimageit_core.api import Request


def test_log_shows_each_change_once_and_newest_first(bioimageit: Any, experiment: str) -> None:
    rows = bioimageit("log", experiment).rows
    assert rows[0] == ["when (UTC)", "who", "what", "where", "values", "change"]
    annotated = [row[1:5] for row in rows if row[2] == "annotate"]
    assert annotated == [["ada", "annotate", "3 documents", "Population"]]
    assert [row[2] for row in rows[1:]] == ["annotate", "update", "import", "update", "create"]
    assert bioimageit("log", experiment, "--limit", "1").rows == rows[:2]


def test_log_of_one_data(bioimageit: Any, experiment: str) -> None:
    rows = bioimageit("log", experiment, "p10_t1").rows
    assert [row[2:5] for row in rows[1:]] == [
        ["annotate", "data/p10_t1", "Population: p10"],
        ["import", "data/p10_t1", "Folder: p 10 (x)"],
    ]
    assert bioimageit("log", experiment, "p11_t1").status == 3


def test_undo_takes_the_last_annotation_back(bioimageit: Any, experiment: str) -> None:
    assert bioimageit("annotate", experiment, "Day=3", "--query", "Population=p1").status == 0
    done = bioimageit("undo", experiment)
    assert (done.status, done.out.split(": ")[1]) == (0, "2 data are as they were before\n")
    assert bioimageit("query", experiment, "Day", "--names").out == ""
    changes = bioimageit("log", experiment, "--json").json["changes"]
    assert (changes[0]["operation"], changes[0]["undoes"]) == ("undo", changes[1]["change"])
    assert changes[1]["is_undone"]
    assert bioimageit("undo", experiment, changes[0]["change"]).status == 0
    assert len(bioimageit("query", experiment, "Day=3", "--names").rows) == 2


def test_undo_leaves_what_was_changed_since_and_says_so(bioimageit: Any, experiment: str) -> None:
    bioimageit("annotate", experiment, "Day=3")
    change = bioimageit("log", experiment, "--json").json["changes"][0]["change"]
    bioimageit("annotate", experiment, "Day=4", "--query", "name=p10")
    done = bioimageit("undo", experiment, change)
    assert done.status == 4
    assert done.rows[-1] == ["data/p10_t1", "Day", "3", "4"]
    assert bioimageit("query", experiment, "Day", "--names").out == "p10_t1.tif\n"


def test_what_cannot_be_undone_is_told_in_a_line(bioimageit: Any, experiment: str) -> None:
    imported = next(row[5] for row in bioimageit("log", experiment).rows if row[2] == "import")
    for change, status, said in ((imported, 1, "is no annotation"), ("nonsense", 3, "no change at 'nonsense'")):
        done = bioimageit("undo", experiment, change)
        assert (done.status, done.out) == (status, "")
        assert said in done.err
        assert done.err.count("\n") == 1


def test_a_script_keeps_the_name_of_whom_it_acts_for(config: Any, bioimageit: Any, experiment: str) -> None:
    req = Request(str(config), debug=False, log=False)
    found = req.get_workspace_experiments()[0]["info"]
    with req.acting_as("grace"):
        req.annotate(found, {"Day": "5"})
    newest = req.history(found, limit=1).entries[0]
    assert (newest.who, newest.operation, newest.count, newest.new) == ("grace", "annotate", 3, {"Day": "5"})
    assert req.undo(found).change == newest.change
