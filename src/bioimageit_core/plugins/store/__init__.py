"""Experiments as folders of JSON documents, on any filesystem: what LOCAL and FSSPEC share."""
