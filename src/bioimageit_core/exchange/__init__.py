"""Experiments that move: between homes, and to forms that others read."""
