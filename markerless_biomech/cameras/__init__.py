"""Cameras: lens models, rigs, their files, and frame sets."""
