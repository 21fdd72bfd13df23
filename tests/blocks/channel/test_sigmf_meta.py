import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow.blocks.channel import SigmfSink
from lgvsc_flow.blocks.channel.sigmf_meta import Annotation, read_meta, sigmf_paths
from lgvsc_flow.errors import MediaError
from lgvsc_flow.testing import run_block


def write(path):
    run_block(SigmfSink(path=path, sample_rate_hz=1e6), [np.ones(10, np.complex64)])


def edited(path, change):
    """The metadata of a recording, changed."""
    meta = sigmf_paths(path)[0]
    content = json.loads(meta.read_text())
    change(content)
    meta.write_text(json.dumps(content))


def test_names(tmp_path):
    for name in ("a.b", "a.b.sigmf-meta", "a.b.sigmf-data"):
        assert sigmf_paths(tmp_path / name) == (tmp_path / "a.b.sigmf-meta", tmp_path / "a.b.sigmf-data")


def test_what_is_written(tmp_path):
    write(tmp_path / "m")
    recording = read_meta(tmp_path / "m")
    assert (recording.datatype, recording.samples, recording.sample_rate_hz) == ("cf32_le", 10, 1e6)
    assert recording.frequency_hz is None
    assert recording.annotations == (Annotation(0, 10, "burst 0"),)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = ["datatype", "version", "num_channels", "offset", "sha512", "sample_rate", "dataset", "extensions"]


@settings(max_examples=100, deadline=None)
@given(
    about=st.dictionaries(st.sampled_from([f"core:{k}" for k in KEYS]), JSON),
    captures=JSON | st.lists(st.dictionaries(st.sampled_from(["core:frequency", "core:header_bytes"]), JSON)),
    marks=JSON | st.lists(st.dictionaries(st.sampled_from(["core:sample_start", "core:sample_count"]), JSON)),
)
def test_any_metadata_are_read_or_refused(tmp_path_factory, about, captures, marks):
    path = tmp_path_factory.mktemp("any") / "a"
    write(path)
    content = {"global": {"core:datatype": "cf32_le", **about}, "captures": captures, "annotations": marks}
    sigmf_paths(path)[0].write_text(json.dumps(content))
    try:
        recording = read_meta(path)
    except MediaError:
        return
    assert all(0 <= a.start <= a.start + a.count <= recording.samples for a in recording.annotations)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("global"), "global is NoneType, not dict"),
        (lambda m: m.update(captures={}), "captures is dict, not list"),
        (lambda m: m.update(annotations=[1]), "an annotation is int, not dict"),
        (
            lambda m: m["global"].update({"core:datatype": "rf64_be"}),
            "core:datatype is 'rf64_be', supported are cf32_le",
        ),
        (lambda m: m["global"].update({"core:datatype": 3}), "core:datatype is int, not str"),
        (lambda m: m["global"].update({"core:num_channels": 2}), "core:num_channels is 2, supported is 1"),
        (lambda m: m["global"].update({"core:dataset": "x.wav"}), "core:dataset is set; only recordings"),
        (lambda m: m["captures"][0].update({"core:header_bytes": 44}), "core:header_bytes is set"),
        (
            lambda m: m["global"].update({"core:extensions": [{"name": "odd", "version": "1.0.0", "optional": False}]}),
            "it needs the extension 'odd'",
        ),
        (lambda m: m["annotations"][0].update({"core:sample_start": -1}), "core:sample_start is -1, not a number"),
        (lambda m: m["annotations"][0].update({"core:sample_start": True}), "core:sample_start is True, not a number"),
        (
            lambda m: m["annotations"][0].update({"core:sample_count": 2**70}),
            "core:sample_count is 1180591620717411303424",
        ),
        (lambda m: m["annotations"][0].update({"core:sample_start": 9}), "annotation 0 marks samples 9 to 19 of 10"),
        (lambda m: m["global"].update({"core:sample_rate": "fast"}), "core:sample_rate is fast, not a frequency"),
        (lambda m: m["global"].update({"core:sample_rate": float("nan")}), "core:sample_rate is nan, not a frequency"),
    ],
)
def test_metadata_that_do_not_hold(tmp_path, change, message):
    write(tmp_path / "m")
    edited(tmp_path / "m", change)
    with pytest.raises(MediaError, match=rf"m.sigmf-meta' is no SigMF that can be read here: {message}"):
        read_meta(tmp_path / "m")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 200_000, b"null"])
def test_metadata_that_are_none(tmp_path, text):
    write(tmp_path / "m")
    (tmp_path / "m.sigmf-meta").write_bytes(text)
    with pytest.raises(MediaError, match="is no SigMF that can be read here"):
        read_meta(tmp_path / "m")
