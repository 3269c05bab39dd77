/* source_read_ranges.c - reading many ranges as FP32, by several threads.
 *
 * Ranges are cut into blocks, so that one large tensor keeps all threads busy. A block is a multiple of what the writer
 * of tables compresses at a time (768 KiB), for codes of every width. */
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/pool.h"
#include "io/source.h"

#define BLOCK ((uint64_t)3 << 18)
/* Values for which a thread is worth its start. */
#define VALUES_PER_THREAD (2 * BLOCK)

typedef struct block_list {
  const aq_source *source;
  aq_f32_range *blocks;
  size_t count;
} block_list;

/* Checks all ranges; gives how many blocks and values they have. */
static aq_status measure_ranges(const aq_source *source, const aq_f32_range *ranges, size_t count, uint64_t *blocks,
                                uint64_t *values, aq_error *err) {
  *blocks = *values = 0;
  for (size_t i = 0; i < count; i++) {
    AQ_TRY(aq_source_check_range(source, ranges[i].tensor, ranges[i].first, ranges[i].count, err));
    AQ_FAIL_IF(!aq_add_ok(*values, ranges[i].count, values), AQ_ERR_ARGUMENT, "the ranges have too many values");
    *blocks += aq_div_up(ranges[i].count, BLOCK);
  }
  return AQ_OK;
}

static aq_status cut_ranges(block_list *list, const aq_f32_range *ranges, size_t count, uint64_t blocks,
                            aq_error *err) {
  size_t size;
  list->blocks = aq_to_size_ok(blocks, &size) ? aq_realloc_array(NULL, size, sizeof *list->blocks) : NULL;
  if (list->blocks == NULL) return aq_fail_memory(err, blocks * sizeof *list->blocks);
  for (size_t i = 0; i < count; i++) {
    const aq_f32_range *r = &ranges[i];
    for (uint64_t done = 0; done < r->count; done += BLOCK) {
      list->blocks[list->count++] = (aq_f32_range){
          .tensor = r->tensor, .first = r->first + done, .count = AQ_MIN(r->count - done, BLOCK), .out = r->out + done};
    }
  }
  return AQ_OK;
}

static aq_status read_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  (void)worker;
  const block_list *list = ctx;
  const aq_f32_range *block = &list->blocks[item];
  return aq_source_read_f32(list->source, block->tensor, block->first, block->count, block->out, err);
}

aq_status aq_source_read_f32_ranges(const aq_source *source, const aq_f32_range *ranges, size_t count, uint32_t threads,
                                    aq_error *err) {
  block_list list = {.source = source};
  aq_pool *pool = NULL;
  uint64_t blocks, values;
  AQ_TRY(measure_ranges(source, ranges, count, &blocks, &values, err));
  if (blocks == 0) return AQ_OK;
  const uint64_t most = threads != 0 ? threads : aq_cpu_count();
  aq_status status = cut_ranges(&list, ranges, count, blocks, err);
  if (status == AQ_OK) {
    status = aq_pool_create((uint32_t)AQ_MIN(most, aq_div_up(values, VALUES_PER_THREAD)), &pool, err);
  }
  if (status == AQ_OK) status = aq_pool_run(pool, list.count, read_block, &list, err);
  aq_pool_free(pool);
  aq_free(list.blocks);
  return status;
}
