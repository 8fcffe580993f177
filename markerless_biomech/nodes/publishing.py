"""Everything that motion_estimator publishes of a frame set, the joint angles first."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node

from ..body.subject import Subject
from ..body.urdf import LinkTree, link_tree, urdf_text
from ..cameras.rig import Rig
from ..gait.step_watch import StepNews
from ..keypoints import KeypointSet
from ..recording.definitions import DEFINITION_NAMES, definition_texts, model_id
from ..recording.link_messages import fitted_to_message, links_to_message
from ..recording.message_types import stamp_to_message, string_to_message
from ..recording.messages import transforms_to_message
from ..recording.result_messages import (
    FitRecord,
    FittedCameras,
    FitTimes,
    body_to_message,
    cameras_to_message,
    joints_to_message,
    report_to_message,
)
from ..recording.step_messages import news_messages
from ..results import BodyEstimate, Tracking
from ..settings import EstimatorSettings
from . import quality
from .ros_types import TYPES
from .worker import Outcome


class ResultPublisher:
    """Publishers of one configured estimator. `publish` is called by the worker thread, the rest by the executor's."""

    def __init__(self, node: Node, settings: EstimatorSettings, keypoint_set: KeypointSet, subject: Subject) -> None:
        # read-only after construction
        self._node = node
        self._settings = settings
        self._keypoint_set = keypoint_set
        self._model_id = model_id(keypoint_set)
        self._publishers: list[Any] = []
        self._joints = self._make(TYPES.JointState, "joint_states", quality.RESULTS)
        self._transforms = self._make(TYPES.TFMessage, "/tf", quality.TRANSFORMS)
        self._body = self._make(TYPES.BodyState, "body_state", quality.RESULTS)
        self._settled = self._make(TYPES.BodyState, "body_state_settled", quality.RESULTS)
        self._reports = self._make(TYPES.FitReport, "fit_report", quality.RESULTS)
        self._steps = self._make(TYPES.StepEvent, "step_events", quality.RESULTS)
        self._gait = self._make(TYPES.GaitParameters, "gait_parameters", quality.RESULTS)
        self._cameras = self._make(TYPES.FittedCameras, "fitted_cameras", quality.RESULTS)
        self._description = self._make(TYPES.String, "robot_description", quality.LATCHED)
        self._definitions = {
            name: self._make(TYPES.String, f"definitions/{name}", quality.LATCHED) for name in DEFINITION_NAMES
        }
        self._static_transforms: Any = None
        # exchanged whole
        self._links = LinkTransforms(subject, settings)
        self.take_subject(subject)

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)

    def take_subject(self, subject: Subject, settings: EstimatorSettings | None = None) -> None:
        """Publish what a subject defines, with the settings that name it when those have changed."""
        self._settings = settings or self._settings
        self._links = LinkTransforms(subject, self._settings)
        self._description.publish(string_to_message(TYPES, urdf_text(subject)))
        self._define(definition_texts(self._keypoint_set, subject=subject, settings=self._settings))

    def take_rig(self, rig: Rig, ours: bool) -> None:
        """Publish the rig's definition; `ours`: and its cameras on /tf_static, since they came from a file of ours."""
        self._define({"rig": definition_texts(self._keypoint_set, rig=rig)["rig"]})
        if not ours:
            return
        if self._static_transforms is None:
            self._static_transforms = self._make(TYPES.TFMessage, "/tf_static", quality.LATCHED)
        cameras = list(rig.cameras.values())
        stamp_ns = self._node.get_clock().now().nanoseconds
        self._static_transforms.publish(
            transforms_to_message(
                TYPES,
                stamp_ns,
                [rig.world_frame] * len(cameras),
                [camera.frame_id for camera in cameras],
                [camera.position_m for camera in cameras],  # type: ignore[arg-type]
                [camera.orientation_xyzw for camera in cameras],  # type: ignore[arg-type]
            )
        )

    def publish(self, outcome: Outcome, calibration_version: int, dropped: Callable[[], Mapping[str, int]]) -> float:
        """Publish one frame set's results, those that somebody waits for first.

        Returns when joint_states had left (steady clock, s), or 0 when there were none.
        """
        live = outcome.estimate.live
        if live is not None and not outcome.newest and live.tracking is not Tracking.LOST:
            live = None
        published_s = 0.0
        if live is not None and live.tracking is not Tracking.LOST:
            self._joints.publish(joints_to_message(TYPES, live))
            published_s = time.monotonic()
            self._publish_transforms(live)
        if live is not None:
            self._body.publish(self._state(live, calibration_version))
        for settled in outcome.estimate.settled:
            self._settled.publish(self._state(settled, calibration_version))
        record = FitRecord(outcome.estimate.report, _times(outcome, published_s), dropped(), outcome.estimate.reset)
        self._reports.publish(report_to_message(TYPES, record, self._settings.world_frame))
        return published_s

    def publish_steps(self, news: StepNews) -> None:
        """Publish what is new about steps."""
        events, parameters = news_messages(TYPES, news, self._settings.world_frame)
        for event in events:
            self._steps.publish(event)
        if parameters is not None:
            self._gait.publish(parameters)

    def publish_cameras(self, cameras: FittedCameras) -> None:
        """Publish how the cameras stand and fare, and where they were found on /tf."""
        self._cameras.publish(cameras_to_message(TYPES, cameras, self._settings.world_frame))
        transforms = fitted_to_message(TYPES, cameras, self._settings)
        if transforms is not None:
            self._transforms.publish(transforms)

    def _publish_transforms(self, live: BodyEstimate) -> None:
        message = self._links.at(live)
        if message is not None:
            self._transforms.publish(message)

    def _state(self, estimate: BodyEstimate, calibration_version: int) -> Any:
        pelvis = f"{self._settings.frame_prefix}pelvis"
        return body_to_message(TYPES, estimate, self._settings.world_frame, pelvis, self._model_id, calibration_version)

    def _define(self, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            self._definitions[name].publish(string_to_message(TYPES, text))

    def _make(self, kind: Any, topic: str, profile: Any) -> Any:
        publisher = self._node.create_publisher(kind, topic, profile, event_callbacks=quality.NO_PUBLISHER_EVENTS)
        self._publishers.append(publisher)
        return publisher


class LinkTransforms:
    """The TFMessage of a subject, made once and filled in place: making 35 transforms takes time."""

    def __init__(self, subject: Subject, settings: EstimatorSettings) -> None:
        self._settings = settings
        self._tree: LinkTree = link_tree(subject)
        self._message: Any = None

    def at(self, live: BodyEstimate) -> Any | None:
        """The message at a pose; valid until the next call. None where the setting `tf` is off."""
        if self._message is None:
            self._message = links_to_message(TYPES, self._tree, live, self._settings)
            return self._message
        positions_m, turns_xyzw = self._tree.transforms(live.qpos)
        stamp = stamp_to_message(TYPES, live.stamp_ns)
        root = self._message.transforms[0].transform.translation
        root.x, root.y, root.z = positions_m[0].tolist()
        for entry, (x, y, z, w) in zip(self._message.transforms, turns_xyzw.tolist(), strict=False):
            entry.header.stamp = stamp
            turn = entry.transform.rotation
            turn.x, turn.y, turn.z, turn.w = x, y, z, w
        return self._message


def _times(outcome: Outcome, published_s: float) -> FitTimes:
    """The frame set's way, from the middleware to publish(joint_states)."""
    return FitTimes(
        received_first_s=outcome.frame_set.first_arrival_ns * 1e-9,
        received_last_s=outcome.frame_set.last_arrival_ns * 1e-9,
        assembled_s=outcome.assembled_ns * 1e-9,
        solve_start_s=outcome.solve_start_ns * 1e-9,
        solve_end_s=outcome.solve_end_ns * 1e-9,
        published_s=published_s,
    )
