/* test_torch_zip.c - zip archives that say one thing here and another there: none is read. */
#include "torch_fixture.h"

#include "core/bytes.h"
#include "io/torch/torch_zip.h"

static zip_file zip;

static int teardown(void **state) {
  reset_zip(&zip);
  return temp_teardown(state);
}

static void put_archive(bool described) {
  reset_zip(&zip);
  zip.described = described;
  put_zip_entry(&zip, "m/data.pkl", "\x80\x02}.", 4);
  put_zip_entry(&zip, "m/data/0", "01234567", 8);
  put_zip_entry(&zip, "m/version", "3\n", 2);
}

static aq_status read_archive(aq_zip_directory *out) {
  aq_file file;
  assert_ok(aq_file_open(&file, temp_write("a.pt", zip.bytes.data, zip.bytes.size), &err));
  aq_status status = aq_zip_directory_read(&file, 0, out, &err);
  if (status == AQ_OK) {
    status = aq_zip_entries_check(&file, out, &err);
    if (status != AQ_OK) aq_zip_directory_reset(out);
  }
  aq_file_close(&file);
  return status;
}

static void fails(const char *words) {
  aq_zip_directory directory;
  const aq_status status = read_archive(&directory);
  if (strstr(err.message, words) == NULL) fail_msg("'%s' is not in '%s'", words, err.message);
  assert_true(status == AQ_ERR_FORMAT || status == AQ_ERR_CORRUPT);
  assert_null(directory.entries);
}

/* Where the end records begin that end_zip adds to the archive. */
static size_t directory_at(void) { return zip.bytes.size; }

static void entries_are_in_the_order_of_their_bytes(void **state) {
  (void)state;
  for (int described = 0; described < 2; described++) {
    aq_zip_directory directory;
    put_archive(described);
    end_zip(&zip);
    assert_ok(read_archive(&directory));
    assert_int_equal(directory.count, 3);
    assert_string_equal(directory.entries[1].name, "m/data/0");
    assert_int_equal(directory.entries[1].size, 8);
    assert_memory_equal(zip.bytes.data + directory.entries[1].begin, "01234567", 8);
    aq_zip_directory_reset(&directory);
  }
}

/* The end record of 64 bits, with its locator, as torch.save always writes them. */
static void end_zip64(uint64_t count, uint64_t at) {
  const size_t begin = zip.bytes.size;
  put_bytes(&zip.bytes, zip.directory.data, zip.directory.size);
  const size_t end = zip.bytes.size;
  put_ops(&zip.bytes, "PK\x06\x06");
  put_number(&zip.bytes, 44, 8);
  put_number(&zip.bytes, 0, 8);
  put_number(&zip.bytes, 0, 4);
  put_number(&zip.bytes, count, 8);
  put_number(&zip.bytes, count, 8);
  put_number(&zip.bytes, zip.directory.size, 8);
  put_number(&zip.bytes, begin, 8);
  put_ops(&zip.bytes, "PK\x06\x07");
  put_number(&zip.bytes, 0, 4);
  put_number(&zip.bytes, at != 0 ? at : end, 8);
  put_number(&zip.bytes, 1, 4);
  put_ops(&zip.bytes, "PK\x05\x06");
  put_number(&zip.bytes, 0, 4);
  put_number(&zip.bytes, 0xffffffff, 4);
  put_number(&zip.bytes, UINT64_MAX, 8);
  put_number(&zip.bytes, 0, 2);
}

static void end_record_of_64_bits_is_read(void **state) {
  (void)state;
  aq_zip_directory directory;
  put_archive(true);
  end_zip64(3, 0);
  assert_ok(read_archive(&directory));
  assert_int_equal(directory.count, 3);
  aq_zip_directory_reset(&directory);
  put_archive(true);
  end_zip64(UINT64_MAX / 46, 0);
  fails("too small for its entries");
  put_archive(true);
  end_zip64(3, 1);
  fails("end record of 64 bits is not where it should be");
  put_archive(true);
  end_zip64(3, 0);
  aq_store_u16(zip.bytes.data + zip.bytes.size - 12, 2); /* entries, in the record of 32 bits */
  aq_store_u16(zip.bytes.data + zip.bytes.size - 14, 2);
  fails("its two end records differ");
}

typedef struct change {
  int64_t at; /* of a byte: of the first entry's header, or of its entry in the directory (DIRECTORY + ...) */
  uint8_t value;
  const char *words;
} change;

enum { DIRECTORY = 1000, END = 2000 };

static void change_fails(const change *c, bool described) {
  put_archive(described);
  const size_t directory = directory_at();
  end_zip(&zip);
  const size_t end = zip.bytes.size - 22;
  const size_t at = c->at >= END ? end + (size_t)c->at - END
                                 : (c->at >= DIRECTORY ? directory + (size_t)c->at - DIRECTORY : (size_t)c->at);
  zip.bytes.data[at] = c->value;
  fails(c->words);
}

static void headers_that_differ_from_the_directory_are_refused(void **state) {
  (void)state;
  static const change changes[] = {
      {0, 'Q', "does not begin where its directory says"},
      {6, 1, "header differs from the directory"},        /* flags */
      {8, 8, "header differs from the directory"},        /* method */
      {14, 0, "header differs from the directory"},       /* sum */
      {18, 5, "header differs from the directory"},       /* packed size */
      {22, 5, "header differs from the directory"},       /* size */
      {26, 9, "does not begin where its directory says"}, /* length of the name */
      {28, 1, "overlaps the next"},                       /* length of the extra field: a byte later */
      {30, 'n', "header differs from the directory"},     /* the name */
      {DIRECTORY, 'Q', "its directory is damaged"},
      {DIRECTORY + 8, 1, "an entry is encrypted"},
      {DIRECTORY + 9, 0x20, "flags that are not known"},
      {DIRECTORY + 10, 8, "an entry is compressed"},
      {DIRECTORY + 10, 14, "an entry is compressed"},
      {DIRECTORY + 20, 5, "an entry is compressed"},
      {DIRECTORY + 28, 11, "its directory is damaged"},
      {DIRECTORY + 34, 1, "several volumes"},
      {DIRECTORY + 42, 1, "something lies before its first entry"},
      {DIRECTORY + 46, '/', "no path inside the archive"},
      {DIRECTORY + 47, '\\', "no path inside the archive"},
      {DIRECTORY + 47, 0, "no path inside the archive"},
      {END + 4, 1, "several volumes"},
      {END + 8, 2, "several volumes"},
      {END + 12, 1, "does not end where the end record begins"},
      {END + 16, 1, "does not end where the end record begins"},
      {END + 20, 1, "does not end with the directory"},
  };
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) change_fails(&changes[i], false);
}

static void descriptors_that_differ_are_refused(void **state) {
  (void)state;
  enum { AT = 30 + 10 + 4 };
  static const change changes[] = {{AT, 'Q', "differs from the directory"},
                                   {AT + 4, 0, "differs from the directory"},
                                   {AT + 8, 0, "differs from the directory"},
                                   {AT + 12, 0, "differs from the directory"},
                                   {22, 5, "header differs from the directory"}};
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) change_fails(&changes[i], true);
}

static void names_leave_the_archive_in_no_way(void **state) {
  (void)state;
  static const char *const names[] = {"../x", "m/../x", "/etc/passwd", "m//x", "m/", "m\\x", "./x", "\xff"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    put_archive(false);
    put_zip_entry(&zip, names[i], "x", 1);
    end_zip(&zip);
    fails("no path inside the archive");
  }
}

static void names_that_stand_twice_are_refused(void **state) {
  (void)state;
  put_archive(false);
  put_zip_entry(&zip, "m/data.pkl", "\x80\x02N.", 4);
  end_zip(&zip);
  fails("two entries of the name 'm/data.pkl'");
}

static void bytes_that_belong_to_no_entry_are_refused(void **state) {
  (void)state;
  put_archive(false);
  put_ops(&zip.bytes, "hidden");
  end_zip(&zip);
  fails("bytes between two entries belong to none");
  put_archive(true);
  put_ops(&zip.bytes, "hide"); /* 16 + 4 bytes: as long as a descriptor of 64 bits */
  end_zip(&zip);
  fails("differs from the directory");
  put_archive(false);
  end_zip(&zip);
  put_ops(&zip.bytes, "after");
  fails("does not end with the directory");
  reset_zip(&zip);
  put_ops(&zip.bytes, "PK\x03\x04 a script before");
  put_zip_entry(&zip, "m/data.pkl", "\x80\x02}.", 4);
  end_zip(&zip);
  fails("something lies before its first entry");
  reset_zip(&zip);
  end_zip(&zip);
  fails("it is empty");
}

/* Two entries whose bytes are the same. */
static void entries_that_overlap_are_refused(void **state) {
  (void)state;
  put_archive(false);
  const size_t directory = directory_at();
  end_zip(&zip);
  const size_t second = directory + 46 + strlen("m/data.pkl");
  aq_store_u32(zip.bytes.data + second + 42, 0);
  fails("an entry");
  put_archive(false);
  const size_t again = directory_at();
  end_zip(&zip);
  aq_store_u32(zip.bytes.data + again + 20, 60); /* both sizes, here and there */
  aq_store_u32(zip.bytes.data + again + 24, 60);
  aq_store_u32(zip.bytes.data + 18, 60);
  aq_store_u32(zip.bytes.data + 22, 60);
  fails("an entry overlaps the next");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(entries_are_in_the_order_of_their_bytes),
      cmocka_unit_test(end_record_of_64_bits_is_read),
      cmocka_unit_test(headers_that_differ_from_the_directory_are_refused),
      cmocka_unit_test(descriptors_that_differ_are_refused),
      cmocka_unit_test(names_leave_the_archive_in_no_way),
      cmocka_unit_test(names_that_stand_twice_are_refused),
      cmocka_unit_test(bytes_that_belong_to_no_entry_are_refused),
      cmocka_unit_test(entries_that_overlap_are_refused),
  };
  return cmocka_run_group_tests(tests, temp_setup, teardown);
}
