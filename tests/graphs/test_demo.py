"""The demo's own promises, on the demo's own clip."""

import json

import pytest

from lgvsc_flow.errors import FlowError
from lgvsc_flow.graphs.clips import demo_clip
from lgvsc_flow.graphs.job import send
from lgvsc_flow.graphs.lgvsc import Scheme

CUTS = (30, 76, 137, 187, 242)


def test_the_demo_keeps_its_promises(tmp_path):
    try:
        clip = demo_clip()
    except FlowError as error:
        pytest.skip(str(error))
    data = send(Scheme(), clip, tmp_path)
    assert all(any(abs(k - cut) <= 2 for k in data["keyframes"]) for cut in CUTS)
    assert len(data["keyframes"]) <= 14
    assert data["cbr"]["total"] < 2.5e-3
    assert sum(part["symbols"] for part in data["cbr"]["parts"].values()) == data["cbr"]["symbols"]
    assert data["packets"]["lost"] == 0
    assert data["video"] == {"frames": 250, "height": 272, "width": 640, "fps": 25.0}
    assert json.loads((tmp_path / "run.json").read_text()) == data
    for segment in data["segments"][1:-1]:
        assert segment["s_rel"] > 0.35
