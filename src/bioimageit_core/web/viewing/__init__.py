"""Images for viewers: as they lie, or as an OME-Zarr that is computed chunk by chunk."""
