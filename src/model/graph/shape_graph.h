/* shape_graph.h - operators that compute nothing: other axes, pieces, several values as one; numbers of places. */
#ifndef AQ_MODEL_GRAPH_SHAPE_GRAPH_H
#define AQ_MODEL_GRAPH_SHAPE_GRAPH_H

#include "io/onnx/onnx_build.h"

/* `count` axes of length 1 at the places `axes`. */
const char *aq_graph_unsqueeze(aq_onnx_build *graph, const char *x, const int64_t *axes, size_t count);

/* Axis i of the result is axes[i] of x; 4 at most. */
const char *aq_graph_transpose(aq_onnx_build *graph, const char *x, const int64_t *axes, uint32_t count);

/* The piece from `begin` up to `end`, vectors of one number each, of an axis. */
const char *aq_graph_cut(aq_onnx_build *graph, const char *x, const char *begin, const char *end, int64_t axis);

/* The piece [begin, end) of the last axis. */
const char *aq_graph_slice(aq_onnx_build *graph, const char *x, int64_t begin, int64_t end);

/* a, b and c (NULL: a and b) behind each other along an axis. */
const char *aq_graph_concat(aq_onnx_build *graph, const char *a, const char *b, const char *c, int64_t axis);

/* 0, 1, ... below `end`, an int64. label: of the value; NULL: of the operator. */
const char *aq_graph_range(aq_onnx_build *graph, const char *label, const char *end);

/* int64 numbers, none below `least` or above `most`. */
const char *aq_graph_clip(aq_onnx_build *graph, const char *x, int64_t least, int64_t most);

#endif
