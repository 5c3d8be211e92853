"""The plugin engine and the built-in services."""
