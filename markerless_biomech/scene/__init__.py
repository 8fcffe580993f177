"""What a capture looks like, as plain geometry: for RViz, for the web page and for pictures. Knows no ROS, no viewer.

colours.py      colours of sides, of tracking and of cameras' states
frusta.py       a camera as a pyramid, and what is written at it
footprints.py   the ledger of footprints that step events leave, their outlines, the line of progression
ellipsoids.py   ellipsoids of covariances; how a site's uncertainty lies, given the cameras that see it
observed.py     points and lines of sight of what the detectors saw, without the model
"""
