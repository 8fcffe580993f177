"""Fitting trajectories of the body to the images."""

import jax

# Sums of thousands of squared pixels need all of float32: GPUs would otherwise round products to 10 bits.
jax.config.update("jax_default_matmul_precision", "highest")
