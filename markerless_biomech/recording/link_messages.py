"""/tf of a body (the pelvis in world, every link in its parent) and of fitted cameras, with the frames' prefix."""

from __future__ import annotations

from typing import Any

from ..body.urdf import LinkTree
from ..results import BodyEstimate
from ..settings import EstimatorSettings
from .frame_names import fitted_frame
from .message_types import Types
from .messages import transforms_to_message
from .result_messages import FittedCameras


def links_to_message(types: Types, tree: LinkTree, estimate: BodyEstimate, settings: EstimatorSettings) -> Any | None:
    """TFMessage of an estimate; None where the setting `tf` is off. With `root` the pelvis alone."""
    if settings.tf == "off":
        return None
    positions_m, orientations_xyzw = tree.transforms(estimate.qpos)
    count = 1 if settings.tf == "root" else len(tree.children)
    parents = [settings.world_frame, *(settings.frame_prefix + parent for parent in tree.parents[1:count])]
    children = [settings.frame_prefix + child for child in tree.children[:count]]
    return transforms_to_message(
        types, estimate.stamp_ns, parents, children, positions_m[:count], orientations_xyzw[:count]
    )


def fitted_to_message(types: Types, cameras: FittedCameras, settings: EstimatorSettings) -> Any | None:
    """TFMessage of `<optical frame>_fitted` in world, under our prefix; None where the setting `tf` is off."""
    if settings.tf == "off":
        return None
    return transforms_to_message(
        types,
        cameras.stamp_ns,
        [settings.world_frame] * len(cameras.names),
        [fitted_frame(frame, settings.frame_prefix) for frame in cameras.frame_ids],
        cameras.poses[:, :3],
        cameras.poses[:, 3:],
    )
