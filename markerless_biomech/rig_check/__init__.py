"""Check before you trust: does a calibration agree with what its cameras see? READ FIRST: `check.check_rig`."""
