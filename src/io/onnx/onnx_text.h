/* onnx_text.h - texts of an ONNX file. */
#ifndef AQ_IO_ONNX_ONNX_TEXT_H
#define AQ_IO_ONNX_ONNX_TEXT_H

#include "io/onnx/onnx_arena.h"
#include "io/wire.h"

/* Limit of a name, as the one of tensors in other formats. */
#define AQ_ONNX_NAME_MAX ((uint64_t)65535)

/* The content of a field as text with a zero after its end: at most `limit` bytes of UTF-8 without zeros. */
AQ_MUST_CHECK aq_status aq_onnx_text(aq_wire *wire, const aq_wire_field *field, const char *what, uint64_t limit,
                                     aq_onnx_arena *arena, const char **out, aq_error *err);

#endif
