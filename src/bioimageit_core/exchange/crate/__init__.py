"""Experiments as Workflow Run RO-Crates: written, checked, and taken in again."""
