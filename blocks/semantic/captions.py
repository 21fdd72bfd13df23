"""Captions as compact bytes, and back."""

from __future__ import annotations

from zlib import crc32

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.semantic.letters import LetterModel, caption_model, decode_letters, encode_letters
from lgvsc_flow.items import Caption, Payload

__all__ = ["TextDecoder", "TextEncoder", "pack_text", "unpack_text"]

_CHECK_BYTES = 2


class TextEncoder(Block):
    """Captions to bytes: an arithmetic code over a static letter model, and two bytes to check the text.

    A caption is one line: runs of white space become one space. A lost caption gives a lost payload.
    """

    captions = In(Caption)
    payloads = Out(Payload)

    max_bytes: int = setting(1024, ge=1, unit="bytes", doc="longest caption, in UTF-8; a longer one is an error")

    def start(self) -> None:
        self._model = caption_model()

    def work(self, caption: Caption) -> Payload:
        if caption.lost or caption.text is None:
            return Payload(caption.index, "caption", None, lost=True)
        return Payload(caption.index, "caption", pack_text(caption.text, self._model, self.max_bytes))


class TextDecoder(Block):
    """Bytes to captions; a payload that is lost, damaged or longer than allowed gives a lost caption."""

    payloads = In(Payload)
    captions = Out(Caption)

    max_bytes: int = setting(1024, ge=1, unit="bytes", doc="longest caption that is decoded, in UTF-8")

    def start(self) -> None:
        self._model = caption_model()

    def work(self, payload: Payload) -> Caption:
        data = None if payload.lost else payload.data
        text = None if data is None else unpack_text(data, self._model, self.max_bytes)
        return Caption(payload.index, text, lost=text is None)


def pack_text(text: str, model: LetterModel, max_bytes: int = 1024) -> bytes:
    """The code of a text, and its check.

    Raises:
        ValueError: the text is longer than `max_bytes` in UTF-8, or cannot be written in UTF-8.
    """
    raw = " ".join(text.split()).encode()
    if len(raw) > max_bytes:
        raise ValueError(f"a caption of {len(raw)} bytes is longer than max_bytes={max_bytes}: raise it at both ends")
    return encode_letters(raw, model) + _check(raw, model)


def unpack_text(data: bytes, model: LetterModel, max_bytes: int = 1024) -> str | None:
    """The text of `pack_text`, or None where the bytes are damaged or the other end holds another model."""
    if len(data) < _CHECK_BYTES:
        return None
    raw = decode_letters(data[:-_CHECK_BYTES], model, max_bytes)
    if raw is None or _check(raw, model) != data[-_CHECK_BYTES:]:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _check(raw: bytes, model: LetterModel) -> bytes:
    """The low 16 bits of a CRC-32 over the text, begun with the model's own: it names text and model at once."""
    return (crc32(raw, model.check) & 0xFFFF).to_bytes(_CHECK_BYTES, "big")
