/* gguf_types.c - the table of types, by their numbers in files. */
#include "io/gguf/gguf_types.h"

#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "io/gguf/gguf_blocks.h"

/* A type with a name and nothing else is known and not read: removed from ggml, or never written to files. */
static const aq_gguf_type types[] = {
    [0] = {"F32", 1, 4, AQ_F32, NULL},
    [1] = {"F16", 1, 2, AQ_F16, NULL},
    [2] = {"Q4_0", 32, 18, AQ_F32, aq_gguf_decode_q4_0},
    [3] = {"Q4_1", 32, 20, AQ_F32, aq_gguf_decode_q4_1},
    [4] = {.name = "Q4_2"},
    [5] = {.name = "Q4_3"},
    [6] = {"Q5_0", 32, 22, AQ_F32, aq_gguf_decode_q5_0},
    [7] = {"Q5_1", 32, 24, AQ_F32, aq_gguf_decode_q5_1},
    [8] = {"Q8_0", 32, 34, AQ_F32, aq_gguf_decode_q8_0},
    [9] = {.name = "Q8_1"},
    [10] = {"Q2_K", 256, 84, AQ_F32, aq_gguf_decode_q2_k},
    [11] = {"Q3_K", 256, 110, AQ_F32, aq_gguf_decode_q3_k},
    [12] = {"Q4_K", 256, 144, AQ_F32, aq_gguf_decode_q4_k},
    [13] = {"Q5_K", 256, 176, AQ_F32, aq_gguf_decode_q5_k},
    [14] = {"Q6_K", 256, 210, AQ_F32, aq_gguf_decode_q6_k},
    [15] = {"Q8_K", 256, 292, AQ_F32, aq_gguf_decode_q8_k},
    [16] = {"IQ2_XXS", 256, 66, AQ_F32, aq_gguf_decode_iq2_xxs},
    [17] = {"IQ2_XS", 256, 74, AQ_F32, aq_gguf_decode_iq2_xs},
    [18] = {"IQ3_XXS", 256, 98, AQ_F32, aq_gguf_decode_iq3_xxs},
    [19] = {"IQ1_S", 256, 50, AQ_F32, aq_gguf_decode_iq1_s},
    [20] = {"IQ4_NL", 32, 18, AQ_F32, aq_gguf_decode_iq4_nl},
    [21] = {"IQ3_S", 256, 110, AQ_F32, aq_gguf_decode_iq3_s},
    [22] = {"IQ2_S", 256, 82, AQ_F32, aq_gguf_decode_iq2_s},
    [23] = {"IQ4_XS", 256, 136, AQ_F32, aq_gguf_decode_iq4_xs},
    [24] = {"I8", 1, 1, AQ_I8, NULL},
    [25] = {"I16", 1, 2, AQ_I16, NULL},
    [26] = {"I32", 1, 4, AQ_I32, NULL},
    [27] = {"I64", 1, 8, AQ_I64, NULL},
    [28] = {"F64", 1, 8, AQ_F64, NULL},
    [29] = {"IQ1_M", 256, 56, AQ_F32, aq_gguf_decode_iq1_m},
    [30] = {"BF16", 1, 2, AQ_BF16, NULL},
    [31] = {.name = "Q4_0_4_4"},
    [32] = {.name = "Q4_0_4_8"},
    [33] = {.name = "Q4_0_8_8"},
    [34] = {"TQ1_0", 256, 54, AQ_F32, aq_gguf_decode_tq1_0},
    [35] = {"TQ2_0", 256, 66, AQ_F32, aq_gguf_decode_tq2_0},
    [36] = {.name = "IQ4_NL_4_4"},
    [37] = {.name = "IQ4_NL_4_8"},
    [38] = {.name = "IQ4_NL_8_8"},
    [39] = {"MXFP4", 32, 17, AQ_F32, aq_gguf_decode_mxfp4},
    [40] = {"NVFP4", 64, 36, AQ_F32, aq_gguf_decode_nvfp4},
    [41] = {.name = "Q1_0"},
};

uint32_t aq_gguf_type_count(void) { return (uint32_t)AQ_COUNT_OF(types); }
const aq_gguf_type *aq_gguf_type_at(uint32_t number) { return &types[number]; }

aq_status aq_gguf_type_find(uint32_t number, const aq_gguf_type **out, aq_error *err) {
  *out = NULL;
  if (number < AQ_COUNT_OF(types) && types[number].values > 0) {
    *out = &types[number];
    return AQ_OK;
  }
  const char *name = number < AQ_COUNT_OF(types) ? types[number].name : NULL;
  const aq_status status =
      aq_fail(err, AQ_ERR_UNSUPPORTED, "is stored as type %u%s%s%s, which is not read", (unsigned)number,
              name != NULL ? " (" : "", name != NULL ? name : "", name != NULL ? ")" : "");
  return aq_error_hint(err, status, "Take the model's safetensors files, or convert the file with llama-quantize");
}

void aq_gguf_decode(const aq_gguf_type *type, const uint8_t *blocks, size_t count, float *out) {
  type->decode(blocks, count, out);
  for (size_t i = 0; i < count * type->values; i++) {
    const uint32_t bits = aq_f32_bits(out[i]);
    out[i] = (bits & 0x7fffffff) > 0x7f800000 ? aq_bits_f32(0x7fc00000) : out[i];
  }
}
