"""The tables.

The document of a record (text of ASCII, in the shape that the folders of LOCAL have) is the truth; the columns beside
it are what queries and lists need of it. `annotation` holds the values of raw data by key, one row a value.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Sequence,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = ["annotation", "data", "data_ids", "dataset", "entry", "experiment", "metadata", "run", "store", "term"]

metadata = MetaData()

# compared by code point, as Python and SQLite do, whatever the database's language
_Exact = String().with_variant(String(collation="C"), "postgresql")
_Id = BigInteger().with_variant(Integer(), "sqlite")

data_ids = Sequence("data_ids", metadata=metadata)

store = Table("store", metadata, Column("id", String(32), primary_key=True))

experiment = Table(
    "experiment",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("workspace", _Exact, nullable=False),
    Column("name", _Exact, nullable=False),
    Column("uuid", String, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("workspace", "name", name="uq_experiment_name"),
)

dataset = Table(
    "dataset",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("experiment_id", ForeignKey("experiment.id"), nullable=False),
    Column("is_raw", Boolean, nullable=False),
    Column("name", _Exact, nullable=False),
    Column("uuid", String, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("experiment_id", "name", name="uq_dataset_name"),
)

data = Table(
    "data",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("experiment_id", ForeignKey("experiment.id"), nullable=False),
    Column("is_raw", Boolean, nullable=False),
    Column("uuid", String, nullable=False),
    Column("name", _Exact, nullable=False),
    Column("author", _Exact, nullable=False),
    Column("date", _Exact, nullable=False),
    Column("format", _Exact, nullable=False),
    Column("output_name", _Exact, nullable=False, default=""),
    Column("content", String, nullable=False),
    Column("parent_id", ForeignKey("data.id"), nullable=True),
    Column("source_id", _Id, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_data_content", "experiment_id", "content"),
    Index("ix_data_parent", "parent_id"),
    Index("ix_data_source", "source_id"),
)

entry = Table(
    "entry",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("dataset_id", ForeignKey("dataset.id"), nullable=False),
    Column("data_id", ForeignKey("data.id"), nullable=True),
    Column("md_uri", String, nullable=False, default=""),
    Column("uuid", String, nullable=False, default=""),
    Index("ix_entry_dataset", "dataset_id", "data_id"),
    Index("ix_entry_data", "data_id"),
    sqlite_autoincrement=True,  # an id that was taken away does not come back
)

run = Table(
    "run",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("dataset_id", ForeignKey("dataset.id"), nullable=False),
    Column("uuid", String, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_run_dataset", "dataset_id"),
)

term = Table(
    "term",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("experiment_id", ForeignKey("experiment.id"), nullable=False),
    Column("key", _Exact, nullable=False),
    UniqueConstraint("experiment_id", "key", name="uq_term_key"),
)

annotation = Table(
    "annotation",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("data_id", ForeignKey("data.id"), nullable=False),
    Column("term_id", ForeignKey("term.id"), nullable=False),
    Column("kind", String(1), nullable=False),
    Column("text", _Exact, nullable=True),
    Column("number", Float(53), nullable=True),
    Column("is_exact", Boolean, nullable=False),
    Index("ix_annotation_data", "data_id", "term_id"),
    Index("ix_annotation_text", "term_id", "text", "data_id"),
    Index("ix_annotation_number", "term_id", "number", "data_id"),
)
