"""MarkerArrays of a capture: what RViz would complain about is not in them, and nothing stale stays."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
from visualization_msgs.msg import Marker

from markerless_biomech.gait.values import StepEvent
from markerless_biomech.nodes.markers.body import draw_body, draw_flashes, draw_status
from markerless_biomech.nodes.markers.cameras import draw_cameras
from markerless_biomech.nodes.markers.canvas import Canvas
from markerless_biomech.nodes.markers.keypoints import draw_keypoints
from markerless_biomech.nodes.markers.steps import draw_steps
from markerless_biomech.nodes.rviz_markers import LONG_LIFE_S, SELDOM_S, Layer
from markerless_biomech.recording.camera_health import fitted_cameras
from markerless_biomech.results import BodyEstimate, Tracking, lost
from markerless_biomech.scene.footprints import Footprints
from markerless_biomech.settings import SimulationSettings
from markerless_biomech.simulation.camera_ring import true_rig

pytestmark = pytest.mark.ros
RIG = true_rig(SimulationSettings(cameras=3))
SITES = np.random.default_rng(0).uniform(0.0, 1.8, (17, 3))


def complaints(marker) -> list[str]:
    """Why RViz would show this marker's display in red or yellow."""
    turn = marker.pose.orientation
    checks = {
        "no frame": not marker.header.frame_id,
        "no unit quaternion": abs(turn.x**2 + turn.y**2 + turn.z**2 + turn.w**2 - 1.0) > 1e-3,
        "fully transparent": marker.color.a <= 0.0 and not marker.colors,
        "colours do not match points": len(marker.colors) not in (0, len(marker.points)),
        "not finite": not np.isfinite([[p.x, p.y, p.z] for p in [marker.pose.position, *marker.points]]).all(),
        "stays for ever": marker.lifetime.sec + marker.lifetime.nanosec <= 0,
    }
    scale = (marker.scale.x, marker.scale.y, marker.scale.z)
    lists = {Marker.LINE_LIST: 2, Marker.TRIANGLE_LIST: 3, Marker.SPHERE_LIST: 1, Marker.LINE_STRIP: 1}
    if marker.type in lists:
        checks["no points, or not a multiple"] = not marker.points or len(marker.points) % lists[marker.type] > 0
        checks["one point is no line"] = marker.type == Marker.LINE_STRIP and len(marker.points) < 2
    if marker.type in (Marker.LINE_LIST, Marker.LINE_STRIP):
        checks["no width"] = scale[0] <= 0
    elif marker.type == Marker.TEXT_VIEW_FACING:
        checks["no text, or no height"] = not marker.text.strip() or scale[2] <= 0
    else:
        checks["no size"] = min(scale) <= 0
    return [name for name, wrong in checks.items() if wrong]


def body(tracking=Tracking.TRACKED) -> BodyEstimate:
    if tracking is Tracking.LOST:
        return lost(0, 17)
    nothing = np.zeros(41)
    seen = np.arange(17) % 2 == 0
    return BodyEstimate(0, False, tracking, nothing, nothing[:40], np.zeros((40, 40)), SITES, np.full(17, 0.004), seen)


def drawn(paint, canvas=None):
    """Markers by (namespace, id) after one drawing."""
    canvas = canvas or Canvas(1.0)
    canvas.begin(5, "lab/world")
    paint(canvas)
    return {(marker.ns, marker.id): marker for marker in canvas.finish().markers}


def footprints(count=4) -> Footprints:
    floor = Footprints(40)
    for index in range(count):
        heel = np.array([0.6 * index, 0.1 * (-1) ** index, 0.0])
        side = "left" if index % 2 == 0 else "right"
        step = StepEvent(index * 500_000_000, side, "heel_strike", heel, index + 1, step_length_m=0.6, step_width_m=0.2)
        floor.take(step, heading_rad=0.0)
    return floor


def everything(canvas: Canvas) -> None:
    draw_body(canvas, body(), RIG, 2.8)
    draw_status(canvas, body(Tracking.COASTING), False, np.zeros(3))
    draw_flashes(canvas, footprints(), 1_600_000_000, 0.4)
    draw_cameras(canvas, RIG, fitted_cameras(RIG, 0))
    draw_steps(canvas, footprints(), 0.27)


def test_rviz_has_nothing_to_complain_about():
    markers = drawn(everything)
    assert {key: complaints(marker) for key, marker in markers.items() if complaints(marker)} == {}
    namespaces = {namespace for namespace, _ in markers}
    on_the_body = {"sites", "uncertainty", "tracking", "heel_strikes"}
    around = {"frusta", "sights", "residuals", "footprints", "step_sizes", "progression"}
    assert namespaces == on_the_body | around
    assert {marker.header.frame_id for marker in markers.values()} == {"lab/world"}


def test_a_site_that_is_nowhere_is_not_drawn():
    state = body()
    sites_m = state.sites_m.copy()
    sites_m[3] = np.nan
    markers = drawn(lambda canvas: draw_body(canvas, replace(state, sites_m=sites_m), RIG, 2.8))
    assert len(markers["sites", 0].points) == len(markers["sites", 0].colors) == 16
    assert not any(complaints(marker) for marker in markers.values())
    nowhere = replace(state, sites_m=np.full_like(sites_m, np.nan))
    assert drawn(lambda canvas: draw_body(canvas, nowhere, RIG, 2.8)) == {}


def test_nothing_is_drawn_of_nothing():
    def nothing(canvas: Canvas) -> None:
        draw_body(canvas, body(Tracking.LOST), None, 2.8)
        draw_status(canvas, body(), False, np.zeros(3))
        draw_keypoints(canvas, None, True)
        draw_steps(canvas, Footprints(3), 0.27)

    assert drawn(nothing) == {}


def test_what_is_drawn_no_more_is_deleted_once():
    canvas = Canvas(1.0)
    drawn(lambda canvas: draw_steps(canvas, footprints(5), 0.27), canvas)
    after = drawn(lambda canvas: draw_steps(canvas, footprints(3), 0.27), canvas)
    gone = {key for key, marker in after.items() if marker.action == Marker.DELETE}
    assert gone == {(namespace, number) for namespace in ("footprints", "step_sizes") for number in (4, 5)}
    assert Marker.DELETE not in {m.action for m in drawn(lambda c: draw_steps(c, footprints(3), 0.27), canvas).values()}


def test_an_ellipsoid_is_as_large_as_its_site_is_unsure():
    markers = drawn(lambda canvas: draw_body(canvas, body(), RIG, 2.0))
    scale = markers["uncertainty", 3].scale
    # Root mean square of the semi-axes: two standard deviations of 4 mm.
    assert np.sqrt(np.mean(np.square([scale.x, scale.y, scale.z])) / 4) == pytest.approx(0.008)
    assert not any(namespace == "uncertainty" for namespace, _ in drawn(lambda c: draw_body(c, body(), RIG, 0.0)))


@pytest.mark.parametrize(
    ("state", "silent", "words"),
    [
        (None, True, "waiting for body_state"),
        (body(), True, "body_state is silent"),
        (body(Tracking.COASTING), False, "COASTING"),
        (body(Tracking.LOST), False, "LOST"),
        (body(Tracking.LOST), True, "LOST"),
    ],
)
def test_it_is_written_large_when_nobody_is_tracked(state, silent, words):
    markers = drawn(lambda canvas: draw_status(canvas, state, silent, np.array([1.0, 2.0, 0.9])))
    assert markers["tracking", 0].text == words and markers["tracking", 0].pose.position.x == 1.0


def test_a_moved_camera_is_red_and_drawn_where_it_was_too():
    cameras = fitted_cameras(RIG, 0)
    cameras.status[1], cameras.correction_deg[1] = cameras.MOVED, 1.0
    markers = drawn(lambda canvas: draw_cameras(canvas, RIG, cameras))
    assert markers["frusta", 1].color.r > 0.7 > 0.3 > markers["frusta", 0].color.r
    assert ("calibrated", 1) in markers and ("calibrated", 0) not in markers
    assert "MOVED" in markers["residuals", 1].text


def test_what_stays_is_renewed_in_time_and_drawn_seldom():
    layer = Layer(Mock(), "markers/steps", LONG_LIFE_S)
    times_s = np.arange(0.0, 10.0, 1 / 15)
    quiet = np.diff([now_s for now_s in times_s if layer.due(False, now_s)])
    assert len(quiet) and quiet.max() < LONG_LIFE_S / 2
    busy = np.diff([now_s for now_s in 20.0 + times_s if layer.due(True, now_s)])
    assert busy.min() >= SELDOM_S - 1e-9 and busy.max() < SELDOM_S + 0.1
