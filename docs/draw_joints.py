"""Draws docs/joints.png: each joint of the right side and of the trunk at +20 degrees over the neutral pose."""

from pathlib import Path

import matplotlib
import mujoco
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot

from markerless_biomech.body.base import CARRIED_BY_JOINT, NEUTRAL_QPOS, base_mujoco_model
from markerless_biomech.body.names import JOINT_NAMES

ANGLE_DEG = 20.0
# Axes of world to the right and up in the picture.
VIEWS = {
    "from the right": ((1, 0, 0), (0, 0, 1)),
    "from ahead": ((0, 1, 0), (0, 0, 1)),
    "from above": ((0, -1, 0), (1, 0, 0)),
}
AHEAD = ("hip_adduction_r", "subtalar_angle_r", "lumbar_bending", "neck_bending", "arm_add_r", "wrist_dev_r")
ABOVE = ("hip_rotation_r", "lumbar_rotation", "neck_rotation", "arm_rot_r", "pro_sup_r")
FEET = ("ankle_angle_r", "subtalar_angle_r", "mtp_angle_r", "hip_rotation_r")
HANDS = ("wrist_flex_r", "wrist_dev_r", "pro_sup_r", "arm_rot_r")


def main() -> None:
    joints = [name for name in JOINT_NAMES if not name.endswith("_l")]
    figure, panels = pyplot.subplots(4, 5, figsize=(15, 13))
    for panel, joint in zip(panels.flat, joints, strict=True):
        view = "from ahead" if joint in AHEAD else "from above" if joint in ABOVE else "from the right"
        turned = NEUTRAL_QPOS.copy()
        turned[7 + JOINT_NAMES.index(joint)] = np.deg2rad(ANGLE_DEG)
        carried = CARRIED_BY_JOINT[:, JOINT_NAMES.index(joint)]
        _draw(panel, NEUTRAL_QPOS, view, np.full(len(carried), "0.85"))
        _draw(panel, turned, view, np.where(carried, "tab:orange", ""))
        _frame(panel, joint)
        panel.set_title(f"{joint}\n{view}", fontsize=11)
    figure.tight_layout()
    figure.savefig(Path(__file__).with_name("joints.png"), dpi=60)


def _draw(panel: pyplot.Axes, qpos: np.ndarray, view: str, colours: np.ndarray) -> None:
    """Every capsule as a row of discs, in its body's colour; '' leaves a body out."""
    model = base_mujoco_model()
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    for geom in range(model.ngeom):
        colour = str(colours[model.geom_bodyid[geom]])
        axis = data.geom_xmat[geom].reshape(3, 3)[:, 2]
        for along in np.linspace(-1.0, 1.0, 12) if colour else ():
            centre = np.array(VIEWS[view]) @ (data.geom_xpos[geom] + along * model.geom_size[geom, 1] * axis)
            panel.add_patch(pyplot.Circle(tuple(centre), model.geom_size[geom, 0], color=colour, lw=0))


def _frame(panel: pyplot.Axes, joint: str) -> None:
    """Equal axes; close up where the joint is small."""
    panel.set_aspect("equal")
    panel.axis("off")
    panel.autoscale_view()
    if joint in ABOVE:
        panel.set_xlim(-0.45, 0.45)
        panel.set_ylim(-0.4, 0.4)
    elif joint in FEET:
        panel.set_ylim(-0.02, 0.3)
        panel.set_xlim(-0.25, 0.25)
    elif joint in HANDS:
        panel.set_ylim(0.62, 1.15)
        panel.set_xlim(-0.4, 0.2)


if __name__ == "__main__":
    main()
