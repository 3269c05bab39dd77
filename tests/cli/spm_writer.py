"""Models of SentencePiece, written field by field (sentencepiece_model.proto), without its package."""

import struct

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
UNIGRAM, BPE, WORD, CHAR = 1, 2, 3, 4
SETTINGS = {"model_type": 3, "byte_fallback": 35, "unk_id": 40, "bos_id": 41, "eos_id": 42, "pad_id": 43, "unk_piece": 45, "bos_piece": 46, "eos_piece": 47, "pad_piece": 48}


def varint(value):
    value %= 1 << 64
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(made) + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def content(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def piece(text, score=0.0, kind=NORMAL):
    return content(1, content(1, text) + varint(2 << 3 | 5) + struct.pack("<f", score) + (number(3, kind) if kind != NORMAL else b""))


def model(pieces, charsmap=None, **settings):
    """The bytes of a model: pieces as (text, score, kind), the last two of which have defaults."""
    trainer = b"".join(content(SETTINGS[name], value) if isinstance(value, str) else number(SETTINGS[name], value) for name, value in settings.items())
    normalizer = content(1, "nmt_nfkc") + (content(2, charsmap) if charsmap else b"")
    return b"".join(piece(*each) for each in pieces) + content(2, trainer) + content(3, normalizer)
