"""Charsmaps of SentencePiece: a trie of texts in a double array, and what each becomes."""

import base64
import functools
import itertools
import struct
import unicodedata


class Units:
    """A double array. A node with many children has 256 units of its own; the others share what they find free."""

    def __init__(self):
        self.units, self.free = [0] * 256, []

    def place(self, labels):
        """Where children with these labels fit: their base."""
        for block in self.free[-4:] if len(labels) < 9 else []:
            for base in range(block, block + 256):
                if all(self.units[base ^ label] is None for label in labels):
                    return base
        block = len(self.units)
        self.units += [None] * 256
        self.free.append(block)
        return block

    def add(self, at, label, children, value):
        labels = sorted(children) if value is None else [0, *sorted(children)]
        base = self.place(labels)
        offset = at ^ base
        assert offset < 1 << 21
        far = offset % 256 == 0 and base % 3 == 0  # either form will do
        self.units[at] = label | (value is not None) << 8 | ((offset >> 8 << 10 | 1 << 9) if far else offset << 10)
        for each in labels:
            self.units[base ^ each] = 0
        if value is not None:
            self.units[base] = value | 1 << 31
        return base


def charsmap(texts):
    """The bytes of a charsmap of {text: what it becomes}."""
    blob, trie = bytearray(), {}
    for text, becomes in texts.items():
        node = trie
        for byte in text.encode():
            node = node.setdefault(byte, {})
        node[None] = len(blob)
        blob += becomes.encode() + b"\0"
    units, waiting = Units(), [(trie, 0, 0)]
    while waiting:
        node, at, label = waiting.pop()
        children = {byte: child for byte, child in node.items() if byte is not None}
        base = units.add(at, label, children, node.get(None))
        waiting += [(child, base ^ byte, byte) for byte, child in children.items()]
    flat = [unit or 0 for unit in units.units]
    return struct.pack(f"<I{len(flat)}I", 4 * len(flat), *flat) + bytes(blob)


def precompiled(texts):
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap(texts)).decode()}


@functools.cache
def nmt_nfkc():
    """The rule of that name, as far as Unicode gives it: NFKC of characters and of pairs that compose, white space, and
    controls that go."""
    characters = [chr(c) for c in itertools.chain(range(1, 0xD800), range(0xE000, 0x30000))]
    texts = {c: unicodedata.normalize("NFKC", c) for c in characters if unicodedata.normalize("NFKC", c) != c}
    texts |= {unicodedata.normalize("NFD", c): c for c in characters if len(unicodedata.normalize("NFD", c)) == 2 and unicodedata.normalize("NFC", c) == c}
    gone = [*range(1, 9), 0xB, *range(0xE, 0x20), 0x7F, 0x8F, 0x9F, 0xAD]
    spaces = [9, 0xA, 0xC, 0xD, 0x1680, *range(0x200B, 0x2010), 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD]
    return {**texts, **{chr(c): "" for c in gone}, **{chr(c): " " for c in spaces}}
