"""`python -m markerless_biomech.cli`."""

from . import main

main(prog_name="markerless-biomech")
