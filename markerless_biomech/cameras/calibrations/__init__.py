"""Readers and writers of calibrations, one file a format; `calibration_files.load_calibration` chooses among them."""
