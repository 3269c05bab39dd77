/* fuzz_plan.c - any bytes as the JSON of a plan for a few fixed tensors: an error that has words, or a plan of exactly
 * these tensors, which is written and read again as the same. An input that begins with '!' is changes to a valid plan
 * instead: the number of an entry, of a key and of a value that it gets, a byte each. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arrowquant.h"
#include "core/compiler.h"
#include "quant/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ranks 0 to 3, no values, whole numbers, and two names of the same bytes. */
static const aq_tensor_info tensors[] = {
    {.name = "a", .dtype = AQ_F32, .rank = 2, .shape = {4, 8}, .num_params = 32, .alias_of = -1},
    {.name = "b", .dtype = AQ_BF16, .rank = 3, .shape = {2, 3, 5}, .num_params = 30, .alias_of = -1},
    {.name = "c", .dtype = AQ_F16, .rank = 1, .shape = {7}, .num_params = 7, .alias_of = -1},
    {.name = "s", .dtype = AQ_F64, .rank = 0, .num_params = 1, .alias_of = -1},
    {.name = "e", .dtype = AQ_F32, .rank = 2, .shape = {0, 8}, .num_params = 0, .alias_of = -1},
    {.name = "i", .dtype = AQ_I64, .rank = 1, .shape = {3}, .num_params = 3, .alias_of = -1},
    {.name = "t", .dtype = AQ_F32, .rank = 2, .shape = {4, 8}, .num_params = 32, .alias_of = 0},
};

static const char *const keys[] = {"action", "type", "per",  "group_size", "symmetric", "method",
                                   "shape",  "name", "bits", "loss",       "scales",    "rule"};
/* As JSON; scales are of four rows, of eight groups, and of numbers that no step is. */
static const char *const values[] = {"\"keep\"",
                                     "\"convert\"",
                                     "\"quantize\"",
                                     "\"int8\"",
                                     "\"int4\"",
                                     "\"int3\"",
                                     "\"int2\"",
                                     "\"fp16\"",
                                     "\"bf16\"",
                                     "\"fp32\"",
                                     "\"tensor\"",
                                     "\"channel\"",
                                     "\"group\"",
                                     "\"minmax\"",
                                     "\"mse\"",
                                     "\"rd\"",
                                     "\"gptq\"",
                                     "\"auto\"",
                                     "true",
                                     "false",
                                     "null",
                                     "0",
                                     "1",
                                     "3",
                                     "8",
                                     "-1",
                                     "4294967304",
                                     "1e300",
                                     "-1e-300",
                                     "2.5",
                                     "[]",
                                     "[4, 8]",
                                     "[2, 3, 5]",
                                     "\"\"",
                                     "\"a\"",
                                     "\"b\"",
                                     "\"t\"",
                                     "{}",
                                     "\"3e003e003e003e00\"",
                                     "\"3e003e003e003e003e003e003e003e00\"",
                                     "\"3e00\"",
                                     "\"3e003e003e000000\"",
                                     "\"be003e003e003e00\"",
                                     "\"3e003e007f803e00\"",
                                     "\"3e003e0000013e00\"",
                                     "\"3e003E003e003e00\""};

static void check_entry(const aq_plan_entry *entry, const aq_tensor_info *t) {
  char text[64];
  if (strcmp(entry->name, t->name) != 0 || entry->rule == NULL || !(entry->bits >= 0) || !(entry->loss >= 0)) abort();
  if (aq_plan_entry_text(entry, text, sizeof text)[0] == '\0') abort();
  if (entry->action != AQ_KEEP && !aq_plan_is_quantizable(t)) abort();
  if (entry->action != AQ_QUANTIZE) {
    if (entry->scales != NULL) abort();
    return;
  }
  if (entry->quant_axis < -1 || entry->quant_axis > 0 || entry->group_size < 0) abort();
  if (entry->span_length == 0 && t->num_params > 0) abort();
  for (uint64_t i = 0; entry->scales != NULL && i < entry->scale_count; i++) {
    if (!(entry->scales[i] > 0)) abort();
  }
}

/* The text of a plan, scales included. */
static char *text_of(const aq_plan *plan) {
  aq_error err;
  json_t *json;
  if (aq_plan_to_json(plan, tensors, true, &json, &err) != AQ_OK) abort();
  char *text = json_dumps(json, JSON_SORT_KEYS);
  if (text == NULL) abort();
  json_decref(json);
  return text;
}

/* A matrix and its tied twin in steps of their own, and everything else kept; then the changes. */
static json_t *change_plan(const uint8_t *data, size_t size) {
  json_t *list = json_array();
  for (size_t i = 0; i < AQ_COUNT_OF(tensors); i++) {
    const bool matrix = strchr("at", tensors[i].name[0]) != NULL;
    json_t *entry =
        json_pack("{s:s, s:s, s:[]}", "name", tensors[i].name, "action", matrix ? "quantize" : "keep", "shape");
    for (int32_t k = 0; k < tensors[i].rank; k++)
      (void)json_array_append_new(json_object_get(entry, "shape"), json_integer(tensors[i].shape[k]));
    if (matrix) {
      (void)json_object_update_new(entry, json_pack("{s:s, s:s, s:s, s:b, s:s}", "type", "int4", "per", "channel",
                                                    "method", "rd", "symmetric", 1, "scales", "3e003d803e403f00"));
    }
    (void)json_array_append_new(list, entry);
  }
  for (size_t i = 0; i + 3 <= size; i += 3) {
    json_t *value = json_loads(values[data[i + 2] % AQ_COUNT_OF(values)], JSON_DECODE_ANY, NULL);
    if (value == NULL) abort();
    (void)json_object_set_new(json_array_get(list, data[i] % AQ_COUNT_OF(tensors)),
                              keys[data[i + 1] % AQ_COUNT_OF(keys)], value);
  }
  return json_pack("{s:i, s:o}", "arrowquant_plan", 1, "tensors", list);
}

static json_t *load_text(const char *text, size_t size) { return json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL); }

/* Takes the JSON, NULL for text that is none. */
static aq_status read_json(json_t *json, aq_plan *plan, aq_error *err) {
  *plan = (aq_plan){NULL, 0, NULL};
  err->code = AQ_OK;
  if (json == NULL) return AQ_ERR_FORMAT;
  const aq_status status = aq_plan_from_json(json, tensors, AQ_COUNT_OF(tensors), plan, err);
  if (status != AQ_OK && (plan->entries != NULL || err->message[0] == '\0')) abort();
  json_decref(json);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aq_error err;
  aq_plan plan, again;
  json_t *json = size > 0 && data[0] == '!' ? change_plan(data + 1, size - 1) : load_text((const char *)data, size);
  if (read_json(json, &plan, &err) != AQ_OK) return 0;
  if (plan.count != AQ_COUNT_OF(tensors)) abort();
  for (size_t i = 0; i < plan.count; i++) check_entry(&plan.entries[i], &tensors[i]);
  char *first = text_of(&plan);
  if (read_json(load_text(first, strlen(first)), &again, &err) != AQ_OK) abort();
  char *second = text_of(&again);
  if (strcmp(first, second) != 0) abort();
  free(first);
  free(second);
  aq_plan_reset(&plan);
  aq_plan_reset(&again);
  return 0;
}
