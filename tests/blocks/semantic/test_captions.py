import zlib

import numpy as np
import pytest

from lgvsc_flow.blocks.semantic import TextDecoder, TextEncoder
from lgvsc_flow.blocks.semantic.captions import pack_text, unpack_text
from lgvsc_flow.blocks.semantic.letters import LetterModel, caption_model
from lgvsc_flow.errors import FlowError
from lgvsc_flow.items import Caption, Payload
from lgvsc_flow.testing import run_block

SHORT = (
    "minivan and taxicab, grey, motion",
    "tram, grey, fast motion",
    "horse-drawn vehicle and rickshaw vehicle, grey, slow motion",
    "bow tie and Windsor tie, grey",
    "albatross, green and grey, slow motion",
)
SENTENCES = (
    "A brown bear walks through shallow water and catches a salmon with its mouth.",
    "A close-up shows a potter shaping wet clay on a spinning wheel; her fingers leave smooth ridges.",
    "The camera follows a red fox trotting over frozen ground at dusk.",
    "Heavy rain floods a narrow alley and shopkeepers hurry to bring their goods inside.",
    "A toddler in yellow boots stamps in puddles while her father holds an umbrella over both of them.",
    "Dozens of hot air balloons drift above a rocky desert valley in the first light of morning.",
)


@pytest.fixture(scope="module")
def model():
    return caption_model()


def size(texts, model):
    return sum(len(pack_text(t, model)) for t in texts)


def raw(texts):
    return sum(len(t.encode()) for t in texts)


def test_captions_cross_and_keep_their_index():
    captions = [Caption(i, t) for i, t in enumerate([*SHORT, *SENTENCES, "", "größer, naïve 猫 🚲"])]
    back = run_block(TextDecoder(), run_block(TextEncoder(), captions))
    assert [(c.index, c.text, c.lost) for c in back] == [(c.index, c.text, False) for c in captions]


def test_payloads_are_of_the_caption_stream():
    (payload,) = run_block(TextEncoder(), [Caption(3, "tram")])
    assert (payload.index, payload.stream, payload.lost) == (3, "caption", False)


def test_white_space_becomes_single_spaces(model):
    assert unpack_text(pack_text("  a\ttram\n\nand a bus ", model), model) == "a tram and a bus"


def test_captions_are_far_below_raw_text_and_deflate(model):
    assert size(SHORT, model) < 0.3 * raw(SHORT)
    assert size(SENTENCES, model) < 0.5 * raw(SENTENCES)
    assert size(SENTENCES, model) < 0.6 * sum(len(zlib.compress(t.encode(), 9)) for t in SENTENCES)


def test_lost_items_stay_lost_both_ways():
    (payload,) = run_block(TextEncoder(), [Caption(5, None, lost=True)])
    assert (payload.index, payload.data, payload.lost) == (5, None, True)
    (caption,) = run_block(TextDecoder(), [payload])
    assert (caption.index, caption.text, caption.lost) == (5, None, True)


def test_damaged_bytes_give_lost_captions_not_other_texts(model):
    """150 single-bit errors and 150 random payloads: 2 bytes of check let one in 65536 pass."""
    rng = np.random.default_rng(11)
    text = SENTENCES[0]
    data = pack_text(text, model)
    passed = 0
    for _ in range(150):
        bit = int(rng.integers(len(data) * 8))
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        passed += unpack_text(bytes(flipped), model, 200) not in (None, text)
        passed += unpack_text(rng.integers(0, 256, 12, dtype=np.uint8).tobytes(), model, 200) is not None
    assert passed == 0
    items = [Payload(0, "caption", b""), Payload(1, "caption", b"\0"), Payload(2, "caption", data[:-3])]
    assert [(c.text, c.lost) for c in run_block(TextDecoder(), items)] == [(None, True)] * 3


def test_another_model_at_the_other_end_is_noticed(model):
    assert unpack_text(pack_text("tram", LetterModel(b"tram\n")), model) is None


def test_lengths_are_bounded_at_both_ends(model):
    with pytest.raises(ValueError, match="a caption of 11 bytes is longer than max_bytes=10: raise it at both ends"):
        pack_text("a long tram", model, 10)
    with pytest.raises(FlowError, match="longer than max_bytes=10"):
        run_block(TextEncoder(max_bytes=10), [Caption(0, "a long tram")])
    assert unpack_text(pack_text("a long tram", model), model, 10) is None
