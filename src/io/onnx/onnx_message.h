/* onnx_message.h - writing the wire format of protocol buffers (protobuf.dev/programming-guides/encoding): fields of a
 * message, appended to its bytes. */
#ifndef AQ_IO_ONNX_ONNX_MESSAGE_H
#define AQ_IO_ONNX_ONNX_MESSAGE_H

#include "core/buffer.h"

/* A number; negative ones as their two's complement of 64 bits. */
AQ_MUST_CHECK aq_status aq_onnx_put_number(aq_buffer *message, uint32_t field, int64_t value, aq_error *err);
AQ_MUST_CHECK aq_status aq_onnx_put_float(aq_buffer *message, uint32_t field, float value, aq_error *err);
AQ_MUST_CHECK aq_status aq_onnx_put_bytes(aq_buffer *message, uint32_t field, const void *bytes, size_t size,
                                          aq_error *err);
AQ_MUST_CHECK aq_status aq_onnx_put_text(aq_buffer *message, uint32_t field, const char *text, aq_error *err);

/* The tag and the length of `size` bytes that follow. */
AQ_MUST_CHECK aq_status aq_onnx_put_head(aq_buffer *message, uint32_t field, uint64_t size, aq_error *err);

/* A message inside: appends it and empties it, whatever happens. */
AQ_MUST_CHECK aq_status aq_onnx_put_message(aq_buffer *message, uint32_t field, aq_buffer *inside, aq_error *err);

#endif
