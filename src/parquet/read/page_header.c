/* page_header.c - one page of a column chunk, as its header describes it. Specification: PageHeader in parquet.thrift.
 * Statistics in the header are skipped, however large. */
#include "parquet/read/page_header.h"

#include "core/error.h"
#include "parquet/format.h"
#include "parquet/read/thrift_read.h"

/* A negative size becomes one that no file can hold. */
static uint32_t read_size(aq_thrift *t, const aq_thrift_field *field) { return (uint32_t)aq_thrift_i32(t, field); }

static void read_data(aq_thrift *t, const aq_thrift_field *field, aq_pq_page_header *h) {
  if (!aq_thrift_enter(t, field)) return;
  for (aq_thrift_field f = {0, 0}; aq_thrift_next(t, &f);) {
    switch (f.id) {
      case 1:
        h->values = read_size(t, &f);
        break;
      case 2:
        h->encoding = aq_thrift_i32(t, &f);
        break;
      case 3:
        h->def_encoding = aq_thrift_i32(t, &f);
        break;
      case 4:
        h->rep_encoding = aq_thrift_i32(t, &f);
        break;
      default:
        aq_thrift_skip(t, &f);
        break;
    }
  }
  aq_thrift_leave(t);
}

static void read_data_v2(aq_thrift *t, const aq_thrift_field *field, aq_pq_page_header *h) {
  h->def_encoding = h->rep_encoding = AQ_PQ_ENC_RLE;
  if (!aq_thrift_enter(t, field)) return;
  for (aq_thrift_field f = {0, 0}; aq_thrift_next(t, &f);) {
    switch (f.id) {
      case 1:
        h->values = read_size(t, &f);
        break;
      case 3:
        h->rows = read_size(t, &f);
        break;
      case 4:
        h->encoding = aq_thrift_i32(t, &f);
        break;
      case 5:
        h->def_size = read_size(t, &f);
        break;
      case 6:
        h->rep_size = read_size(t, &f);
        break;
      case 7:
        h->is_compressed = aq_thrift_bool(t, &f);
        break;
      default:
        aq_thrift_skip(t, &f);
        break;
    }
  }
  aq_thrift_leave(t);
}

static void read_dictionary(aq_thrift *t, const aq_thrift_field *field, aq_pq_page_header *h) {
  if (!aq_thrift_enter(t, field)) return;
  for (aq_thrift_field f = {0, 0}; aq_thrift_next(t, &f);) {
    switch (f.id) {
      case 1:
        h->values = read_size(t, &f);
        break;
      case 2:
        h->encoding = aq_thrift_i32(t, &f);
        break;
      default:
        aq_thrift_skip(t, &f);
        break;
    }
  }
  aq_thrift_leave(t);
}

static void read_header(aq_thrift *t, aq_pq_page_header *h) {
  for (aq_thrift_field f = {0, 0}; aq_thrift_next(t, &f);) {
    switch (f.id) {
      case 1:
        h->type = aq_thrift_i32(t, &f);
        break;
      case 2:
        h->plain_size = read_size(t, &f);
        break;
      case 3:
        h->stored_size = read_size(t, &f);
        break;
      case 4:
        h->crc = read_size(t, &f);
        h->has_crc = true;
        break;
      case 5:
        read_data(t, &f, h);
        break;
      case 7:
        read_dictionary(t, &f, h);
        break;
      case 8:
        read_data_v2(t, &f, h);
        break;
      default:
        aq_thrift_skip(t, &f);
        break;
    }
  }
}

/* Which struct belongs to which type is implied by the encoding: each of the three sets it. */
static aq_status check(const aq_pq_page_header *h, aq_error *err) {
  const bool has_values =
      h->type == AQ_PQ_PAGE_DATA || h->type == AQ_PQ_PAGE_DATA_V2 || h->type == AQ_PQ_PAGE_DICTIONARY;
  AQ_FAIL_IF(h->type < 0 || h->plain_size > INT32_MAX || h->stored_size > INT32_MAX, AQ_ERR_FORMAT,
             "a page header lacks its type or a size, or has a negative one");
  AQ_FAIL_IF(has_values && (h->encoding < 0 || h->values > INT32_MAX), AQ_ERR_FORMAT,
             "a page header lacks its encoding or its count of values");
  const uint64_t levels = (uint64_t)h->def_size + h->rep_size;
  AQ_FAIL_IF(levels > h->stored_size || levels > h->plain_size, AQ_ERR_FORMAT,
             "a page of %lu bytes claims %llu bytes of levels", (unsigned long)h->stored_size,
             (unsigned long long)levels);
  return AQ_OK;
}

aq_status aq_pq_page_header_read(const uint8_t *bytes, size_t size, aq_pq_page_header *header, size_t *used,
                                 aq_error *err) {
  aq_thrift t;
  aq_thrift_init(&t, bytes, size);
  *header = (aq_pq_page_header){.type = -1,
                                .plain_size = UINT32_MAX,
                                .stored_size = UINT32_MAX,
                                .values = UINT32_MAX,
                                .encoding = -1,
                                .def_encoding = -1,
                                .rep_encoding = -1,
                                .is_compressed = true};
  read_header(&t, header);
  AQ_FAIL_IF(t.problem != NULL, AQ_ERR_FORMAT, "a page header %s", t.problem);
  *used = aq_thrift_used(&t);
  return check(header, err);
}
