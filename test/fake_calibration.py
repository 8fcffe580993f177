"""Stands in for the process that calibrates; the request's name says how it shall behave."""

import os
import sys
import time

from markerless_biomech.body.subject import subject_from_height
from markerless_biomech.nodes.calibration_messages import CalibratedSubject, Progress, Refusal
from markerless_biomech.nodes.second_process import serve


def answer(request, send):
    print("what a library prints is no message")
    send(Progress(0.5, f"objective {sum(len(s.frame_sets) for s in request.stretches)}"))
    if request.name == "crashes":
        raise RuntimeError("the fake fell over")
    if request.name == "refuses":
        send(Refusal("nobody can be followed"))
    elif request.name == "hangs":
        time.sleep(3600.0)
    else:
        subject = subject_from_height(1.8, request.keypoint_set, request.name)
        figures = {name: os.environ.get(name, "") for name in ("PJRT_NPROC", "JAX_PLATFORMS")}
        figures["nice"] = str(os.nice(0))
        send(CalibratedSubject(subject, 2.0, figures))


if __name__ == "__main__":
    serve(answer)
    sys.exit(0)
