"""What a 2-D keypoint detector makes of the true pixels: noise, outliers, guesses, swapped limbs, confidence.

F frames, C cameras, K keypoints. Pixel errors are given for a person 4 m away and are proportional to the person's size
in the image, as those of real detectors: the error in metres is about the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from ..keypoints import KeypointSet
from ..settings import SimulationSettings

REFERENCE_DISTANCE_M = 4.0
SMALLEST_SIZE, LARGEST_SIZE = 0.4, 2.5
"""Bounds of the size in the image relative to that at 4 m."""
CORRELATION_S = 0.1
"""Of the correlated half of the noise's variance."""
BIAS_SHARE = 0.7
"""SD of the view-dependent bias of a site, in units of the noise."""
REALISTIC_OUTLIERS = 0.05
OUTLIER_PX = (25.0, 250.0)
"""Shortest and longest displacement of an outlier, at 4 m."""
GUESS_SHARE, GUESS_NOISE = 0.5, 3.0
"""A realistic detector guesses half of the hidden points, with this many times the noise."""
SWAPS_A_S = 0.1
"""Left/right swaps a second and camera, each of legs or arms."""
SWAP_S = (0.05, 0.35)
"""Shortest and longest duration of a swap."""
LIMBS = (("femur", "tibia", "talus", "calcn", "toes"), ("humerus", "ulna", "radius", "hand"))


@dataclass(frozen=True, eq=False)
class TrueView:
    """What a perfect detector would see."""

    pixels: np.ndarray
    """(F, C, K, 2)"""
    inside: np.ndarray
    """(F, C, K) bool: in the image, and a keypoint that the body has."""
    hidden: np.ndarray
    """(F, C, K) bool: behind the body."""
    distance_m: np.ndarray
    """(F, C) from the camera to the person."""
    azimuth_rad: np.ndarray
    """(F, C) direction of the camera as seen from the person."""


def detect(settings: SimulationSettings, keypoint_set: KeypointSet, view: TrueView) -> tuple[np.ndarray, np.ndarray]:
    """(keypoints (F, C, K, 3) float32: u, v, confidence, 0 not seen; swapped (F, C, K) bool). Fixed by the seed."""
    noise_rng, outlier_rng, confidence_rng, swap_rng, bias_rng = (
        np.random.default_rng([settings.seed, stream]) for stream in (30, 31, 32, 33, 34)
    )
    size = np.clip(REFERENCE_DISTANCE_M / np.maximum(view.distance_m, 0.1), SMALLEST_SIZE, LARGEST_SIZE)
    scale_px = settings.noise_px * size[..., None, None]
    unit_error = _unit_noise(settings, view.pixels.shape, noise_rng)
    guessed = np.zeros(view.inside.shape, bool)
    if settings.realistic:
        guessed = view.hidden & (outlier_rng.random(view.hidden.shape) < GUESS_SHARE)
        unit_error = np.where(guessed[..., None], GUESS_NOISE * unit_error, unit_error)
        unit_error = unit_error + BIAS_SHARE * _view_bias(view.azimuth_rad, len(keypoint_set), bias_rng)
    pixels = view.pixels + scale_px * unit_error
    outlier = _outliers(settings, view.inside.shape, outlier_rng)
    pixels = np.where(outlier[..., None], pixels + _displacement(size, outlier.shape, outlier_rng), pixels)
    seen = view.inside & (~view.hidden | guessed)
    confidence = _confidence(np.linalg.norm(unit_error, axis=-1), outlier, guessed, confidence_rng)
    keypoints = np.concatenate([pixels, np.where(seen, confidence, 0.0)[..., None]], axis=-1)
    keypoints[~seen] = 0.0
    if not settings.realistic:
        return keypoints.astype(np.float32), np.zeros(seen.shape, bool)
    swapped = _swaps(settings, keypoint_set, seen.shape, swap_rng)
    keypoints = np.where(swapped[..., None], keypoints[:, :, keypoint_set.partners], keypoints)
    return keypoints.astype(np.float32), swapped


def _unit_noise(settings: SimulationSettings, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """(F, C, K, 2) of variance 1: white, or half white and half correlated over CORRELATION_S."""
    white = rng.standard_normal(shape)
    if not settings.realistic:
        return white
    keep = np.exp(-1.0 / (settings.fps * CORRELATION_S))
    drive = rng.standard_normal(shape) * np.sqrt(1.0 - keep**2)
    drive[0] /= np.sqrt(1.0 - keep**2)
    return np.sqrt(0.5) * (white + lfilter([1.0], [1.0, -keep], drive, axis=0))


def _view_bias(azimuth_rad: np.ndarray, keypoints: int, rng: np.random.Generator) -> np.ndarray:
    """(F, C, K, 2) of variance 1 over sites: a habit of the detector, the same in every camera."""
    habit = rng.standard_normal((keypoints, 2, 3))
    constant = np.full_like(azimuth_rad, np.sqrt(1 / 3))
    direction = np.stack([constant, np.sqrt(2 / 3) * np.cos(azimuth_rad), np.sqrt(2 / 3) * np.sin(azimuth_rad)], -1)
    return np.einsum("kid,fcd->fcki", habit, direction)


def _outliers(settings: SimulationSettings, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """(F, C, K) bool"""
    share = max(settings.outliers, REALISTIC_OUTLIERS) if settings.realistic else settings.outliers
    return rng.random(shape) < share


def _displacement(size: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """(F, C, K, 2) px, any direction."""
    angle = rng.uniform(0.0, 2.0 * np.pi, shape)
    length = rng.uniform(*OUTLIER_PX, shape) * size[..., None]
    return length[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)


def _confidence(error: np.ndarray, outlier: np.ndarray, guessed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(F, C, K) 0.5 to 0.97 when seen, lower where the detector guessed or went wrong."""
    sure = np.clip(0.92 - 0.08 * error + 0.05 * rng.standard_normal(error.shape), 0.5, 0.97)
    unsure = rng.uniform(0.05, 0.45, error.shape)
    wrong = rng.uniform(0.1, 0.8, error.shape)
    return np.where(outlier, wrong, np.where(guessed, unsure, sure))


def _swaps(
    settings: SimulationSettings, keypoint_set: KeypointSet, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """(F, C, K) bool: keypoints whose left and right are exchanged, whole legs or arms for some frames."""
    swapped = np.zeros(shape, bool)
    limbs = [np.array([body[:-2] in limb for body in keypoint_set.bodies]) for limb in LIMBS]
    frames, cameras = shape[:2]
    for camera in range(cameras):
        for limb in limbs:
            for start in np.flatnonzero(rng.random(frames) < SWAPS_A_S / settings.fps):
                end = start + max(1, round(settings.fps * rng.uniform(*SWAP_S)))
                swapped[start:end, camera] |= limb
    return swapped
