/* export_layout.h - how a format for other programs stores quantized tensors in its own way: what a format with codes
 * implements, besides its sink. One that holds values only has none. */
#ifndef AQ_IO_EXPORT_LAYOUT_H
#define AQ_IO_EXPORT_LAYOUT_H

#include "core/buffer.h"
#include "io/source.h"
#include "quant/plan.h"

typedef enum aq_stored_kind {
  AQ_STORED_PASSED, /* a tensor of the base by name, values and kind, which the exporter converts and dequantizes */
  AQ_STORED_CODES,  /* codes of the base, or their scales, in bytes of the format */
  AQ_STORED_VALUES  /* values of the base, in bytes of the format */
} aq_stored_kind;

typedef struct aq_stored_tensor {
  size_t origin; /* the tensor of the base that it is made of */
  aq_stored_kind kind;
  aq_dtype dtype;         /* AQ_STORED_VALUES: of the values */
  const char *why_values; /* in words, of a tensor that has values whatever a plan makes of it; NULL: codes of one of
                             the grids are stored as such */
  bool is_of_values;      /* why_values holds for all tensors of its kind: nothing that a plan falls back to */
  bool is_layer;          /* of a format with one setting: has codes where any other one has */
} aq_stored_tensor;

/* Codes that a format holds without loss. The exporter and plans for the format go by the same table. */
typedef struct aq_code_grid {
  aq_quant_type type;
  bool symmetric;       /* zero points are 0 */
  aq_scale_grid scales; /* what scales and zero points must be */
  uint32_t stored;      /* the format's own number of it */
} aq_code_grid;

/* One that a search chooses among, symmetric: a scale for so many columns; 0: for a row. AQ_KEPT: values of 16 bits. */
typedef struct aq_code_choice {
  aq_quant_type type;
  uint32_t group;
} aq_code_choice;

enum { AQ_CODE_CHOICES_MAX = 16 };

/* Builds the graph of the model that a source holds, in which the room model knows more than formats do. */
struct aq_onnx_build;
typedef aq_status (*aq_graph_maker)(const aq_source *base, struct aq_onnx_build *graph, aq_error *err);

typedef struct aq_export_layout {
  /* A source of the tensors as the format stores them, in the order of those of `base`, which it holds. dtype: wanted
   * for values, AQ_DTYPE_INVALID: their own. What the format cannot store is AQ_ERR_UNSUPPORTED with the tensor's name.
   */
  aq_status (*open)(const aq_source *base, aq_dtype dtype, aq_source **out, aq_error *err);
  /* The same of a format whose files hold what is computed, too; in place of open. beside: NULL, or of each tensor of
   * the base whether it is for another file of the model's folder: it is passed on though the graph does not read it.
   */
  aq_status (*open_graph)(const aq_source *base, aq_dtype dtype, aq_graph_maker make_graph, const bool *beside,
                          aq_source **out, aq_error *err);
  aq_stored_tensor (*describe)(const aq_source *stored, size_t index);
  /* config.json of a model, of whose tensors `stored` was opened, in which the member for quantized weights is set;
   * appended to `out`. NULL: the format has no such file. */
  aq_status (*configure)(const aq_source *stored, const char *config, size_t size, aq_buffer *out, aq_error *err);
  const char *weights_place; /* of the file in a model's folder; NULL: model.safetensors */
  const char *beside_ending; /* of a second file that the sink may write: behind the first one's name; NULL: none */
  aq_dtype dtype;            /* of values when none is wanted; AQ_DTYPE_INVALID: their own */

  /* For plans. */
  const aq_code_grid *grids;
  size_t grid_count;
  uint32_t group_size;   /* that it stores a scale for anyway; 0: any */
  bool has_one_setting;  /* type, symmetry and group are those of all codes */
  bool has_short_values; /* a matrix without codes is made one of 16 bits */
  /* Why the format has no codes of a matrix in which so many values of all rows share a scale, in words; else NULL. */
  const char *(*refuse_span)(const aq_tensor_info *tensor, uint64_t span);

  /* Groups of factor_group values: so many scales side by side in a row are whole multiples, from -(factor_most + 1) to
   * factor_most, of an FP16 number (quant/scale_factor.h). They are for searches alone, because a fit knows one group.
   * 0: there are none. */
  uint32_t factor_group, factor_scales;
  int factor_most;

  /* For searches. */
  const aq_code_choice *choices; /* at most AQ_CODE_CHOICES_MAX */
  size_t choice_count;
  /* Bytes of a tensor's codes and scales, and of zero points that are not all 0 unless it is symmetric, in the file, at
   * most; span: values that share a scale. Of AQ_KEPT, where it is a choice, those of its values. */
  uint64_t (*code_bytes)(const aq_tensor_info *tensor, aq_quant_type type, uint64_t span, bool symmetric);
  /* Of the file beside the data of its tensors, at most: header, metadata, what fills up. */
  uint64_t (*overhead)(const aq_source *stored);
} aq_export_layout;

/* The tensors of a source as the layout stores them when what `plan` quantizes is values and what it converts is
 * converted: which of them there are and which can have codes, for plans. make_graph: for layouts that have open_graph.
 * tensors: the source's, with their ties. Fails as an export of the model would. */
AQ_MUST_CHECK aq_status aq_export_layout_open_planned(const aq_export_layout *layout, aq_graph_maker make_graph,
                                                      const aq_source *source, const aq_tensor_info *tensors,
                                                      const aq_plan *plan, aq_source **out, aq_error *err);

/* Bytes of the file that tensor `index` of such a source takes as values. */
uint64_t aq_export_layout_value_bytes(const aq_export_layout *layout, const aq_source *stored, size_t index);

/* The type of 16 bits that values of a type become where a search chooses such: BF16 stays what it is. */
aq_dtype aq_export_value_dtype(aq_dtype dtype);

/* Whether a search for the format chooses among values of 16 bits, too. */
bool aq_export_layout_has_values(const aq_export_layout *layout);

/* Bytes of the format's file that each tensor of a source takes by a plan without open entries, what is tied to it
 * included; 0: it is not stored. `bytes`: one per tensor. *overhead: of the file beside that, at most. */
AQ_MUST_CHECK aq_status aq_export_layout_measure(const aq_export_layout *layout, aq_graph_maker make_graph,
                                                 const aq_source *source, const aq_tensor_info *tensors,
                                                 const aq_plan *plan, uint64_t *bytes, uint64_t *overhead,
                                                 aq_error *err);

#endif
