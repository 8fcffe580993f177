"""visualization_msgs/MarkerArray of a capture: canvas.py makes messages, the others say what is drawn where.

body.py        fitted sites, ellipsoids of uncertainty, tracking state, flashes of heel strikes
keypoints.py   points and lines of sight of what the detectors saw
cameras.py     frusta, coloured by status, with residuals
steps.py       footprints with step length and width, line of progression
"""
