"""The floor: the least that any software would do on the same files, on the same disk, with no fsync."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
from worker import Clock, make_sources

_encoder = msgspec.json.Encoder()


def document(name: str, number: int) -> dict[str, object]:
    return {
        "uuid": str(uuid.uuid4()),
        "origin": {"type": "raw"},
        "common": {"name": name, "author": "ada", "date": "2024-05-31", "format": "imagetiff", "url": name},
        "metadata": {},
        "key_value_pairs": {"Plate": "sources", "Day": str(number % 30)},
    }


def write(path: str, content: object) -> None:
    with open(path, "wb") as file:
        file.write(msgspec.json.format(_encoder.encode(content), indent=4))


def import_dir(clock: Clock, sources: str, home: str) -> None:
    """Copy every file, write a JSON file for each, one manifest, and one SQLite transaction with two keys for each."""
    with clock:
        folder = f"{home}/data"
        os.makedirs(folder)
        rows: list[tuple[int, str, str]] = []
        manifest = []
        for number, name in enumerate(sorted(os.listdir(sources))):
            shutil.copyfile(f"{sources}/{name}", f"{folder}/{name}")
            said = document(name, number)
            md = f"{name[:-4]}.md.json"
            write(f"{folder}/{md}", said)
            manifest.append({"uuid": said["uuid"], "url": md})
            rows += [(number, "Plate", "sources"), (number, "Day", str(number % 30))]
        write(f"{home}/manifest.json", {"name": "data", "urls": manifest})
        with sqlite3.connect(f"{home}/index.sqlite") as database:
            database.execute("PRAGMA synchronous = OFF")
            database.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)")
            database.execute("CREATE TABLE pair (item INTEGER, key TEXT, value TEXT)")
            database.executemany(
                "INSERT INTO item VALUES (?, ?)", ((n, item["url"]) for n, item in enumerate(manifest))
            )
            database.executemany("INSERT INTO pair VALUES (?, ?, ?)", rows)
            database.execute("CREATE INDEX pair_value ON pair (key, value)")
        database.close()


def annotate(clock: Clock, folder: str) -> None:
    """Read and atomically rewrite every document once, with one more key."""
    with clock:
        for name in _documents(folder):
            path = f"{folder}/{name}"
            with open(path, "rb") as file:
                said = msgspec.json.decode(file.read())
            said["key_value_pairs"]["Well"] = name[8:12]
            write(f"{folder}/.temp", said)
            os.replace(f"{folder}/.temp", path)


def scan(clock: Clock, folder: str) -> None:
    """Look at everything in a directory with stat."""
    with clock:
        total = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                total += entry.stat().st_size


def read_documents(clock: Clock, folder: str) -> None:
    """Read every document of a directory."""
    with clock:
        for name in _documents(folder):
            with open(f"{folder}/{name}", "rb") as file:
                msgspec.json.decode(file.read())


def check(clock: Clock, folder: str) -> None:
    """Read every document of a directory, and digest every file."""
    with clock:
        for name in os.listdir(folder):
            with open(f"{folder}/{name}", "rb") as file:
                if name.endswith(".md.json"):
                    msgspec.json.decode(file.read())
                else:
                    hashlib.file_digest(file, "sha256")


def read_experiments(clock: Clock, workspace: str) -> None:
    """Read the document of every experiment of a workspace."""
    with clock:
        for name in sorted(os.listdir(workspace)):
            with open(f"{workspace}/{name}/experiment.md.json", "rb") as file:
                msgspec.json.decode(file.read())


def copy_large(clock: Clock, source: str, folder: str) -> None:
    """Copy with cp, then digest with sha256sum."""
    os.makedirs(folder)
    target = f"{folder}/{os.path.basename(source)}"
    with clock:
        subprocess.run(["cp", source, target], check=True)
        subprocess.run(["sha256sum", target], check=True, capture_output=True)


def start_python(clock: Clock) -> None:
    """Start an interpreter that does nothing."""
    with clock:
        subprocess.run(["python3", "-I", "-c", "pass"], check=True)


def sources(clock: Clock, folder: str, count: str) -> None:
    """Make the files that everything here imports: 4 KiB each."""
    with clock:
        make_sources(Path(folder), int(count))


def _documents(folder: str) -> Iterator[str]:
    return (name for name in sorted(os.listdir(folder)) if name.endswith(".md.json") and name != "raw_dataset.md.json")
