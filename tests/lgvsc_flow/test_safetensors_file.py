"""Files of tensors, byte for byte."""

import json
import stat

import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors")

from lgvsc_flow.safetensors_file import save_tensors  # noqa: E402

WORDS = {f"word{n}": "x" * n for n in (3, 1, 9, 2, 7)} | {"Maß": 'ein "Wort"'}


def tensors():
    return {
        "b": torch.arange(5, dtype=torch.int8),
        "a": torch.linspace(0, 1, 7).half(),
        "c": torch.eye(3, dtype=torch.float64),
    }


def test_the_order_of_what_is_saved_does_not_matter(tmp_path):
    for number in range(8):  # the library's own order differs from save to save
        turned = dict(reversed(WORDS.items())) if number % 2 else WORDS
        save_tensors(tmp_path / str(number), dict(sorted(tensors().items(), reverse=number % 3 == 0)), turned)
    first = (tmp_path / "0").read_bytes()
    assert all((tmp_path / str(number)).read_bytes() == first for number in range(8))
    length = int.from_bytes(first[:8], "little")
    assert length % 8 == 0
    assert list(json.loads(first[8 : 8 + length])["__metadata__"]) == sorted(WORDS)


def test_the_library_reads_it(tmp_path):
    path = tmp_path / "w.safetensors"
    save_tensors(path, tensors(), WORDS)
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == WORDS
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert found.keys() == tensors().keys()
    assert all(
        torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in tensors().items()
    )


def test_it_appears_whole_and_for_all_to_read(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"old")
    save_tensors(path, tensors(), {})
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
