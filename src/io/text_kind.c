/* text_kind.c - signatures of files that are no text in UTF-8.
 *
 * UTF-16 and UTF-32 without a byte order mark are told by their zeros: of characters up to U+00FF every second byte is
 * zero, or three of four. Other scripts have none, and their bytes are no UTF-8, which the reader sees. */
#include "io/text_kind.h"

#include <stdbool.h>
#include <string.h>

#include "core/compiler.h"

#define LOOKED_AT ((size_t)4096) /* bytes whose zeros are counted */
#define LEAST ((size_t)8)        /* fewer say nothing */

static const char hint_lines[] = "Write its texts as lines in UTF-8, or as JSON objects, one per line";

static const struct {
  const char *bytes;
  size_t size;
  aq_text_kind kind;
} signatures[] = {
    {"\xff\xfe\0\0", 4, {"text in UTF-32", "Make it UTF-8 first: iconv -f UTF-32 -t UTF-8"}},
    {"\0\0\xfe\xff", 4, {"text in UTF-32", "Make it UTF-8 first: iconv -f UTF-32 -t UTF-8"}},
    {"\xff\xfe", 2, {"text in UTF-16", "Make it UTF-8 first: iconv -f UTF-16 -t UTF-8"}},
    {"\xfe\xff", 2, {"text in UTF-16", "Make it UTF-8 first: iconv -f UTF-16 -t UTF-8"}},
    {"\x1f\x8b", 2, {"a gzip file", "Unpack it first, with gunzip or zcat"}},
    {"PK\x03\x04", 4, {"a ZIP archive", "Unpack it first, with unzip"}},
    {"PK\x05\x06", 4, {"a ZIP archive", "Unpack it first, with unzip"}},
    {"\x28\xb5\x2f\xfd", 4, {"a Zstandard file", "Unpack it first, with zstd -d"}},
    {"\xfd\x37zXZ\0", 6, {"an xz file", "Unpack it first, with xz -d"}},
    {"\x04\x22\x4d\x18", 4, {"an LZ4 file", "Unpack it first, with lz4 -d"}},
    {"7z\xbc\xaf\x27\x1c", 6, {"a 7-Zip archive", "Unpack it first, with 7z x"}},
    {"Rar!\x1a\x07", 6, {"a RAR archive", "Unpack it first"}},
    {"PAR1\x15", 5, {"a Parquet file", hint_lines}},
    {"ARROW1\0\0", 8, {"an Arrow file", hint_lines}},
    {"\xff\xff\xff\xff", 4, {"an Arrow stream", hint_lines}},
    {"Obj\x01", 4, {"an Avro file", hint_lines}},
    {"\x93NUMPY", 6, {"a NumPy file", hint_lines}},
    {"\x89HDF", 4, {"an HDF5 file", hint_lines}},
    {"SQLite format 3\0", 16, {"an SQLite database", hint_lines}},
    {"%PDF-1.", 7, {"a PDF file", "Take the text out first, with pdftotext"}},
    {"%PDF-2.", 7, {"a PDF file", "Take the text out first, with pdftotext"}},
    {"\x80\x04\x95", 3, {"a Python pickle", hint_lines}},
    {"\x7f"
     "ELF",
     4,
     {"a program", hint_lines}},
    {"\x89PNG", 4, {"an image", hint_lines}},
    {"\xff\xd8\xff", 3, {"an image", hint_lines}},
};

static const aq_text_kind utf16 = {"text in UTF-16, without a byte order mark",
                                   "Make it UTF-8 first: iconv -f UTF-16LE (or UTF-16BE) -t UTF-8"};
static const aq_text_kind utf32 = {"text in UTF-32, without a byte order mark",
                                   "Make it UTF-8 first: iconv -f UTF-32LE (or UTF-32BE) -t UTF-8"};
/* The block sorting of bzip2 begins with a digit, then the digits of pi. */
static const aq_text_kind bzip2 = {"a bzip2 file", "Unpack it first, with bunzip2"};

static const aq_text_kind *find_wide(const uint8_t *head, size_t size) {
  const size_t units = AQ_MIN(size, LOOKED_AT) / 4;
  size_t zeros[4] = {0};
  if (units * 4 < LEAST) return NULL;
  for (size_t i = 0; i < units * 4; i++) zeros[i % 4] += head[i] == 0 ? 1 : 0;
  const size_t most = units * 3 / 4, few = units / 4;
  if (zeros[1] >= most && zeros[2] >= most && AQ_MIN(zeros[0], zeros[3]) <= few) return &utf32;
  const bool little = zeros[1] + zeros[3] >= 2 * most && zeros[0] + zeros[2] <= 2 * few;
  const bool big = zeros[0] + zeros[2] >= 2 * most && zeros[1] + zeros[3] <= 2 * few;
  return little || big ? &utf16 : NULL;
}

const aq_text_kind *aq_text_kind_find(const uint8_t *head, size_t size) {
  for (size_t i = 0; i < AQ_COUNT_OF(signatures); i++) {
    if (size >= signatures[i].size && memcmp(head, signatures[i].bytes, signatures[i].size) == 0) {
      return &signatures[i].kind;
    }
  }
  if (size >= 10 && memcmp(head, "BZh", 3) == 0 && memcmp(head + 4, "1AY&SY", 6) == 0) return &bzip2;
  return find_wide(head, size);
}
