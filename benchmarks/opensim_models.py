"""Does an OpenSim model turn as the mot file that we write for it means? For each coordinate that both have, at 20
degrees alone: the angle between the turn of OpenSim's body and ours. Needs `pip install opensim` and the models' files
(github.com/opensim-org/opensim-models: Rajagopal2016.osim, gait2392_thelen2003muscle.osim):

    python benchmarks/opensim_models.py Rajagopal2016.osim gait2392_thelen2003muscle.osim
"""

from __future__ import annotations

import sys

import mujoco
import numpy as np
import opensim
from scipy.spatial.transform import Rotation

from markerless_biomech.body.base import base_mujoco_model
from markerless_biomech.body.kinematics import JOINT_BODY
from markerless_biomech.body.names import BODY_NAMES, JOINT_NAMES
from markerless_biomech.recording.export_opensim import TURNED_ROUND
from markerless_biomech.recording.opensim_axes import OPENSIM_FROM_ROS

TURN_RAD = np.radians(20.0)


def our_turn(joint: str, sign: float) -> tuple[str, Rotation]:
    """The body that a joint moves and how, in OpenSim's axes."""
    model, index = base_mujoco_model(), JOINT_NAMES.index(joint)
    data = mujoco.MjData(model)
    data.qpos[7 + index] = sign * TURN_RAD
    mujoco.mj_kinematics(model, data)
    body = BODY_NAMES[JOINT_BODY[index] - 1]
    matrix = data.body(body).xmat.reshape(3, 3)
    return body, Rotation.from_matrix(OPENSIM_FROM_ROS @ matrix @ OPENSIM_FROM_ROS.T)


class TheirModel:
    """An OpenSim model with every coordinate free and at 0."""

    def __init__(self, path: str) -> None:
        self.model = opensim.Model(path)
        self.state = self.model.initSystem()
        found = self.model.getCoordinateSet()
        self.coordinates = {found.get(i).getName(): found.get(i) for i in range(found.getSize())}
        bodies = self.model.getBodySet()
        self.bodies = {bodies.get(i).getName() for i in range(bodies.getSize())}
        for coordinate in self.coordinates.values():
            coordinate.setLocked(self.state, False)

    def turn(self, coordinate: str, body: str) -> Rotation:
        """How the coordinate turns the body."""
        before = self._orientation(body, None)
        return self._orientation(body, coordinate) * before.inv()

    def _orientation(self, body: str, turned: str | None) -> Rotation:
        for name, coordinate in self.coordinates.items():
            if not coordinate.isDependent(self.state):
                coordinate.setValue(self.state, TURN_RAD if name == turned else 0.0, False)
        self.model.realizePosition(self.state)
        found = self.model.getBodySet().get(body).getTransformInGround(self.state).R()
        return Rotation.from_matrix([[found.get(i, j) for j in range(3)] for i in range(3)])


def main(paths: list[str]) -> None:
    opensim.Logger.setLevelString("Error")
    for path in paths:
        theirs = TheirModel(path)
        turned_round = TURNED_ROUND["rajagopal" if "arm_flex_r" in theirs.coordinates else "gait2392"]
        print(path)
        for joint in JOINT_NAMES:
            body, ours = our_turn(joint, -1.0 if joint.startswith(turned_round) else 1.0)
            body = "hand" + body[-2:] if body.startswith("radius") and body not in theirs.bodies else body
            if joint not in theirs.coordinates or body not in theirs.bodies:
                print(f"  {joint:18} not in this model")
                continue
            between = (theirs.turn(joint, body) * ours.inv()).magnitude()
            print(f"  {joint:18} {np.degrees(between):5.1f} deg apart")


if __name__ == "__main__":
    main(sys.argv[1:])
