"""The page of `view` shows what the bag holds, at the time that was asked for, to anybody on this machine."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest
import viser
from made_capture import COASTING_S, FOUND_S, LOST_S, recorded, written_bag
from made_results import START_NS, made_session
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from markerless_biomech.body.model import body_parameters, body_poses
from markerless_biomech.body.names import BODY_NAMES
from markerless_biomech.errors import InputError
from markerless_biomech.gait.values import StepEvent
from markerless_biomech.recording.definitions import subject_text
from markerless_biomech.recording.result_messages import FitRecord
from markerless_biomech.results import FitReport, Tracking, lost
from markerless_biomech.rotations import matrix_from_xyzw, xyzw_from_wxyz
from markerless_biomech.scene.colours import CAMERA_COLOURS, rgb
from markerless_biomech.scene.footprints import Footprints
from markerless_biomech.scene.frusta import frustum_m
from markerless_biomech.viewing import server as servers
from markerless_biomech.viewing.cards import camera_card, status_card
from markerless_biomech.viewing.floor_nodes import FloorNodes
from markerless_biomech.viewing.live_feed import SILENT_S, LiveFeed
from markerless_biomech.viewing.moment import Moment
from markerless_biomech.viewing.playhead import PlayHead
from markerless_biomech.viewing.recorded import RecordedMotion, read_motion
from markerless_biomech.viewing.views import EVERYTHING, WALKER, Views
from markerless_biomech.viewing.watch import LivePage, RecordedPage


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return recorded(tmp_path_factory.mktemp("view"))


@pytest.fixture(scope="module")
def server():
    server = servers.open_server(port=0)
    yield server
    servers.close_server(server)


@pytest.fixture(scope="module")
def page(server, session):
    page = RecordedPage(server, RecordedMotion(session))
    page.player.head.playing = False
    return page


def seek(page, time_s: float) -> None:
    page.player.head.seek(time_s)
    page.advance(0.0)


def node(server, path: str):
    return server.scene.get_handle_by_name(path)


def world_from(server, path: str) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and position of a node in the scene: those of its parents one after the other."""
    rotation, position = np.eye(3), np.zeros(3)
    parts = path.strip("/").split("/")
    for depth in range(1, len(parts) + 1):
        handle = node(server, "/" + "/".join(parts[:depth]))
        position = position + rotation @ handle.position
        rotation = rotation @ matrix_from_xyzw(xyzw_from_wxyz(handle.wxyz))
    return rotation, position


def path_of(page, body: str) -> str:
    return next(link.name for link in page._stage._body._links if link.name.endswith(f"/{body}"))


@pytest.mark.parametrize("time_s", [0.5, 1.8])
def test_every_segment_stands_where_the_model_has_it_at_that_time(page, server, session, time_s):
    seek(page, time_s)
    motion = page._motion
    qpos = motion.moment(time_s, "settled").qpos
    parameters = body_parameters(motion.capture.subject, session.keypoint_set)
    positions, quaternions = (np.asarray(values) for values in body_poses(parameters, qpos.astype(np.float32)))
    for body in BODY_NAMES:
        rotation, position = world_from(server, path_of(page, body))
        row = 1 + BODY_NAMES.index(body)
        assert np.allclose(position, positions[row], atol=1e-5)  # JAX's kinematics in single precision
        assert np.allclose(rotation, matrix_from_xyzw(xyzw_from_wxyz(quaternions[row])), atol=1e-5)


def test_the_slider_moves_the_body_and_the_charts(page, server):
    seek(page, 0.2)
    before = np.array(node(server, path_of(page, "pelvis")).position)
    page._panels.player_controls._time.value = 0.8
    page._panels.player_controls._seek(type("Event", (), {"client": "a browser"}))
    page.advance(0.0)
    assert page.player.head.time_s == 0.8
    assert node(server, path_of(page, "pelvis")).position[0] - before[0] == pytest.approx(0.6 * 1.2, abs=1e-3)
    assert page._panels._traces._charts[0].data[0][-1] == pytest.approx(0.8, abs=1e-6)


def test_who_pauses_reads_of_the_very_picture_that_is_shown(page):
    seek(page, 0.1)
    page.player.head.playing = True
    for _ in range(5):
        page.advance(0.01)
        page.player.head.playing = False
        page.advance(0.01)
        assert f"{page.player.head.time_s:.2f} of" in page._panels._status.content
        page.player.head.playing = True
    page.player.head.playing = False


def test_lost_hides_the_body_and_says_so(page, server):
    for time_s, shown, word in (
        (0.9, True, "TRACKING"),
        (COASTING_S + 0.1, True, "COASTING"),
        (LOST_S + 0.1, False, "LOST"),
        (FOUND_S + 0.1, True, "TRACKING"),
    ):
        seek(page, time_s)
        assert node(server, "/subject").visible == shown
        assert word in page._panels._status.content
    seek(page, COASTING_S + 0.1)
    assert node(server, f"{path_of(page, 'torso')}/skin").opacity < 1


def test_cameras_stand_where_they_were_found_in_the_colour_of_their_status(page, server, session):
    seek(page, 0.5)
    assert "3.5 px" in node(server, "/cameras/cam1/words").text
    assert node(server, "/cameras/cam1/calibrated") is None
    seek(page, 1.9)
    found = session.fitted_cameras()[-1]
    sides = node(server, "/cameras/cam1/pyramid/sides")
    assert np.allclose(sides.vertices, frustum_m(session.rig.cameras["cam1"], found.poses[1]), atol=1e-6)
    assert np.allclose(np.array(sides.color) / 255, rgb(CAMERA_COLOURS["MOVED"]), atol=0.003)
    assert "MOVED" in node(server, "/cameras/cam1/words").text and "50 mm" in page._panels._cameras.content
    assert node(server, "/cameras/cam1/calibrated/edges") is not None
    assert "DEAD" in page._panels._cameras.content
    seek(page, 0.5)
    assert node(server, "/cameras/cam1/calibrated/edges") is None


def test_footprints_stay_and_are_gone_when_time_goes_back(page, server):
    def shown() -> set[int]:
        return {number for number in range(1, 9) if node(server, f"/steps/{number}") is not None}

    seek(page, 1.9)
    assert shown() == {1, 3, 5, 7}
    assert node(server, "/step_words/7").text == "step 0.60 m, width 0.20 m"
    seek(page, 0.75)
    assert shown() == {1, 3}
    assert node(server, "/flashes/3") is not None
    seek(page, 0.0)
    assert not shown() and node(server, "/flashes/3") is None


def test_another_result_can_be_chosen(page, server):
    seek(page, 0.5)
    settled = np.array(node(server, path_of(page, "femur_r")).wxyz)
    page._panels.player_controls._result.value = "Live: newest frame"
    page.player.result = "live"
    page.advance(0.0)
    assert not np.allclose(node(server, path_of(page, "femur_r")).wxyz, settled)
    page.player.result = "settled"


def test_two_browsers_get_the_page_and_the_scene(page, server):
    url = servers.address(server)
    assert url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(url) as answer:
        assert answer.status == 200 and b"<html" in answer.read()
    socket_url, protocol = url.replace("http", "ws"), f"viser-v{viser.__version__}"
    with (
        connect(socket_url, subprotocols=[protocol], max_size=None) as first,
        connect(socket_url, subprotocols=[protocol], max_size=None) as second,
    ):
        assert all(len(browser.recv(timeout=60)) > 16 for browser in (first, second))


def test_the_play_head_plays_stops_at_the_end_and_starts_again():
    head = PlayHead(2.0)
    head.advance(0.5)
    head.speed = 2.0
    head.advance(0.5)
    assert head.time_s == 1.5
    head.advance(9.0)
    assert (head.time_s, head.playing) == (2.0, False)
    head.toggle()
    assert (head.time_s, head.playing) == (0.0, True)
    head.toggle()
    head.advance(1.0)
    head.seek(-3.0)
    assert (head.time_s, head.playing) == (0.0, False)


def test_a_port_or_a_host_that_cannot_be_had_is_answered_with_one_sentence(server):
    with pytest.raises(InputError, match=f"port {server.get_port()} of 127.0.0.1 is taken by another program"):
        servers.open_server(port=server.get_port())
    with pytest.raises(InputError, match="host 'no such host' is not known"):
        servers.open_server(host="no such host", port=0)
    with pytest.raises(InputError, match="cannot listen at 192.0.2.1"):  # kept for documentation: nobody has it
        servers.open_server(host="192.0.2.1", port=0)


def test_the_page_is_served_to_this_machine_alone_and_never_shared(server):
    assert server.get_host() == "127.0.0.1"
    assert server.request_share_url() is None
    with socket.socket() as elsewhere, pytest.raises(OSError):
        elsewhere.connect(("127.0.0.2", server.get_port()))


def test_pages_of_others_in_the_same_browser_are_sent_nothing(page, server):
    url = servers.address(server)
    protocol = f"viser-v{viser.__version__}"
    for origin, welcome in ((url, True), ("http://elsewhere.example", False), ("http://127.0.0.1:1", False)):
        with connect(url.replace("http", "ws"), origin=origin, subprotocols=[protocol], max_size=None) as browser:
            if welcome:
                assert len(browser.recv(timeout=60)) > 16
            else:
                with pytest.raises(ConnectionClosed):
                    browser.recv(timeout=60)
    assert not servers.is_ours("http://named.example:80", "named.example:80", "127.0.0.1")
    assert servers.is_ours("http://lab:80", "lab:80", "0.0.0.0") and servers.is_ours(None, "", "127.0.0.1")


def test_names_cannot_bring_markup_into_the_page(session):
    cameras = session.fitted_cameras()[0]
    wicked = type(cameras)(**{**vars(cameras), "names": ("<script>", "b", "c")})
    assert "<script>" not in camera_card(wicked)
    assert "<b>" not in status_card(Moment(0.0, 0, None, words="<b>"), "")


def test_a_bag_without_results_is_answered_with_one_sentence(tmp_path):
    with pytest.raises(InputError, match="no such bag"):
        read_motion(tmp_path / "nothing")


class Clock:
    """In the place of the live feed's `time`."""

    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("markerless_biomech.viewing.live_feed.time", clock)
    return clock


def live_inputs(session):
    return subject_text(made_session(frames=2).subject), session.definitions["rig"]


def test_a_live_page_waits_shows_waits_again_and_goes_on(session, clock):
    subject, rig = live_inputs(session)
    server = servers.open_server(port=0)
    try:
        feed = LiveFeed()
        page = LivePage(server, feed)
        assert "WAITING" in page._panels._status.content
        bodies = session.bodies("body_state_settled")
        feed.take_rig(rig)
        feed.take_subject(subject)

        def status(body) -> str:
            if body is not None:
                feed.take_body(body)
            for _ in range(3):  # the tables change with every third picture
                page.advance(0.0)
            return page._panels._status.content

        assert "TRACKING" in status(bodies[0]) and node(server, "/subject").visible
        clock.now_s += SILENT_S + 1
        assert "it has said nothing for 3 s" in status(None) and not node(server, "/subject").visible
        assert "TRACKING" in status(bodies[1]) and node(server, "/subject").visible
        feed.take_subject(subject)
        assert "TRACKING" in status(bodies[2]) and node(server, "/subject").visible
    finally:
        servers.close_server(server)


def test_a_live_feed_says_why_there_is_nobody_and_forgets_when_time_jumps_back(session, clock):
    subject, rig = live_inputs(session)
    feed = LiveFeed()
    feed.take_rig(rig)
    feed.take_subject(subject)
    bodies = session.bodies("body_state")
    feed.take_report(FitRecord(FitReport(START_NS, "no camera sees a person")))
    assert (feed.moment().tracking, feed.moment().words) == (Tracking.LOST, "no camera sees a person")
    for body in bodies[:20]:
        feed.take_body(body)
    for step in session.results["step_events"][:2]:
        feed.take_step(step)
    moment = feed.moment()
    assert moment.tracking == Tracking.TRACKED and len(moment.steps) == 2 and len(moment.footprints) == 1
    assert feed.trace().angles_deg.shape == (20, 34)
    earlier = type(bodies[0])(**{**vars(bodies[0]), "stamp_ns": START_NS - 5_000_000_000})
    feed.take_body(earlier)
    assert len(feed.trace().times_s) == 1 and not feed.moment().steps and not feed.moment().footprints


def test_a_bag_that_is_played_in_a_loop_leaves_nothing_of_the_round_before(session):
    feed = LiveFeed()
    bodies = session.bodies("body_state")[:30]
    for round_before in range(3):
        for body in bodies:
            feed.take_body(body)
        assert len(feed.trace().times_s) == 30 and np.all(np.diff(feed.trace().times_s) > 0), round_before
        assert not feed.moment().steps and feed.moment().time_s == feed.trace().times_s[-1]
        feed.take_step(session.results["step_events"][0])


def test_angles_of_nobody_are_not_drawn():
    feed = LiveFeed()
    feed.take_body(lost(START_NS, 17))
    assert np.isnan(feed.trace().angles_deg).all()


def test_definitions_that_are_told_again_change_nothing_and_are_read_once(session, monkeypatch):
    subject, rig = live_inputs(session)
    feed = LiveFeed()
    for _ in range(2):
        feed.take_rig(rig)
        feed.take_subject(subject)
    monkeypatch.delattr("markerless_biomech.viewing.live_feed.rig_from_text")
    version, capture = feed.capture()
    assert version == 2 and set(capture.cameras) == set(session.rig.cameras)


def test_the_line_of_progression_goes_on_when_the_oldest_footprints_go():
    server, kept = Mock(), Footprints(6)
    floor = FloorNodes(server, np.zeros((2, 2)), 1.7)
    for step in range(12):
        side = ("left", "right")[step % 2]
        heel_m = np.array([0.6 * step, 0.1, 0.0])
        kept.take(StepEvent(START_NS + step * 500_000_000, side, "heel_strike", heel_m, step + 1), 0.0)
        floor.show(kept.prints, kept.progression_m(), near=True)
    _, segments, _ = server.scene.add_line_segments.call_args.args
    assert segments[-1, 1, 0] == pytest.approx(0.6 * 10.5)
    drawings = server.scene.add_line_segments.call_count
    floor.show(kept.prints, kept.progression_m(), near=True)
    assert server.scene.add_line_segments.call_count == drawings, "the same line is not drawn again"


def test_browsers_that_wait_see_everything_when_it_comes():
    server = Mock()
    views = Views(server)
    browsers = {}
    for number, chosen in enumerate((EVERYTHING, WALKER)):
        browsers[number] = MagicMock(client_id=number)
        browsers[number].gui.add_dropdown.return_value.value = chosen
        server.on_client_connect.call_args.args[0](browsers[number])
    server.get_clients.return_value = browsers
    corners_m = np.array([[-9.0, 0, 0], [9, 0, 3]])
    views.frame(corners_m)
    assert np.allclose(browsers[0].camera.look_at, corners_m.mean(axis=0))
    assert np.linalg.norm(browsers[0].camera.position - browsers[0].camera.look_at) > 9
    assert isinstance(browsers[1].camera.look_at, Mock), "who goes along with the walker goes on doing so"


def test_the_command_says_where_the_page_is_and_ends_with_ctrl_c(tmp_path):
    bag = written_bag(tmp_path)
    command = [sys.executable, "-m", "markerless_biomech.cli", "view", str(bag), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = json.loads(process.stdout.readline())["url"]
        with urllib.request.urlopen(url) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and err == ""
    assert json.loads(out)["results"] == ["settled", "live"]
