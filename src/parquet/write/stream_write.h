/* stream_write.h - one large value as a column chunk of its own, in memory for a few blocks. */
#ifndef AQ_PARQUET_WRITE_STREAM_WRITE_H
#define AQ_PARQUET_WRITE_STREAM_WRITE_H

#include "parquet/write/column_buffer.h"
#include "parquet/write/page_write.h"

/* chunk: codec (one that joins blocks, `aq_codec_joins`), level and decide are used. */
AQ_MUST_CHECK aq_status aq_stream_write(const aq_blob *blob, const aq_chunk *chunk, aq_pool *pool,
                                        aq_compressor *compressors, aq_outfile *file, aq_chunk_place *place,
                                        aq_error *err);

#endif
