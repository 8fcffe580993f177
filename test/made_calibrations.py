"""Small calibrations as other programs write them, and what OpenCV projects with the same numbers."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

K = {
    "left": np.array([[900.0, 0.0, 640.0], [0.0, 905.0, 355.0], [0.0, 0.0, 1.0]]),
    "right": np.array([[1100.0, 0.0, 655.5], [0.0, 1098.0, 349.25], [0.0, 0.0, 1.0]]),
}
D = {"left": np.array([-0.2, 0.05, 0.001, -0.002, 0.01]), "right": np.array([-0.1, 0.02, -0.001, 0.0005, 0.0])}
CENTRES_M = {"left": np.array([3.0, -2.0, 1.5]), "right": np.array([-2.5, -3.0, 2.0])}
WIDTH, HEIGHT = 1280, 720


@dataclass(frozen=True)
class Source:
    """A pair of cameras in somebody's world, in which `up` is up and lengths are in units of `metres` m."""

    z_up_from_file: np.ndarray = field(default_factory=lambda: np.eye(3))
    metres: float = 1.0

    def rotation(self, name: str) -> np.ndarray:
        """(3, 3) camera from the file's world: towards (0, 0, 1) m."""
        forward = np.array([0.0, 0.0, 1.0]) - CENTRES_M[name]
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(forward, right), forward]) @ self.z_up_from_file

    def rvec(self, name: str) -> np.ndarray:
        return cv2.Rodrigues(self.rotation(name))[0][:, 0]

    def centre(self, name: str) -> np.ndarray:
        """In the file's world and unit."""
        return self.z_up_from_file.T @ CENTRES_M[name] / self.metres

    def translation(self, name: str) -> np.ndarray:
        return -self.rotation(name) @ self.centre(name)

    def project(self, name: str, points_m: np.ndarray) -> np.ndarray:
        """OpenCV's pixels, with the file's own numbers, of points in the lab (z up, m)."""
        in_file = points_m @ self.z_up_from_file / self.metres
        return cv2.projectPoints(in_file, self.rvec(name), self.translation(name), K[name], D[name])[0][:, 0]


Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""z-up world from one whose y is up."""
Y_DOWN = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""z-up world from one whose y is down, as a first camera's is."""


def flat(values: np.ndarray) -> str:
    return "[" + ", ".join(f"{x!r}" for x in np.ravel(values).tolist()) + "]"


def opencv_matrix(name: str, values: np.ndarray) -> str:
    values = np.atleast_2d(values)
    rows, cols = values.shape
    return f"{name}: !!opencv-matrix\n   rows: {rows}\n   cols: {cols}\n   dt: d\n   data: {flat(values)}\n"


def indented(text: str) -> str:
    return "".join(f"   {line}\n" for line in text.splitlines())


def opencv_file(path: Path, source: Source, nested: bool = True) -> Path:
    """FileStorage with a map a camera, or one whose keys end in the camera's name."""
    text = f"%YAML:1.0\n---\nimage_width: {WIDTH}\nimage_height: {HEIGHT}\n"
    for name in K:
        entries = {
            "K": K[name],
            "D": D[name][:, None],
            "R": source.rotation(name),
            "T": source.translation(name)[:, None],
        }
        if nested:
            text += f"{name}:\n" + indented("".join(opencv_matrix(key, value) for key, value in entries.items()))
        else:
            names = {"K": "camera_matrix", "D": "dist", "R": "R", "T": "T"}
            text += "".join(opencv_matrix(f"{names[key]}_{name}", value) for key, value in entries.items())
    path.write_text(text)
    return path


def opencv_storage(path: Path, source: Source) -> Path:
    """The same, written by OpenCV itself."""
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for name in K:
        storage.startWriteStruct(name, cv2.FILE_NODE_MAP)
        storage.write("camera_matrix", K[name])
        storage.write("distortion_coefficients", D[name])
        storage.write("rvec", source.rvec(name))
        storage.write("tvec", source.translation(name))
        storage.write("image_width", WIDTH)
        storage.write("image_height", HEIGHT)
        storage.endWriteStruct()
    storage.release()
    return path


def easymocap_files(folder: Path, source: Source, sizes: bool = True) -> Path:
    """intri.yml and extri.yml, six decimals as EasyMocap writes them; Windows' line ends."""
    names = "names:\n" + "".join(f'  - "{name}"\n' for name in K)
    intri = extri = "%YAML:1.0\n---\n" + names
    for name in K:
        intri += opencv_matrix(f"K_{name}", K[name]) + opencv_matrix(f"dist_{name}", D[name])
        intri += f"H_{name}: {HEIGHT}\nW_{name}: {WIDTH}\n" if sizes else ""
        extri += opencv_matrix(f"R_{name}", source.rvec(name)[:, None])
        extri += opencv_matrix(f"Rot_{name}", source.rotation(name))
        extri += opencv_matrix(f"T_{name}", source.translation(name)[:, None])
    (folder / "intri.yml").write_text(intri.replace("\n", "\r\n"))
    (folder / "extri.yml").write_text(extri.replace("\n", "\r\n"))
    return folder


def toml_file(path: Path, source: Source, metadata: str = "adjusted = false\nerror = 0.0") -> Path:
    text = ""
    for index, name in enumerate(K):
        text += f'[cam_{index}]\nname = "{name}"\nsize = [ {WIDTH}, {HEIGHT},]\nmatrix = {K[name].tolist()}\n'
        text += f"distortions = {flat(D[name])}\nrotation = {flat(source.rvec(name))}\n"
        text += f"translation = {flat(source.translation(name))}\n\n"
    path.write_text(text + f"[metadata]\n{metadata}\n")
    return path


def opencap_session(folder: Path, source: Source, protocol: int = 4) -> Path:
    """Videos/<camera>/cameraIntrinsicsExtrinsics.pickle."""
    for name in K:
        content = {
            "distortion": D[name][None],
            "intrinsicMat": K[name],
            "imageSize": np.array([[float(HEIGHT)], [float(WIDTH)]]),
            "rotation": np.asfortranarray(source.rotation(name)),
            "translation": source.translation(name)[:, None],
            "rotation_EulerAngles": np.zeros(3, np.float32),
        }
        place = folder / "Videos" / name
        place.mkdir(parents=True)
        (place / "cameraIntrinsicsExtrinsics.pickle").write_bytes(pickle.dumps(content, protocol=protocol))
    return folder


def qualisys_file(path: Path, source: Source) -> Path:
    """In mm and 64ths of a pixel; the rows of the transform are x right, y up, z backward; `right` records a part."""
    cameras = ""
    for name in K:
        rows = np.diag([1.0, -1.0, -1.0]) @ source.rotation(name)
        left, top = (100, 40) if name == "right" else (0, 0)
        entries = {f"r{i + 1}{j + 1}": rows[i, j] for i in range(3) for j in range(3)}
        entries |= dict(zip("xyz", source.centre(name), strict=True))
        k1, k2, p1, p2, k3 = D[name]
        lens = {"focalLengthU": 64 * K[name][0, 0], "focalLengthV": 64 * K[name][1, 1]}
        lens |= {"centerPointU": 64 * (K[name][0, 2] + left), "centerPointV": 64 * (K[name][1, 2] + top)}
        lens |= {"radialDistortion1": k1, "radialDistortion2": k2, "radialDistortion3": k3}
        lens |= {"tangentalDistortion1": p1, "tangentalDistortion2": p2}
        seen = {"left": left, "top": top, "right": left + WIDTH - 1, "bottom": top + HEIGHT - 1}
        cameras += f'<camera active="1" serial="{name}" model="Miqus Video">'
        for tag, attributes in (("fov_video", seen), ("transform", entries), ("intrinsic", lens)):
            cameras += f"<{tag} " + " ".join(f'{key}="{float(value)!r}"' for key, value in attributes.items()) + "/>"
        cameras += "</camera>"
    marker = '<camera active="1" serial="7" model="Oqus 700"/>'
    path.write_text(
        f"<?xml version='1.0' encoding='UTF-8'?><calibration><cameras>{cameras}{marker}</cameras></calibration>"
    )
    return path


def ros_files(folder: Path, source: Source, frame: str = "{name}_optical_frame") -> Path:
    """camera_calibration's YAML a camera; poses as `ros2 topic echo /tf_static` prints them, over a body frame."""
    for name in K:
        (folder / f"{name}.yaml").write_text(
            f"image_width: {WIDTH}\nimage_height: {HEIGHT}\ncamera_name: {name}\n"
            f"camera_matrix:\n  rows: 3\n  cols: 3\n  data: {flat(K[name])}\n"
            "distortion_model: plumb_bob\n"
            f"distortion_coefficients:\n  rows: 1\n  cols: 5\n  data: {flat(D[name])}\n"
            "rectification_matrix:\n  rows: 3\n  cols: 3\n  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]\n"
            f"projection_matrix:\n  rows: 3\n  cols: 4\n  data: {flat(np.c_[K[name], np.zeros(3)])}\n"
        )
    # x forward, y left, z up of the body to x right, y down, z forward of the optical frame: q = (-0.5, 0.5, -0.5, 0.5)
    body_from_optical = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    text = ""
    for name in K:
        world_from_body = source.rotation(name).T @ body_from_optical.T
        rotation_vector = cv2.Rodrigues(world_from_body)[0][:, 0]
        angle = np.linalg.norm(rotation_vector)
        quaternion = [*(np.sin(angle / 2) * rotation_vector / angle), np.cos(angle / 2)]
        text += transform("world", f"{name}_link", source.centre(name), quaternion)
        text += transform(f"{name}_link", frame.format(name=name), np.zeros(3), [-0.5, 0.5, -0.5, 0.5])
    (folder / "tf_static.yaml").write_text(f"transforms:\n{text}---\n")
    return folder


def transform(parent: str, child: str, position, quaternion) -> str:
    places = "".join(f"      {axis}: {float(x)!r}\n" for axis, x in zip("xyz", position, strict=True))
    turns = "".join(f"      {axis}: {float(x)!r}\n" for axis, x in zip("xyzw", quaternion, strict=True))
    return (
        f"- header:\n    stamp:\n      sec: 0\n      nanosec: 0\n    frame_id: {parent}\n  child_frame_id: {child}\n"
        f"  transform:\n    translation:\n{places}    rotation:\n{turns}"
    )
