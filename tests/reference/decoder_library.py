"""Decoders through the C library beside the command that AQ_COMMAND names: the environment of these tests has no package
of ours."""

import ctypes
import os
import pathlib

import numpy as np

LIBRARY = pathlib.Path(os.environ["AQ_COMMAND"]).resolve().parent / "libarrowquant.so"


class Options(ctypes.Structure):
    _fields_ = [
        ("sizeof_options", ctypes.c_size_t),
        ("threads", ctypes.c_uint32),
        ("context", ctypes.c_uint32),
        ("folder", ctypes.c_char_p),
    ]


class LibraryError(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_int),
        ("row_group", ctypes.c_int32),
        ("offset", ctypes.c_int64),
        ("file", ctypes.c_char * 256),
        ("tensor", ctypes.c_char * 256),
        ("message", ctypes.c_char * 512),
        ("hint", ctypes.c_char * 256),
        ("reserved", ctypes.c_uint64 * 6),
    ]


class Error(Exception):
    """What the library said."""


class Decoder:
    """An aq_decoder, closed with the block."""

    def __init__(self, folder, threads=2):
        self.library = ctypes.CDLL(str(LIBRARY))
        self.handle = ctypes.c_void_p()
        self.error = LibraryError()
        options = Options(ctypes.sizeof(Options), threads, 0, None)
        self._check(
            self.library.aq_decoder_open(os.fsencode(folder), ctypes.byref(options), ctypes.byref(self.handle), ctypes.byref(self.error))
        )
        self.vocabulary = self.library.aq_decoder_vocabulary(self.handle)
        self.library.aq_decoder_note.restype = ctypes.c_char_p
        count = self.library.aq_decoder_note_count(self.handle)
        self.notes = [self.library.aq_decoder_note(self.handle, ctypes.c_size_t(i)).decode() for i in range(count)]

    def _check(self, status):
        if status != 0:
            raise Error(self.error.message.decode())

    def logits(self, ids, past=0):
        ids = np.ascontiguousarray(ids, np.int32)
        logits = np.empty((len(ids), self.vocabulary), np.float32)
        count = ctypes.c_size_t(len(ids))
        self._check(
            self.library.aq_decoder_logits(
                self.handle, ctypes.c_size_t(past), ids.ctypes.data_as(ctypes.c_void_p), count, count,
                logits.ctypes.data_as(ctypes.c_void_p), ctypes.byref(self.error),
            )
        )
        return logits

    def losses(self, ids):
        ids = np.ascontiguousarray(ids, np.int32)
        losses = np.empty(len(ids) - 1, np.float64)
        self._check(
            self.library.aq_decoder_losses(
                self.handle, ids.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(ids)),
                losses.ctypes.data_as(ctypes.c_void_p), ctypes.byref(self.error),
            )
        )
        return losses

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.library.aq_decoder_close(self.handle)


def logits_of(folder, ids, **options):
    with Decoder(folder, **options) as decoder:
        return decoder.logits(ids)
