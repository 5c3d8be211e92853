"""Keep the experiments of BioImageIT in an OMERO server.

Importing this package imports neither the OMERO client nor numpy; the client is imported when a service connects.
"""

from __future__ import annotations

from bioimageit_omero.builder import OmeroMetadataServiceBuilder

__all__ = ["OmeroMetadataServiceBuilder", "__version__", "plugin_info"]

__version__ = "0.1.0"

plugin_info = {"name": "OMERO", "type": "data", "builder": "OmeroMetadataServiceBuilder"}
