"""Images of many formats: facts without pixels, pixels lazily, thumbnails, and copies in open formats.

One interface over several libraries: tifffile, zarr and Pillow read what is common, and start fast; bioio, its readers
and Bio-Formats read the rest, where they are installed.
"""
