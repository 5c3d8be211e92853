"""The first schema; written out, so that it stays what it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_Exact = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.schema.CreateSequence(sa.Sequence("data_ids")))
    op.create_table("store", sa.Column("id", sa.String(32), primary_key=True))
    op.create_table(
        "experiment",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("workspace", _Exact, nullable=False),
        sa.Column("name", _Exact, nullable=False),
        sa.Column("uuid", sa.String, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("workspace", "name", name="uq_experiment_name"),
    )
    op.create_table(
        "dataset",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("experiment_id", _Id, sa.ForeignKey("experiment.id"), nullable=False),
        sa.Column("is_raw", sa.Boolean, nullable=False),
        sa.Column("name", _Exact, nullable=False),
        sa.Column("uuid", sa.String, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("experiment_id", "name", name="uq_dataset_name"),
    )
    op.create_table(
        "data",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("experiment_id", _Id, sa.ForeignKey("experiment.id"), nullable=False),
        sa.Column("is_raw", sa.Boolean, nullable=False),
        sa.Column("uuid", sa.String, nullable=False),
        sa.Column("name", _Exact, nullable=False),
        sa.Column("author", _Exact, nullable=False),
        sa.Column("date", _Exact, nullable=False),
        sa.Column("format", _Exact, nullable=False),
        sa.Column("output_name", _Exact, nullable=False),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("parent_id", _Id, sa.ForeignKey("data.id"), nullable=True),
        sa.Column("source_id", _Id, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("ix_data_content", "data", ["experiment_id", "content"])
    op.create_index("ix_data_parent", "data", ["parent_id"])
    op.create_index("ix_data_source", "data", ["source_id"])
    op.create_table(
        "entry",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("dataset_id", _Id, sa.ForeignKey("dataset.id"), nullable=False),
        sa.Column("data_id", _Id, sa.ForeignKey("data.id"), nullable=True),
        sa.Column("md_uri", sa.String, nullable=False),
        sa.Column("uuid", sa.String, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_entry_dataset", "entry", ["dataset_id", "data_id"])
    op.create_index("ix_entry_data", "entry", ["data_id"])
    op.create_table(
        "run",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("dataset_id", _Id, sa.ForeignKey("dataset.id"), nullable=False),
        sa.Column("uuid", sa.String, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("ix_run_dataset", "run", ["dataset_id"])
    op.create_table(
        "term",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("experiment_id", _Id, sa.ForeignKey("experiment.id"), nullable=False),
        sa.Column("key", _Exact, nullable=False),
        sa.UniqueConstraint("experiment_id", "key", name="uq_term_key"),
    )
    op.create_table(
        "annotation",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("data_id", _Id, sa.ForeignKey("data.id"), nullable=False),
        sa.Column("term_id", _Id, sa.ForeignKey("term.id"), nullable=False),
        sa.Column("kind", sa.String(1), nullable=False),
        sa.Column("text", _Exact, nullable=True),
        sa.Column("number", sa.Float(53), nullable=True),
        sa.Column("is_exact", sa.Boolean, nullable=False),
    )
    op.create_index("ix_annotation_data", "annotation", ["data_id", "term_id"])
    op.create_index("ix_annotation_text", "annotation", ["term_id", "text", "data_id"])
    op.create_index("ix_annotation_number", "annotation", ["term_id", "number", "data_id"])
