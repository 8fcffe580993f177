"""Run by tests in a process of its own: OpenSim reads a TRC or a MOT and says as JSON what it found.

Of its own because a mistake in its bindings ends the process, and because OpenSim logs into the working directory.
A MOT also moves a body on Rajagopal's ground joint, so that what is compared is where OpenSim puts the pelvis.
"""

import json
import sys

import opensim


def read_trc(path: str) -> dict:
    table = opensim.TimeSeriesTableVec3(path)
    flat = table.flatten()
    matrix = flat.getMatrix()
    markers = opensim.MarkerData(path)
    return {
        "labels": list(table.getColumnLabels()),
        "units": table.getTableMetaDataString("Units"),
        "rate": float(table.getTableMetaDataString("DataRate")),
        "time": list(table.getIndependentColumn()),
        "rows": [[matrix.getElt(row, column) for column in range(matrix.ncol())] for row in range(matrix.nrow())],
        "frames_of_marker_data": markers.getNumFrames(),
        "markers_of_marker_data": markers.getNumMarkers(),
    }


def read_mot(path: str) -> dict:
    table = opensim.TimeSeriesTable(path)
    storage = opensim.Storage(path)
    labels = list(table.getColumnLabels())
    rows = []
    for index in range(table.getNumRows()):
        row = table.getRowAtIndex(index)
        rows.append([row[column] for column in range(len(labels))])
    return {
        "labels": labels,
        "time": list(table.getIndependentColumn()),
        "rows": rows,
        "in_degrees": storage.isInDegrees(),
        "size": storage.getSize(),
        "pelvis": pelvis_poses(labels, rows),
    }


def pelvis_poses(labels: list, rows: list) -> list:
    """Position (3,) and rotation matrix (9,) of the pelvis in ground at each row."""
    model = opensim.Model()
    pelvis = opensim.Body("pelvis", 10.0, opensim.Vec3(0), opensim.Inertia(1))
    model.addBody(pelvis)
    model.addJoint(opensim.CustomJoint("ground_pelvis", model.getGround(), pelvis, ground_pelvis()))
    state = model.initSystem()
    poses = []
    for row in rows:
        for index in range(6):
            coordinate = model.getCoordinateSet().get(index)
            value = row[labels.index(coordinate.getName())]
            turns = not coordinate.getName().startswith("pelvis_t") or coordinate.getName() == "pelvis_tilt"
            coordinate.setValue(state, value * opensim.SimTK_DEGREE_TO_RADIAN if turns else value)
        model.realizePosition(state)
        transform = pelvis.getTransformInGround(state)
        place, turn = transform.p(), transform.R()
        poses.append([*(place[i] for i in range(3)), *(turn.get(i, j) for i in range(3) for j in range(3))])
    return poses


def ground_pelvis() -> "opensim.SpatialTransform":
    """As in Rajagopal2016 and gait2392: tilt about z, list about x, rotation about y."""
    transform = opensim.SpatialTransform()
    axes = {"tilt": (0, 0, 1), "list": (1, 0, 0), "rotation": (0, 1, 0)}
    axes |= {"tx": (1, 0, 0), "ty": (0, 1, 0), "tz": (0, 0, 1)}
    for index, (name, axis) in enumerate(axes.items()):
        one = transform.updTransformAxis(index)
        names = opensim.ArrayStr()
        names.append(f"pelvis_{name}")
        one.setCoordinateNames(names)
        one.setAxis(opensim.Vec3(*axis))
        one.set_function(opensim.LinearFunction(1.0, 0.0))
    return transform


if __name__ == "__main__":
    opensim.Logger.setLevelString("Error")
    found = read_trc(sys.argv[1]) if sys.argv[1].endswith(".trc") else read_mot(sys.argv[1])
    print(json.dumps(found))
