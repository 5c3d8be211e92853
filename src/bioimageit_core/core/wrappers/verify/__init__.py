"""How tests of wrappers verify what a tool wrote: comparisons of files, and assertions on their content."""
