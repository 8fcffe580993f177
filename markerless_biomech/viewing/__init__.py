"""The web page of `markerless-biomech view`: a recorded or a live capture in a browser on this machine. Knows no ROS.

moment.py      what is shown at one instant, whoever tells it
recorded.py    moments of a bag               playhead.py    where in it we are
live_feed.py   moments of a running estimator, of values that a node puts in
stage.py       the 3-D scene: body_nodes.py, camera_nodes.py, floor_nodes.py
panels.py      the controls and tables beside it: cards.py (HTML), traces.py (angles over time)
server.py      a viser server on loopback     watch.py       moments onto the page, until told to stop
"""
