/* format.h - numbers of the Parquet specification (parquet.thrift), shared by reader and writer. */
#ifndef AQ_PARQUET_FORMAT_H
#define AQ_PARQUET_FORMAT_H

enum {
  AQ_PQT_BOOLEAN = 0,
  AQ_PQT_INT32 = 1,
  AQ_PQT_INT64 = 2,
  AQ_PQT_INT96 = 3,
  AQ_PQT_FLOAT = 4,
  AQ_PQT_DOUBLE = 5,
  AQ_PQT_BYTE_ARRAY = 6,
  AQ_PQT_FIXED_LEN_BYTE_ARRAY = 7
};

enum { AQ_PQ_REQUIRED = 0, AQ_PQ_OPTIONAL = 1, AQ_PQ_REPEATED = 2 };

enum { AQ_PQ_CONVERTED_UTF8 = 0, AQ_PQ_CONVERTED_MAP = 1, AQ_PQ_CONVERTED_LIST = 3 };

enum { AQ_PQ_PAGE_DATA = 0, AQ_PQ_PAGE_INDEX = 1, AQ_PQ_PAGE_DICTIONARY = 2, AQ_PQ_PAGE_DATA_V2 = 3 };

enum {
  AQ_PQ_ENC_PLAIN = 0,
  AQ_PQ_ENC_PLAIN_DICTIONARY = 2,
  AQ_PQ_ENC_RLE = 3,
  AQ_PQ_ENC_BIT_PACKED = 4,
  AQ_PQ_ENC_DELTA_BINARY_PACKED = 5,
  AQ_PQ_ENC_DELTA_LENGTH_BYTE_ARRAY = 6,
  AQ_PQ_ENC_DELTA_BYTE_ARRAY = 7,
  AQ_PQ_ENC_RLE_DICTIONARY = 8,
  AQ_PQ_ENC_BYTE_STREAM_SPLIT = 9
};

enum {
  AQ_PQ_UNCOMPRESSED = 0,
  AQ_PQ_SNAPPY = 1,
  AQ_PQ_GZIP = 2,
  AQ_PQ_LZO = 3,
  AQ_PQ_BROTLI = 4,
  AQ_PQ_LZ4 = 5,
  AQ_PQ_ZSTD = 6,
  AQ_PQ_LZ4_RAW = 7
};

/* Types of the Thrift compact protocol. */
enum {
  AQ_TH_STOP = 0,
  AQ_TH_TRUE = 1,
  AQ_TH_FALSE = 2,
  AQ_TH_BYTE = 3,
  AQ_TH_I16 = 4,
  AQ_TH_I32 = 5,
  AQ_TH_I64 = 6,
  AQ_TH_DOUBLE = 7,
  AQ_TH_BINARY = 8,
  AQ_TH_LIST = 9,
  AQ_TH_SET = 10,
  AQ_TH_MAP = 11,
  AQ_TH_STRUCT = 12
};

#endif
