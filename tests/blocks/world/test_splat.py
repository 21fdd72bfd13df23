import numpy as np

from lgvsc_flow.blocks.world.splat import project


def test_constant_motion_stays_itself() -> None:
    flow = np.full((20, 30, 2), (3.25, -1.5), np.float32)
    assert np.allclose(project(flow, np.ones((20, 30), np.float32), 0.4), flow, atol=1e-4)


def test_motion_travels_with_what_moves() -> None:
    flow = np.zeros((24, 40, 2), np.float32)
    flow[8:16, 4:12, 0] = 20
    weight = np.where(flow[..., 0] > 0, np.float32(1), np.float32(0.01))
    half = project(flow, weight, 0.5)
    assert (half[9:15, 15:21, 0] > 19).all()
    assert np.abs(half[:4]).max() < 0.5
    assert np.abs(half[9:15, 26:]).max() < 0.5


def test_the_heavier_pixel_hides_the_lighter() -> None:
    flow = np.zeros((1, 9, 2), np.float32)
    flow[0, 0, 0] = 8
    for heavy in (0, 4):
        weight = np.full((1, 9), 1e-3, np.float32)
        weight[0, heavy] = 1
        assert np.isclose(project(flow, weight, 0.5)[0, 4, 0], 8 if heavy == 0 else 0, atol=0.2)


def test_holes_take_the_motion_around_them_and_nothing_leaves_the_picture() -> None:
    flow = np.full((16, 16, 2), (6, 0), np.float32)
    seen = project(flow, np.ones((16, 16), np.float32), 1.0)
    assert np.isfinite(seen).all()
    assert np.allclose(seen[:, :6, 0], 6, atol=0.01)
    gone = project(np.full((16, 16, 2), 1e6, np.float32), np.ones((16, 16), np.float32), 1.0)
    assert np.isfinite(gone).all()
