"""Submissions to the BioImage Archive."""
