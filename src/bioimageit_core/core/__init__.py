"""What every layer above shares; no plugin, no network, no printing."""
