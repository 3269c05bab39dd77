/* stats_file.c - the statistics in a safetensors file, so that one gathering serves many trials.
 *
 * Every array is a tensor named after the weights that it is about, symmetric matrices in full, so that any reader of
 * the format can use them. The metadata hold the counts, the fingerprint of the model, and a checksum of the data
 * (XXH3, 64 bits, over the arrays in the order of the file): a damaged statistic would be seen nowhere else. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "calib/fisher/stats_arrays.h"
#include "calib/fisher/triangle.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/fingerprint.h"
#include "io/safetensors/safetensors_writer.h"
#include "kernels/kernels.h"

static const char version_key[] = "arrowquant.statistics", version[] = "1";
static const char fingerprint_key[] = "model.fingerprint", checksum_key[] = "checksum", texts_key[] = "texts_from";
static const char *const texts_words[] = {"built-in", "list", "file", "self"};

/* Counts of the struct that are not sizes of the model. */
enum { TEXTS, TOKENS, LONGEST, COUNTS };
static const char *const count_keys[COUNTS] = {"texts", "tokens", "longest"};

#define NUMBER_SIZE 24
#define PAIRS (3 + COUNTS) /* and where the texts are from, when that is known */

static char *array_name(const aq_source *model, const aq_stats_array *array) {
  return aq_format("%s%s", aq_source_tensor(model, array->tensor)->name, array->ending);
}

/* What the file has of an array. */
static size_t stored_floats(const aq_stats_array *array) { return array->matrix ? array->n * array->n : array->n; }

/* Room for the largest array, as the file has it and as the statistics do. */
typedef struct rooms {
  float *square, *triangle;
} rooms;

static void free_rooms(rooms *r) {
  aq_free(r->square);
  aq_free(r->triangle);
}

/* To be freed, also after a failure. */
static aq_status create_rooms(aq_stats *stats, rooms *out, aq_error *err) {
  const size_t count = aq_stats_array_count(stats);
  size_t most = 1, held = 1;
  for (size_t i = 0; i < count; i++) {
    const aq_stats_array array = aq_stats_array_at(stats, i);
    most = AQ_MAX(most, stored_floats(&array));
    if (array.matrix) held = AQ_MAX(held, aq_stats_array_floats(&array));
  }
  out->square = aq_realloc_array(NULL, most, sizeof *out->square);
  out->triangle = aq_realloc_array(NULL, held, sizeof *out->triangle);
  return out->square != NULL && out->triangle != NULL ? AQ_OK : aq_fail_memory(err, (most + held) * sizeof(float));
}

/* An array as the file has it; in the room when it is a matrix. */
static aq_status stored_values(const aq_stats *stats, const aq_stats_array *array, const rooms *room, const float **out,
                               aq_error *err) {
  *out = array->matrix ? room->square : *array->values;
  if (!array->matrix) return AQ_OK;
  AQ_TRY(aq_stats_array_read(stats, array, room->triangle, err));
  aq_triangle_expand(room->triangle, array->n, room->square);
  return AQ_OK;
}

static aq_status add_to_checksum(aq_stats *stats, const rooms *room, XXH3_state_t *state, aq_error *err) {
  const size_t count = aq_stats_array_count(stats);
  for (size_t i = 0; i < count; i++) {
    const aq_stats_array array = aq_stats_array_at(stats, i);
    const float *values;
    AQ_TRY(stored_values(stats, &array, room, &values, err));
    (void)XXH3_64bits_update(state, values, stored_floats(&array) * sizeof(float));
  }
  return AQ_OK;
}

static aq_status checksum(aq_stats *stats, const rooms *room, char out[NUMBER_SIZE], aq_error *err) {
  XXH3_state_t *state = XXH3_createState();
  if (state == NULL) return aq_fail_memory(err, 1024);
  (void)XXH3_64bits_reset(state);
  const aq_status status = add_to_checksum(stats, room, state, err);
  (void)snprintf(out, NUMBER_SIZE, "%016" PRIx64, (uint64_t)XXH3_64bits_digest(state));
  (void)XXH3_freeState(state);
  return status;
}

/* ---- saving ---- */

static aq_status describe(aq_stats *stats, aq_tensor_info *infos, char **names, aq_error *err) {
  const size_t count = aq_stats_array_count(stats);
  for (size_t i = 0; i < count; i++) {
    const aq_stats_array array = aq_stats_array_at(stats, i);
    names[i] = array_name(stats->model->source, &array);
    if (names[i] == NULL) return aq_fail_memory(err, 256);
    infos[i] = (aq_tensor_info){.name = names[i], .dtype = AQ_F32, .rank = array.matrix ? 2 : 1};
    infos[i].shape[0] = infos[i].shape[1] = (int64_t)array.n;
  }
  return AQ_OK;
}

static aq_status write_arrays(aq_safetensors_writer *writer, aq_stats *stats, const rooms *room, aq_error *err) {
  const size_t count = aq_stats_array_count(stats);
  for (size_t i = 0; i < count; i++) {
    const aq_stats_array array = aq_stats_array_at(stats, i);
    const float *values;
    AQ_TRY(stored_values(stats, &array, room, &values, err));
    AQ_TRY(aq_safetensors_writer_write(writer, values, stored_floats(&array) * sizeof(float), err));
  }
  return AQ_OK;
}

static aq_status write_file(aq_stats *stats, const aq_tensor_info *infos, const char *path, bool force,
                            const rooms *room, aq_error *err) {
  char fingerprint[33], sum[NUMBER_SIZE], numbers[COUNTS][NUMBER_SIZE];
  const uint64_t counts[COUNTS] = {[TEXTS] = stats->texts, [TOKENS] = stats->tokens, [LONGEST] = stats->longest};
  const char *metadata[2 * PAIRS + 2] = {version_key, version, fingerprint_key, fingerprint, checksum_key, sum};
  AQ_TRY(aq_source_fingerprint(stats->model->source, fingerprint, err));
  AQ_TRY(checksum(stats, room, sum, err));
  for (size_t i = 0; i < COUNTS; i++) {
    (void)snprintf(numbers[i], sizeof numbers[i], "%" PRIu64, counts[i]);
    metadata[2 * (PAIRS - COUNTS + i)] = count_keys[i];
    metadata[2 * (PAIRS - COUNTS + i) + 1] = numbers[i];
  }
  metadata[2 * PAIRS] = texts_key;
  metadata[2 * PAIRS + 1] = stats->texts_from;
  const size_t pairs = PAIRS + (stats->texts_from != NULL ? 1 : 0);
  aq_safetensors_writer *writer;
  AQ_TRY(aq_safetensors_writer_create(path, force, infos, aq_stats_array_count(stats), metadata, pairs, &writer, err));
  const aq_status status = write_arrays(writer, stats, room, err);
  if (status == AQ_OK) return aq_safetensors_writer_commit(writer, NULL, err);
  aq_safetensors_writer_abort(writer);
  return status;
}

aq_status aq_stats_save(const aq_stats *stats, const char *path, bool force, aq_error *err) {
  aq_stats own = *stats; /* whose arrays can be listed */
  AQ_FAIL_IF(own.layer_count != own.model->config.layers, AQ_ERR_ARGUMENT,
             "statistics of %u of %u layers are not saved", own.layer_count, own.model->config.layers);
  const size_t count = aq_stats_array_count(&own);
  aq_tensor_info *infos = aq_calloc(count, sizeof *infos);
  char **names = aq_calloc(count, sizeof *names);
  aq_status status = infos != NULL && names != NULL ? AQ_OK : aq_fail_memory(err, count * sizeof *infos);
  if (status == AQ_OK) status = describe(&own, infos, names, err);
  rooms room = {0};
  if (status == AQ_OK) status = create_rooms(&own, &room, err);
  if (status == AQ_OK) status = write_file(&own, infos, path, force, &room, err);
  free_rooms(&room);
  for (size_t i = 0; names != NULL && i < count; i++) aq_free(names[i]);
  aq_free(names);
  aq_free(infos);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, path);
}

/* ---- loading ---- */

static const char *find_metadata(const aq_source *file, const char *key) {
  for (size_t i = 0; i < aq_source_metadata_count(file); i++) {
    if (strcmp(aq_source_metadata_key(file, i), key) == 0) return aq_source_metadata_value(file, i);
  }
  return "";
}

static aq_status check_model(const aq_source *file, const aq_source *model, aq_error *err) {
  char fingerprint[33];
  const char *found = find_metadata(file, version_key);
  AQ_FAIL_IF(found[0] == '\0', AQ_ERR_FORMAT, "these are no statistics: the metadata have no '%s'", version_key);
  AQ_FAIL_IF(strcmp(found, version) != 0, AQ_ERR_UNSUPPORTED, "version '%.20s' of statistics is not known; expected %s",
             found, version);
  AQ_TRY(aq_source_fingerprint(model, fingerprint, err));
  if (strcmp(find_metadata(file, fingerprint_key), fingerprint) == 0) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_NO_MATCH, "these are the statistics of another model");
  return aq_error_hint(err, AQ_ERR_NO_MATCH, "Gather them again for this one");
}

/* Digits alone, at most 18 of them. */
static aq_status read_count(const aq_source *file, const char *key, uint64_t most, uint64_t *out, aq_error *err) {
  const char *text = find_metadata(file, key);
  const size_t length = strlen(text);
  *out = 0;
  bool fine = length > 0 && length <= 18 && strspn(text, "0123456789") == length;
  for (size_t i = 0; fine && i < length; i++) *out = *out * 10 + (uint64_t)(text[i] - '0');
  fine = fine && *out > 0 && *out <= most;
  AQ_FAIL_IF(!fine, AQ_ERR_FORMAT, "'%.30s' is no number of %s", text, key);
  return AQ_OK;
}

/* By way of `room`, when it is a matrix. */
static aq_status read_values(const aq_source *file, size_t tensor, const aq_stats *stats, const aq_stats_array *array,
                             const rooms *room, aq_error *err) {
  float *values = array->matrix ? room->square : *array->values;
  const size_t count = stored_floats(array), n = array->n;
  AQ_TRY(aq_source_read_f32(file, tensor, 0, count, values, err));
  aq_range range = aq_range_empty();
  aq_kernels_get()->range_f32(values, count, &range);
  AQ_FAIL_IF(!aq_range_is_finite(&range), AQ_ERR_NONFINITE, "it has NaN or infinities");
  if (!array->matrix) return AQ_OK;
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < i; j++) {
      AQ_FAIL_IF(values[i * n + j] != values[j * n + i], AQ_ERR_CORRUPT,
                 "it is not symmetric: [%zu][%zu] and [%zu][%zu] differ", i, j, j, i);
    }
  }
  aq_triangle_pack(values, n, room->triangle);
  return aq_stats_array_write(stats, array, room->triangle, err);
}

static aq_status read_array(const aq_source *file, const aq_stats *stats, const aq_stats_array *array,
                            const rooms *room, aq_error *err) {
  char *name = array_name(stats->model->source, array);
  if (name == NULL) return aq_fail_memory(err, 256);
  const int64_t index = aq_source_find(file, name);
  const aq_tensor_info *info = index >= 0 ? aq_source_tensor(file, (size_t)index) : NULL;
  const int64_t n = (int64_t)array->n;
  aq_status status = AQ_OK;
  if (info == NULL) {
    status = aq_fail(err, AQ_ERR_FORMAT, "a tensor of the statistics is missing");
  } else if (info->dtype != AQ_F32 || info->quant_type != AQ_KEPT || info->rank != (array->matrix ? 2 : 1) ||
             info->shape[0] != n || (array->matrix && info->shape[1] != n)) {
    status = aq_fail(err, AQ_ERR_FORMAT, "its type or shape does not fit the model");
  } else {
    status = read_values(file, (size_t)index, stats, array, room, err);
  }
  if (status != AQ_OK) (void)aq_error_in_tensor(err, status, name);
  aq_free(name);
  return status;
}

static aq_status read_counts(const aq_source *file, aq_stats *out, aq_error *err) {
  uint64_t longest;
  AQ_TRY(read_count(file, count_keys[TEXTS], UINT64_MAX, &out->texts, err));
  AQ_TRY(read_count(file, count_keys[TOKENS], UINT64_MAX, &out->tokens, err));
  AQ_TRY(read_count(file, count_keys[LONGEST], out->model->config.positions, &longest, err));
  out->longest = (uint32_t)longest;
  for (size_t i = 0; i < AQ_COUNT_OF(texts_words); i++) {
    if (strcmp(find_metadata(file, texts_key), texts_words[i]) == 0) out->texts_from = texts_words[i];
  }
  return AQ_OK;
}

static aq_status read_arrays(const aq_source *file, aq_stats *out, const rooms *room, aq_error *err) {
  char sum[NUMBER_SIZE];
  const size_t count = aq_stats_array_count(out);
  for (size_t i = 0; i < count; i++) {
    const aq_stats_array array = aq_stats_array_at(out, i);
    AQ_TRY(read_array(file, out, &array, room, err));
  }
  AQ_TRY(checksum(out, room, sum, err));
  AQ_FAIL_IF(strcmp(find_metadata(file, checksum_key), sum) != 0, AQ_ERR_CORRUPT,
             "the data are damaged: their checksum is %s", sum);
  return AQ_OK;
}

static aq_status read_file(const aq_source *file, const aq_model *model, aq_scratch *scratch, aq_stats *out,
                           aq_error *err) {
  AQ_TRY(check_model(file, model->source, err));
  AQ_TRY(aq_stats_create(out, model, 0, model->config.layers, scratch, err));
  AQ_TRY(read_counts(file, out, err));
  rooms room = {0};
  aq_status status = create_rooms(out, &room, err);
  if (status == AQ_OK) status = read_arrays(file, out, &room, err);
  free_rooms(&room);
  return status;
}

aq_status aq_stats_load(const char *path, const aq_model *model, aq_scratch *scratch, aq_stats *out, aq_error *err) {
  aq_source *file;
  *out = (aq_stats){0};
  AQ_TRY(aq_source_open(path, NULL, &file, err));
  aq_status status = read_file(file, model, scratch, out, err);
  aq_source_close(file);
  if (status == AQ_OK) return AQ_OK;
  aq_stats_reset(out);
  return aq_error_in_file(err, status, path);
}
