"""Streaming markerless motion capture: 2-D keypoints of several cameras in, joint angles out."""

import os
from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)  # msg/ is generated: it is where this package is installed
__version__ = "0.1.0"

# The fit's matrices are small: one thread is as fast as two, and never waits for a core that another process has (a
# fit of 4 ms took up to 150 ms beside a busy process). Read by the libraries when they load; set them to change it.
for _name in ("OPENBLAS_NUM_THREADS", "PJRT_NPROC"):
    os.environ.setdefault(_name, "1")
