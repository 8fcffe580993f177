"""Smooth surfaces of the body's segments, to be looked at: skins lofted over the sections of segment_shapes.py.

One mesh for each body, in the base model's size and in the body's own frame; a subject's are these, stretched by
`body_scales`. The files in meshes/ are made from here by `python -m markerless_biomech.body.meshes meshes`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .names import BODY_NAMES
from .segment_shapes import SEGMENT_SHAPES, Loft

MESH_FOLDER = "package://markerless_biomech/meshes"
"""Where a ROS install has the files."""

COLOUR_RGB = {"r": (0.86, 0.62, 0.48), "l": (0.47, 0.63, 0.82), "": (0.80, 0.80, 0.79)}
"""Right, left, middle: paler than the same sides in our plots."""
_PELVIS_RGB = (0.42, 0.46, 0.51)

_CAP_DEG = (25.0, 50.0, 72.0, 90.0)
"""Where on the quarter circle that closes an end the sections are; the last is a single point."""


@dataclass(frozen=True, eq=False)
class SegmentMesh:
    """A closed surface, or several that overlap."""

    vertices_m: np.ndarray
    """(V, 3) in the body's frame, base model."""
    normals: np.ndarray
    """(V, 3) unit, outward."""
    faces: np.ndarray
    """(T, 3) int, counter-clockwise from outside."""


def mesh_path(body: str) -> str:
    """URL of the body's file in a ROS install."""
    return f"{MESH_FOLDER}/{body}.dae"


def mesh_colour(body: str) -> tuple[float, float, float]:
    """Red, green, blue, each 0 to 1."""
    if body == "pelvis":
        return _PELVIS_RGB
    return COLOUR_RGB[body[-1] if body.endswith(("_r", "_l")) else ""]


@cache
def segment_mesh(body: str) -> SegmentMesh:
    """Of one of BODY_NAMES. The left one is the right one in a mirror."""
    if body.endswith("_l"):
        right = segment_mesh(f"{body[:-2]}_r")
        mirror = np.array([1.0, -1.0, 1.0])
        return SegmentMesh(right.vertices_m * mirror, right.normals * mirror, right.faces[:, ::-1].copy())
    parts = [_lofted(loft) for loft in SEGMENT_SHAPES[body.removesuffix("_r")]]
    starts = np.cumsum([0, *(len(part.vertices_m) for part in parts[:-1])])
    return SegmentMesh(
        np.concatenate([part.vertices_m for part in parts]),
        np.concatenate([part.normals for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)]),
    )


def _lofted(loft: Loft) -> SegmentMesh:
    """The skin over a loft's sections, interpolated without overshoot, with rounded ends."""
    stations, sections = _dense(loft)
    rings = [_cap(sections[0], -loft.caps_m[0], stations[0])[::-1], list(zip(stations, sections, strict=True))]
    rings.append(_cap(sections[-1], loft.caps_m[1], stations[-1]))
    local = np.array([_ring(station, section, loft) for part in rings for station, section in part])
    vertices = local.reshape(-1, 3) @ loft.frame.T + loft.origin_m
    around = loft.corners
    tips = vertices[0], vertices[-1]  # the first and the last section have no size
    together = np.concatenate([vertices[around:-around], tips])
    faces = _faces(len(local) - 2, around)
    return SegmentMesh(together, _normals(together, faces), faces)


def _dense(loft: Loft) -> tuple[np.ndarray, np.ndarray]:
    """(S,) stations along the loft and the (S, 6) sections there."""
    from scipy.interpolate import PchipInterpolator  # slow to import, and whoever only names the files needs none

    given = np.array(loft.sections)
    stations = np.linspace(given[0, 0], given[-1, 0], loft.rings)
    return stations, PchipInterpolator(given[:, 0], given[:, 1:])(stations)


def _cap(section: np.ndarray, height_m: float, station: float) -> list[tuple[float, np.ndarray]]:
    """Sections of a rounded end, outwards; the last one has no size."""
    angles = np.radians(_CAP_DEG)
    shrunk = [np.concatenate([section[:2], section[2:] * np.cos(angle)]) for angle in angles]
    return [(station + height_m * np.sin(angle), one) for angle, one in zip(angles, shrunk, strict=True)]


def _ring(station: float, section: np.ndarray, loft: Loft) -> np.ndarray:
    """(corners, 3) of a section across the loft's third axis: a quarter of a superellipse to each side."""
    centre_1, centre_2, plus_1, minus_1, plus_2, minus_2 = section
    angle = 2.0 * np.pi * np.arange(loft.corners) / loft.corners
    along_1, along_2 = (np.sign(x) * np.abs(x) ** (2.0 / loft.squareness) for x in (np.cos(angle), np.sin(angle)))
    first = centre_1 + np.where(along_1 > 0, plus_1, minus_1) * along_1
    second = centre_2 + np.where(along_2 > 0, plus_2, minus_2) * along_2
    return np.stack([first, second, np.full(loft.corners, station)], axis=1)


def _faces(rings: int, around: int) -> np.ndarray:
    """(T, 3) triangles between `rings` rings of `around` corners, closed by the two points after them."""
    faces = []
    for ring in range(rings - 1):
        for corner in range(around):
            a, b = ring * around + corner, ring * around + (corner + 1) % around
            faces += [(a, b, b + around), (a, b + around, a + around)]
    start, end, top = rings * around, rings * around + 1, (rings - 1) * around
    for corner in range(around):
        after = (corner + 1) % around
        faces += [(start, after, corner), (end, top + corner, top + after)]
    return np.array(faces)


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) mean of the adjoining faces' normals, weighted with their areas."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, faces[:, corner], across)
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def collada_text(body: str) -> str:
    """A Collada file with the body's mesh, its normals and its colour: z up, metres."""
    mesh = segment_mesh(body)
    red, green, blue = mesh_colour(body)
    return _COLLADA.format(
        name=body,
        colour=f"{red} {green} {blue} 1",
        count=len(mesh.vertices_m),
        numbers=3 * len(mesh.vertices_m),
        positions=" ".join(f"{x:.4f}" for x in mesh.vertices_m.ravel()),
        normals=" ".join(f"{x:.3f}" for x in mesh.normals.ravel()),
        triangles=len(mesh.faces),
        corners=" ".join(map(str, mesh.faces.ravel())),
    )


_COLLADA = """<?xml version="1.0" encoding="utf-8"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><created>2026-01-01T00:00:00</created><modified>2026-01-01T00:00:00</modified>
<unit name="meter" meter="1"/><up_axis>Z_UP</up_axis></asset>
<library_effects><effect id="colour"><profile_COMMON><technique sid="common"><phong>
<ambient><color>{colour}</color></ambient><diffuse><color>{colour}</color></diffuse>
<specular><color>0.1 0.1 0.1 1</color></specular><shininess><float>20</float></shininess>
</phong></technique></profile_COMMON></effect></library_effects>
<library_materials><material id="skin"><instance_effect url="#colour"/></material></library_materials>
<library_geometries><geometry id="{name}"><mesh>
<source id="positions"><float_array id="position_numbers" count="{numbers}">{positions}</float_array>
<technique_common><accessor source="#position_numbers" count="{count}" stride="3">
<param name="X" type="float"/><param name="Y" type="float"/><param name="Z" type="float"/></accessor>
</technique_common></source>
<source id="normals"><float_array id="normal_numbers" count="{numbers}">{normals}</float_array>
<technique_common><accessor source="#normal_numbers" count="{count}" stride="3">
<param name="X" type="float"/><param name="Y" type="float"/><param name="Z" type="float"/></accessor>
</technique_common></source>
<vertices id="vertices"><input semantic="POSITION" source="#positions"/>
<input semantic="NORMAL" source="#normals"/></vertices>
<triangles material="skin" count="{triangles}"><input semantic="VERTEX" source="#vertices" offset="0"/>
<p>{corners}</p></triangles>
</mesh></geometry></library_geometries>
<library_visual_scenes><visual_scene id="scene"><node id="node"><instance_geometry url="#{name}">
<bind_material><technique_common><instance_material symbol="skin" target="#skin"/></technique_common></bind_material>
</instance_geometry></node></visual_scene></library_visual_scenes>
<scene><instance_visual_scene url="#scene"/></scene>
</COLLADA>
"""


def main(folder: Path) -> None:
    """Write every body's file into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for body in BODY_NAMES:
        (folder / f"{body}.dae").write_text(collada_text(body))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "meshes"))
