"""A double of an OMERO server: it speaks the protocol, and keeps what it is given in memory and a directory.

It is not OMERO.server. It was written from the API documentation and the installed client alone, for tests: it answers
what those tests, and the client on their behalf, ask, and whatever it does not implement it refuses loudly. What passes
here has been tested against this double, no more; see README.md of the plugin.
"""
