"""The library's tokenizer by ctypes: texts may hold line ends and zeros, which the command's lines cannot."""
import ctypes
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("AQ_BUILD", ROOT / "build" / "release"))


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("row_group", ctypes.c_int32), ("offset", ctypes.c_int64), ("file", ctypes.c_char * 256),
                ("tensor", ctypes.c_char * 256), ("message", ctypes.c_char * 512), ("hint", ctypes.c_char * 256),
                ("reserved", ctypes.c_uint64 * 6)]


class Ids(ctypes.Structure):
    _fields_ = [("ids", ctypes.POINTER(ctypes.c_int32)), ("count", ctypes.c_size_t), ("capacity", ctypes.c_size_t),
                ("reserved", ctypes.c_uint64 * 2)]


class Refused(Exception):
    """The library fails, with its message."""


class Ours:
    def __init__(self, path):
        self.library = ctypes.CDLL(str(BUILD / "libarrowquant.so"))
        self.library.aq_free.argtypes = [ctypes.c_void_p]
        self.library.aq_tokenizer_close.argtypes = [ctypes.c_void_p]
        self.library.aq_tokenizer_encode.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_bool,
                                                     ctypes.c_void_p, ctypes.c_void_p]
        self.handle = ctypes.c_void_p()
        err = Error()
        if self.library.aq_tokenizer_open(str(path).encode(), ctypes.byref(self.handle), ctypes.byref(err)) != 0:
            raise Refused(err.message.decode())

    def encode(self, text, max_length=0, special=True):
        data = text if isinstance(text, bytes) else text.encode()
        err, ids = Error(), Ids()
        if self.library.aq_tokenizer_encode(self.handle, data, len(data), max_length, special, ctypes.byref(ids), ctypes.byref(err)) != 0:
            raise Refused(err.message.decode())
        found = ids.ids[:ids.count]
        self.library.aq_free(ids.ids)
        return found

    def encode_pair(self, first, second, max_length=0):
        """The ids of two texts, and their types."""
        data = [text.encode() for text in (first, second)]
        err, ids, types = Error(), Ids(), Ids()
        texts, lengths = (ctypes.c_char_p * 2)(*data), (ctypes.c_size_t * 2)(*map(len, data))
        if self.library.aq_tokenizer_encode_pair(self.handle, texts, lengths, ctypes.c_uint32(max_length), ctypes.byref(ids), ctypes.byref(types),
                                                 ctypes.byref(err)) != 0:
            raise Refused(err.message.decode())
        found = ids.ids[:ids.count], types.ids[:types.count]
        self.library.aq_free(ids.ids)
        self.library.aq_free(types.ids)
        return found

    def decode(self, ids, skip_special=False):
        text, length, err = ctypes.c_void_p(), ctypes.c_size_t(), Error()
        listed = (ctypes.c_int32 * len(ids))(*ids)
        if self.library.aq_tokenizer_decode(self.handle, listed, ctypes.c_size_t(len(ids)), ctypes.c_bool(skip_special), ctypes.byref(text),
                                            ctypes.byref(length), ctypes.byref(err)) != 0:
            raise Refused(err.message.decode())
        found = ctypes.string_at(text, length.value)
        self.library.aq_free(text)
        return found.decode()

    def stream(self, ids, skip_special=False):
        """The texts that a stream hands out, one for each id and one for the end."""
        stream, text, length, err, found = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t(), Error(), []
        self.library.aq_token_stream_close.argtypes = [ctypes.c_void_p]
        assert self.library.aq_token_stream_open(self.handle, ctypes.c_bool(skip_special), ctypes.byref(stream), ctypes.byref(err)) == 0
        for number in ids:
            assert self.library.aq_token_stream_push(stream, ctypes.c_int32(number), ctypes.byref(text), ctypes.byref(length), ctypes.byref(err)) == 0
            found.append(ctypes.string_at(text, length.value).decode())
        assert self.library.aq_token_stream_end(stream, ctypes.byref(text), ctypes.byref(length), ctypes.byref(err)) == 0
        found.append(ctypes.string_at(text, length.value).decode())
        self.library.aq_token_stream_close(stream)
        return found

    def __del__(self):
        if getattr(self, "handle", None):
            self.library.aq_tokenizer_close(self.handle)


def differences(ours, theirs, texts, batch=2000):
    """[(text, our ids, their ids)], and the number of texts compared."""
    found, compared, pending = [], 0, []

    def compare():
        wanted = theirs.encode_batch([t.decode("utf-8", "replace") if isinstance(t, bytes) else t for t in pending])
        for text, wants in zip(pending, wanted, strict=True):
            ids = ours.encode(text)
            if ids != wants.ids:
                found.append((text, ids, wants.ids))

    for text in texts:
        pending.append(text)
        compared += 1
        if len(pending) == batch:
            compare()
            pending.clear()
    compare()
    return found, compared


def agree(ours, theirs, texts):
    found, compared = differences(ours, theirs, texts)
    shown = "\n".join(f"{text!r:.300}\n  ours   {a[:40]}\n  theirs {b[:40]}" for text, a, b in found[:5])
    assert not found, f"{len(found)} of {compared} texts differ:\n{shown}"
    return compared
