/* crc32.h - the CRC-32 of gzip, zip and Parquet pages (ISO 3309; polynomial 0x04c11db7, reflected). */
#ifndef AQ_CORE_CRC32_H
#define AQ_CORE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* CRC of the bytes that gave `crc` followed by these; begin with 0. The result is zlib's crc32(). */
uint32_t aq_crc32(uint32_t crc, const void *bytes, size_t size);

/* CRC of two runs of bytes, one after the other, from the CRC of each and the length of the second. */
uint32_t aq_crc32_combine(uint32_t first, uint32_t second, uint64_t second_size);

#endif
