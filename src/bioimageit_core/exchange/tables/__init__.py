"""Annotations and measurements as tables that spreadsheets and data frames read, and back."""
