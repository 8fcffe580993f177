"""Quaternion orders and matrices, against OpenCV's Rodrigues."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from markerless_biomech.rotations import matrix_from_xyzw, wxyz_from_xyzw, xyzw_from_matrix, xyzw_from_wxyz

components = st.floats(-3.2, 3.2, allow_subnormal=False)


@given(st.tuples(components, components, components))
def test_matrix_and_quaternion_agree_with_opencv_and_come_back(vector):
    matrix = cv2.Rodrigues(np.array(vector))[0]
    quaternion = xyzw_from_matrix(matrix)
    # Double precision through a handful of products.
    np.testing.assert_allclose(matrix_from_xyzw(quaternion), matrix, atol=1e-12)
    assert abs(np.linalg.norm(quaternion) - 1.0) < 1e-12 and quaternion[3] >= 0.0


def test_half_turns_keep_their_axis():
    for axis in np.eye(3):
        matrix = 2.0 * np.outer(axis, axis) - np.eye(3)
        np.testing.assert_allclose(np.abs(xyzw_from_matrix(matrix)), [*axis, 0.0], atol=1e-15)


def test_order_of_quaternions():
    np.testing.assert_array_equal(wxyz_from_xyzw(np.array([1, 2, 3, 4])), [4, 1, 2, 3])
    np.testing.assert_array_equal(xyzw_from_wxyz(np.array([[4, 1, 2, 3]])), [[1, 2, 3, 4]])


def test_leading_axes_are_kept():
    rng = np.random.default_rng(0)
    quaternions = rng.normal(size=(2, 5, 4))
    matrices = matrix_from_xyzw(quaternions)
    assert matrices.shape == (2, 5, 3, 3)
    np.testing.assert_allclose(matrix_from_xyzw(xyzw_from_matrix(matrices)), matrices, atol=1e-12)
