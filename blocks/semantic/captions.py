"""Captions as compact bytes, and back.

Bytes of a caption: the code, and a check: two bytes behind less than 14, else three (four behind a text as it is). The
first byte of the code tells the kind: 255, the text follows as it is; else letters, or, where both ends hold a
language model, below 240 its code and from 240 letters.
"""

from __future__ import annotations

from collections import Counter
from zlib import crc32

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.semantic.language_code import PROMPT, LanguageCoder, load_language_coder
from lgvsc_flow.blocks.semantic.letters import LetterModel, caption_model, decode_letters, encode_letters
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Caption, Payload

__all__ = ["LETTERS", "TextDecoder", "TextEncoder", "check_bytes", "pack_text", "unpack_text"]

LETTERS = "letters"
_SHORT_CHECK, _LONG_CHECK = 2, 3  # bytes
_LONG = 14  # bytes of code from which the check is the long one
_RAW_CHECK_BYTES = 4  # nothing else tells such a text from a damaged one
_RAW = 255  # first byte of a text as it is
_LETTERS_FROM = 240  # first byte of letters where there is a language model too

_MODEL_DOC = "letters, or a causal language model: a name, a folder or hub:owner/name@commit; the same at both ends"


class TextEncoder(Block):
    """Captions to bytes: an arithmetic code over a letter model or a language model, and a check.

    A caption is one line: runs of white space become one space. A lost caption gives a lost payload. With a language
    model every caption is decoded again before it is sent; where that fails, or letters are shorter, letters are sent.
    """

    captions = In(Caption)
    payloads = Out(Payload, caption_code="{model}")

    model: str = setting(LETTERS, doc=_MODEL_DOC)
    max_bytes: int = setting(
        1024, ge=1, le=1 << 16, unit="bytes", doc="longest caption, in UTF-8; a longer one is an error"
    )
    prompt: str = setting(PROMPT, doc="what the language model reads before a caption; the same at both ends")
    device: str = setting("cpu", doc="torch device of the language model")
    folder: str | None = setting(None, doc="folder of models; LGVSC_FLOW_MODELS where None")

    def validate(self) -> None:
        _check_model(self)

    def start(self) -> None:
        self._letters = caption_model()
        self._language = _language(self)

    def work(self, caption: Caption) -> Payload:
        if caption.lost or caption.text is None:
            return Payload(caption.index, "caption", None, lost=True)
        data = pack_text(caption.text, self._letters, self.max_bytes, self._language)
        return Payload(caption.index, "caption", data)


class TextDecoder(Block):
    """Bytes to captions; a payload that is lost, damaged or longer than allowed gives a lost caption.

    After `start`, `losses` counts lost captions by their reason.
    """

    payloads = In(Payload, caption_code="{model}")
    captions = Out(Caption)

    model: str = setting(LETTERS, doc=_MODEL_DOC)
    max_bytes: int = setting(1024, ge=1, le=1 << 16, unit="bytes", doc="longest caption that is decoded, in UTF-8")
    prompt: str = setting(PROMPT, doc="what the language model reads before a caption; the same at both ends")
    device: str = setting("cpu", doc="torch device of the language model")
    folder: str | None = setting(None, doc="folder of models; LGVSC_FLOW_MODELS where None")

    def validate(self) -> None:
        _check_model(self)

    def start(self) -> None:
        self.losses: Counter[str] = Counter()
        self._letters = caption_model()
        self._language = _language(self)

    def work(self, payload: Payload) -> Caption:
        data = None if payload.lost else payload.data
        text = None if data is None else unpack_text(data, self._letters, self.max_bytes, self._language)
        if text is None:
            reason = "lost on the way" if data is None else "damaged, or coded by another model or with another prompt"
            self.losses[reason] += 1
        return Caption(payload.index, text, lost=text is None)


def pack_text(text: str, letters: LetterModel, max_bytes: int = 1024, language: LanguageCoder | None = None) -> bytes:
    """The shortest code of a text, and its check: at most five bytes more than the text has in UTF-8.

    Raises:
        ValueError: the text is longer than `max_bytes` in UTF-8, or cannot be written in UTF-8.
    """
    text = " ".join(text.split())
    raw = text.encode()
    if len(raw) > max_bytes:
        raise ValueError(f"a caption of {len(raw)} bytes is longer than max_bytes={max_bytes}: raise it at both ends")
    codes = [bytes([_RAW]) + raw + _check(raw, 0, _RAW_CHECK_BYTES)]
    first = 0 if language is None else _LETTERS_FROM
    spelled = encode_letters(raw, letters, first, _RAW)
    if spelled is not None:
        codes.append(spelled + _check(raw, letters.check, check_bytes(spelled)))
    if language is not None:
        told = language.encode(text, _LETTERS_FROM)
        if told is not None and language.decode(told, max_bytes, _LETTERS_FROM) == text:
            codes.append(told + _check(raw, language.check, check_bytes(told)))
    return min(codes, key=len)


def unpack_text(
    data: bytes, letters: LetterModel, max_bytes: int = 1024, language: LanguageCoder | None = None
) -> str | None:
    """The text of `pack_text`, or None where the bytes are damaged or the other end holds another model."""
    if len(data) > max_bytes + 1 + _RAW_CHECK_BYTES:
        return None
    if data[:1] == bytes([_RAW]) and len(data) > _RAW_CHECK_BYTES:
        return _text(data[1:-_RAW_CHECK_BYTES], data[-_RAW_CHECK_BYTES:], 0)
    size = _LONG_CHECK if len(data) >= _LONG + _LONG_CHECK else _SHORT_CHECK
    code, check = data[:-size], data[-size:]
    if len(check) < size or check_bytes(code) != size:
        return None
    if language is not None and (not code or code[0] < _LETTERS_FROM):
        text = language.decode(code, max_bytes, _LETTERS_FROM)
        return None if text is None else _text(text.encode(), check, language.check)
    first = 0 if language is None else _LETTERS_FROM
    raw = decode_letters(code, letters, max_bytes, first, _RAW)
    text = None if raw is None else _text(raw, check, letters.check)
    # No encoder would have written other bytes for this text.
    return text if raw is not None and encode_letters(raw, letters, first, _RAW) == code else None


def _text(raw: bytes, check: bytes, model: int) -> str | None:
    if _check(raw, model, len(check)) != check:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def check_bytes(code: bytes) -> int:
    """Bytes of check behind a code: a short caption pays for a short one."""
    return _LONG_CHECK if len(code) >= _LONG else _SHORT_CHECK


def _check(raw: bytes, model: int, size: int) -> bytes:
    """The last bytes of a CRC-32 over the text, begun with the model's own: it names text and model at once."""
    return crc32(raw, model).to_bytes(4, "big")[-size:]


def _check_model(block: TextEncoder | TextDecoder) -> None:
    if not block.model.strip():
        raise SettingError(f"{type(block).__name__}.model is empty; it is letters or a language model")


def _language(block: TextEncoder | TextDecoder) -> LanguageCoder | None:
    if block.model == LETTERS:
        return None
    return load_language_coder(block.model, block.prompt, device=block.device, folder=block.folder)
