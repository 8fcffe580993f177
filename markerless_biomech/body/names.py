"""Names of the body's segments, joints and scale factors, in the order of every array of the project."""

BODY_NAMES = (
    "pelvis",
    *(f"{segment}_{side}" for side in "rl" for segment in ("femur", "tibia", "talus", "calcn", "toes")),
    "torso",
    "head",
    *(f"{segment}_{side}" for side in "rl" for segment in ("humerus", "ulna", "radius", "hand")),
)
"""OpenSim's names of the 21 bodies, in the MJCF's (depth-first) order."""

_LEG = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle", "subtalar_angle", "mtp_angle")
_ARM = ("arm_flex", "arm_add", "arm_rot", "elbow_flex", "pro_sup", "wrist_flex", "wrist_dev")

JOINT_NAMES = (
    *(f"{joint}_{side}" for side in "rl" for joint in _LEG),
    *(f"{joint}_{motion}" for joint in ("lumbar", "neck") for motion in ("extension", "bending", "rotation")),
    *(f"{joint}_{side}" for side in "rl" for joint in _ARM),
)
"""The 34 joints in the order of JointState, BodyState and qpos[7:]."""

SCALE_NAMES = (
    "overall",
    "pelvis",
    *(f"{segment}_{side}" for side in "rl" for segment in ("thigh", "leg")),
    "arm_r",
    "arm_l",
    "trunk_length",
    "shoulder_width",
)
"""The subject's scale factors beta; all 0 is the base model."""
