"""Draws docs/pictures/body.png: the meshes of the URDF on the base model, by MuJoCo's renderer.

MUJOCO_GL=egl python docs/draw_body.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import mujoco
import numpy as np

from markerless_biomech.body.base import NEUTRAL_QPOS, load_spec
from markerless_biomech.body.meshes import mesh_colour, segment_mesh
from markerless_biomech.body.names import BODY_NAMES, JOINT_NAMES

OUT = Path(__file__).parent / "pictures" / "body.png"
STEP_DEG = {
    **{"hip_flexion_r": 32, "knee_angle_r": 12, "hip_flexion_l": -12, "knee_angle_l": 30, "ankle_angle_l": -8},
    **{"mtp_angle_l": 25, "arm_flex_r": -22, "elbow_flex_r": 20, "arm_flex_l": 25, "elbow_flex_l": 35},
    **{"pro_sup_r": 90, "pro_sup_l": 90, "lumbar_rotation": 6},
}
BEND_DEG = {
    **{"hip_flexion_r": 75, "knee_angle_r": 85, "lumbar_extension": -25, "arm_add_r": -45, "arm_flex_l": 100},
    **{"elbow_flex_l": 70, "pro_sup_l": 90, "neck_rotation": 25, "pro_sup_r": 90},
}
WIDTH, HEIGHT = 640, 1000


def scene() -> mujoco.MjModel:
    """The base model with its meshes for capsules, on a light floor."""
    spec = load_spec()
    for geom in spec.geoms:
        geom.group = 3
    for site in spec.sites:
        site.group = 4
    for body in BODY_NAMES:
        mesh = segment_mesh(body)
        spec.add_mesh(
            name=body,
            uservert=mesh.vertices_m.astype(np.float32).ravel(),
            userface=mesh.faces.astype(np.int32).ravel(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )
        skin = [*mesh_colour(body), 1.0]
        spec.body(body).add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=body, rgba=skin, mass=1e-3)
    white = {"type": mujoco.mjtTexture.mjTEXTURE_SKYBOX, "builtin": mujoco.mjtBuiltin.mjBUILTIN_FLAT}
    spec.add_texture(name="sky", rgb1=[1, 1, 1], rgb2=[1, 1, 1], width=64, height=64, **white)
    spec.worldbody.add_light(pos=[3, -3, 5], dir=[-0.5, 0.5, -0.8], diffuse=[0.45] * 3, castshadow=False)
    spec.visual.headlight.ambient = [0.5] * 3
    spec.visual.headlight.diffuse = [0.3] * 3
    spec.visual.global_.offwidth, spec.visual.global_.offheight = WIDTH, HEIGHT
    return spec.compile()


def shot(model: mujoco.MjModel, posture_deg: dict[str, float], azimuth_deg: float) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) a picture of one posture."""
    data, camera = mujoco.MjData(model), mujoco.MjvCamera()
    data.qpos[:] = NEUTRAL_QPOS
    for joint, angle_deg in posture_deg.items():
        data.qpos[7 + JOINT_NAMES.index(joint)] = np.radians(angle_deg)
    mujoco.mj_forward(model, data)
    camera.azimuth, camera.elevation, camera.distance, camera.lookat = azimuth_deg, -6, 2.5, [0.0, 0.0, 0.92]
    with mujoco.Renderer(model, HEIGHT, WIDTH) as renderer:
        renderer.update_scene(data, camera)
        return renderer.render()


def main() -> None:
    model = scene()
    views = [({}, 180.0), ({}, 100.0), (STEP_DEG, 125.0), (BEND_DEG, 150.0), ({}, 10.0)]
    matplotlib.image.imsave(OUT, np.concatenate([shot(model, *view) for view in views], axis=1)[::2, ::2])


if __name__ == "__main__":
    main()
