"""Every segment length through DSA and the three pipelines: exactly so many frames, keyframes in their places.

A few lengths as a rule; LGVSC_FLOW_ALL_LENGTHS=1 runs 1 to 200 on each.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
import tiny_pipelines

from lgvsc_flow.blocks.world import Dsa
from lgvsc_flow.blocks.world.frame_size import resized
from lgvsc_flow.blocks.world.model import load_world_model
from lgvsc_flow.items import Caption, SideInfo

NAMES = list(tiny_pipelines.PIPELINES)
LENGTHS = range(1, 201) if os.environ.get("LGVSC_FLOW_ALL_LENGTHS") else (1, 2, 5, 8, 9, 30, 41)
SIZES = ((17, 9), (8, 24), (1, 1))


@pytest.fixture(scope="module", params=NAMES)
def model(request, tmp_path_factory):
    """With the usual `max_frames` where all lengths are run, with a small one where the longest is 41."""
    name = request.param
    place = tiny_pipelines.checkpoint(name, tmp_path_factory.mktemp("pipelines"))
    chosen = tiny_pipelines.settings(name, place) | {"steps": 1}
    most = {} if os.environ.get("LGVSC_FLOW_ALL_LENGTHS") else {"max_frames": 16}
    model = load_world_model(name, **chosen, **most)
    model.load()
    return model


@pytest.mark.parametrize("length", LENGTHS)
def test_every_length_has_its_frames_and_its_keyframes(model, monkeypatch, length):
    size = SIZES[length % len(SIZES)]
    rng = np.random.default_rng(length)
    first, last = (rng.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(2))
    # Without a cut, a cut anywhere, the next segment opening with one.
    cut = (None, int(rng.integers(1, length + 1)), length)[length // len(SIZES) % 3]
    requests = []
    plain = model._call

    def recorded(pipe, request):
        requests.append(request)
        return plain(pipe, request)

    monkeypatch.setattr(model, "_call", recorded)
    side = SideInfo(0, length=length, cut_at=cut, motion=1.0)
    frames = list(Dsa(model, *size).generate(first, last, Caption(0, "a bus"), side, length, rng))
    assert len(frames) == length
    assert {(f.shape, str(f.dtype)) for f in frames} == {((*size, 3), "uint8")}
    # The frame that shows the first keyframe is the keyframe; no other is nearer.
    assert np.array_equal(frames[0], first)
    for request in requests:
        assert request.total - 1 == model.length_grid.at_least(request.total - 1) <= model.max_frames
    if cut is None and length > 1:
        closing = requests[-1]
        assert np.array_equal(np.asarray(closing.last), resized(last, closing.height, closing.width))
    else:
        # No call knows the pictures of both shots.
        pictures = [resized(p, r.height, r.width) for p in (first, last) for r in requests[:1]]
        for request in requests:
            known = [p for p in (request.first, request.last) if p is not None]
            assert not all(any(np.array_equal(np.asarray(k), p) for k in known) for p in pictures)


def test_the_grid_and_the_longest_are_the_pipelines_own(model):
    assert model.length_grid.step == {"ltx": 8, "wan-vace": 4, "wan-flf": 4}[model.name]
    assert model.length_grid.at_least(1) == model.length_grid.step
