/* test_source_codes.c - tensors that keep the codes of their format: what they say, ranges of their bytes, those that
 * become values. That all formats are kept where they can be is shown by tests/interop/test_kept_codes.py. */
#include "check.h"
#include "faulty_allocator.h"
#include "gguf_writer.h"
#include "temp_folder.h"

#include "core/compiler.h"
#include "io/source.h"
#include "io/source_codes.h"

enum { Q3_K = 11, Q8_0 = 8 };

static int teardown(void **state) {
  aq_buffer_reset(&file);
  return temp_teardown(state);
}

/* "halves": two blocks of Q4_0, scales 1 and -2; "bytes": one of Q8_0; "thirds": one of Q3_K; "plain". */
static const char *write_model(void) {
  begin_file(3, 4, 0);
  put_tensor("halves", 2, 32, Q4_0, 0);
  put_tensor("bytes", 1, 32, Q8_0, 64);
  put_tensor("thirds", 1, 256, Q3_K, 128);
  put_tensor("plain", 2, 0, F32, 256);
  align_file(32);
  put_bytes("\0\x3c", 2); /* 1.0 */
  for (int i = 0; i < 16; i++) put_bytes("\x80", 1);
  put_bytes("\0\xc0", 2); /* -2.0 */
  for (int i = 0; i < 16; i++) put_bytes("\xf1", 1);
  align_file(32);
  put_bytes("\0\x38", 2); /* 0.5 */
  for (int i = 0; i < 32; i++) put_bytes("\x80", 1);
  align_file(32);
  put_noise(108);
  put_bytes("\0\x3c", 2);
  align_file(32);
  put_u32(0);
  put_u32(0);
  return write_file("m.gguf");
}

static aq_source *open_model(const char *path, bool keep_codes) {
  aq_source *source = NULL;
  aq_source_options options;
  aq_source_options_init(&options);
  options.keep_codes = keep_codes;
  assert_ok(aq_source_open(path, &options, &source, &err));
  return source;
}

static void blocks_are_rows_of_codes(void **state) {
  (void)state;
  const char *path = write_model();
  aq_source *s = open_model(path, true);
  const aq_tensor_info *t = aq_source_tensor(s, 0);
  assert_string_equal(t->name, "halves");
  assert_int_equal(t->quant_type, AQ_INT4);
  assert_int_equal(t->dtype, AQ_F32);
  assert_int_equal(t->quant_axis, 0);
  assert_int_equal(t->group_size, 0); /* a group is a row */
  assert_int_equal(t->num_scales, 2);
  assert_int_equal(t->data_bytes, 32);
  assert_int_equal(t->stored_bytes, 36);
  aq_tensor tensor;
  assert_ok(aq_source_load(s, 0, &tensor, &err));
  /* Codes 0..15 of half bytes, first the low ones: of 0x80 sixteen 0 and sixteen 8, of 0xf1 sixteen 1 and sixteen 15.
   */
  static const uint8_t bytes[4] = {0x00, 0x88, 0x11, 0xff};
  for (size_t i = 0; i < 32; i++) assert_int_equal(((const uint8_t *)tensor.data)[i], bytes[i / 8]);
  const float *scales = tensor.scales, *zeros = tensor.zero_points;
  assert_true(scales[0] >= 1 && scales[0] <= 1 && scales[1] >= -2 && scales[1] <= -2);
  assert_true(zeros[0] >= 0 && zeros[0] <= 0 && zeros[1] >= 0 && zeros[1] <= 0);
  aq_tensor_release(&tensor);
  assert_int_equal(aq_source_tensor(s, 1)->quant_type, AQ_INT8);
  assert_int_equal(aq_source_tensor(s, 2)->quant_type, AQ_INT3);
  assert_int_equal(aq_source_tensor(s, 2)->group_size, 16);
  assert_int_equal(aq_source_tensor(s, 3)->quant_type, AQ_KEPT);
  assert_int_equal(aq_source_note_count(s), 2);
  assert_string_equal(aq_source_note(s, 0), "3 tensors are quantized already (Q4_0 1, Q8_0 1, Q3_K 1)");
  assert_string_equal(aq_source_note(s, 1), "the codes of 3 tensors are taken over as they are stored, without loss");
  aq_source_close(s);
}

static void values_are_those_of_the_blocks(void **state) {
  (void)state;
  const char *path = write_model();
  aq_source *codes = open_model(path, true), *values = open_model(path, false);
  float a[256], b[256];
  assert_int_equal(aq_source_tensor_count(codes), aq_source_tensor_count(values));
  for (size_t i = 0; i < aq_source_tensor_count(codes); i++) {
    const uint64_t n = aq_source_tensor(codes, i)->num_params;
    assert_ok(aq_source_read_f32(codes, i, 0, n, a, &err));
    assert_ok(aq_source_read_f32(values, i, 0, n, b, &err));
    assert_memory_equal(a, b, n * sizeof *a);
    assert_int_equal(aq_source_is_decoded(codes, i), false);
    assert_int_equal(aq_source_is_decoded(values, i), i < 3);
  }
  assert_true(b[1] >= 0); /* the last one has been read */
  aq_source_close(codes);
  aq_source_close(values);
}

static void any_range_of_a_piece_is_that_of_the_whole(void **state) {
  (void)state;
  aq_source *s = open_model(write_model(), true);
  uint8_t whole[256], bytes[256];
  for (size_t i = 0; i < 3; i++) {
    const aq_segment *segment = &s->segments[s->segment_first[i]];
    const size_t sizes[3] = {(size_t)segment->data_bytes, (size_t)segment->num_scales * 4,
                             (size_t)segment->num_scales * 4};
    for (int piece = 0; piece < 3; piece++) {
      assert_ok(s->ops->read(s, segment, (aq_piece)piece, 0, sizes[piece], whole, &err));
      for (size_t begin = 0; begin <= sizes[piece]; begin++) {
        for (size_t size = 0; begin + size <= sizes[piece]; size += size % 5 + 1) {
          memset(bytes, 0xee, sizeof bytes);
          assert_ok(s->ops->read(s, segment, (aq_piece)piece, begin, size, bytes, &err));
          assert_memory_equal(bytes, whole + begin, size);
          assert_int_equal(bytes[size], 0xee);
        }
      }
    }
  }
  aq_source_close(s);
}

/* A minimum that is no multiple of the scale, and a scale that is not finite. */
static void tensors_that_no_row_has_become_values(void **state) {
  (void)state;
  begin_file(3, 3, 0);
  put_tensor("fits", 1, 32, Q4_1, 0);
  put_tensor("minimum", 1, 32, Q4_1, 32);
  put_tensor("infinite", 1, 32, Q4_0, 64);
  align_file(32);
  put_bytes("\0\x3c\0\xc4", 4); /* 1.0, -4.0 */
  put_noise(16);
  align_file(32);
  put_bytes("\0\x42\0\xc4", 4); /* 3.0, -4.0 */
  put_noise(16);
  align_file(32);
  put_bytes("\0\x7c", 2);
  put_noise(16);
  align_file(32);
  aq_source *s = open_model(write_file("mixed.gguf"), true);
  static const aq_quant_type types[] = {AQ_INT4, AQ_KEPT, AQ_KEPT};
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(aq_source_tensor(s, i)->quant_type, types[i]);
    assert_int_equal(aq_source_is_decoded(s, i), types[i] == AQ_KEPT);
    assert_int_equal(aq_source_tensor(s, i)->data_bytes, types[i] == AQ_KEPT ? 128 : 16);
  }
  float zero;
  assert_ok(aq_source_read_scales(s, 0, AQ_PIECE_ZERO_POINTS, 0, 1, &zero, &err));
  assert_true(zero >= -4 && zero <= -4); /* u = 4, less 8 */
  assert_string_equal(aq_source_note(s, 2),
                      "2 tensors ('minimum', ...) that are codes in the source become values: codes "
                      "of a table would not have exactly these values");
  aq_source_close(s);
}

/* Every allocation fails once: the status says so, and nothing stays behind. */
static void memory_that_runs_out_is_told_and_nothing_leaks(void **state) {
  (void)state;
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  const char *path = write_model();
  aq_source_options options;
  aq_source_options_init(&options);
  options.keep_codes = true;
  aq_status status = AQ_ERR_MEMORY;
  long n = 1;
  for (; status != AQ_OK; n++) {
    aq_source *source = NULL;
    aq_tensor tensor;
    assert_true(n < 1000);
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    aq_set_allocator(&faulty);
    status = aq_source_open(path, &options, &source, &err);
    if (status == AQ_OK) assert_int_equal(aq_source_tensor(source, 0)->quant_type, AQ_INT4);
    if (status == AQ_OK) status = aq_source_load(source, 0, &tensor, &err);
    if (status == AQ_OK) aq_tensor_release(&tensor);
    aq_source_close(source);
    aq_set_allocator(NULL);
    if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("at %ld: %s: %s", n, aq_status_name(status), err.message);
    assert_int_equal(atomic_load(&alive), 0);
  }
  assert_true(n > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_are_rows_of_codes),
      cmocka_unit_test(values_are_those_of_the_blocks),
      cmocka_unit_test(any_range_of_a_piece_is_that_of_the_whole),
      cmocka_unit_test(tensors_that_no_row_has_become_values),
      cmocka_unit_test(memory_that_runs_out_is_told_and_nothing_leaks),
  };
  return cmocka_run_group_tests(tests, temp_setup, teardown);
}
