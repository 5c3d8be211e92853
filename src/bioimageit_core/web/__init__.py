"""The page and its HTTP API: `bioimageit serve`. Speaks to `Request` alone."""
