"""Streaming markerless motion capture: 2-D keypoints of several cameras in, joint angles of a biomechanical model out."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)  # msg/ is generated: it is where this package is installed
__version__ = "0.1.0"
