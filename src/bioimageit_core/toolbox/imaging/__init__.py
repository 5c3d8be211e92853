"""Image processing on arrays that know their axes, pixel sizes and channel names."""
