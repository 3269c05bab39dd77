/* test_fork.c - what a child of fork() can do with pools, locks, sources, encoders and files that its parent opened. */
#include "core/fork.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/pool.h"
#include "tiny_encoder.h"

#define CHILD_SECONDS 60 /* then it hangs */
#define TEXTS 24
#define THREADS 3

/* ThreadSanitizer goes on believing in the parent's threads: it ends a child that starts one of the same address. What
 * needs threads in the child is left out there. It counts at most 64 locks at a time. */
#if defined(__SANITIZE_THREAD__)
#define THREADS_IN_CHILD 0
#else
#define THREADS_IN_CHILD 1
#endif

/* AddressSanitizer (of GCC 12) does not free the locks of its own allocator in a child: one that another thread holds
 * at the fork, where threads start or read, hangs the child. Builds without it hold these tests. */
#if defined(__SANITIZE_ADDRESS__)
#define ALLOCATOR_OUTLIVES_FORK 0
#else
#define ALLOCATOR_OUTLIVES_FORK 1
#endif
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "die_after_fork=0:detect_deadlocks=0"; }

typedef int (*child_fn)(void *ctx); /* 0 when all is well */

/* The exit status of a child that runs `work`; -1 when it was killed, by the alarm for one. */
static int run_child(child_fn work, void *ctx) {
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    (void)signal(SIGALRM, SIG_DFL);
    (void)alarm(CHILD_SECONDS);
    _exit(work(ctx));
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- pools ---- */

typedef struct sum {
  aq_pool *pool;
  atomic_uint_fast64_t total;
} sum;

static aq_status add_item(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  (void)worker;
  (void)err;
  (void)atomic_fetch_add(&((sum *)ctx)->total, item);
  return AQ_OK;
}

static int sum_items(void *ctx) {
  sum *s = ctx;
  aq_error err;
  for (uint64_t round = 1; round <= 20; round++) {
    atomic_store(&s->total, 0);
    if (aq_pool_run(s->pool, 1000, add_item, s, &err) != AQ_OK || atomic_load(&s->total) != 499500) return 1;
  }
  return 0;
}

static int sum_items_in_a_grandchild(void *ctx) {
  sum *s = ctx;
  if (run_child(sum_items, s) != 0 || sum_items(s) != 0 || run_child(sum_items, s) != 0) return 1;
  aq_pool_free(s->pool);
  return 0;
}

static int free_pool(void *ctx) {
  aq_pool_free(((sum *)ctx)->pool);
  return 0;
}

static void pool_in_a_child_starts_its_threads_anew(void **state) {
  (void)state;
  if (!THREADS_IN_CHILD || !ALLOCATOR_OUTLIVES_FORK) skip();
  for (uint32_t threads = 1; threads <= 4; threads++) {
    aq_error err;
    sum s = {.pool = NULL};
    assert_ok(aq_pool_create(threads, &s.pool, &err));
    assert_int_equal(run_child(sum_items, &s), 0); /* threads that never worked */
    assert_int_equal(sum_items(&s), 0);
    assert_int_equal(run_child(sum_items_in_a_grandchild, &s), 0);
    assert_int_equal(run_child(free_pool, &s), 0);
    assert_int_equal(sum_items(&s), 0);
    aq_pool_free(s.pool);
  }
}

/* A round that lasts until it is let go. */
typedef struct stall {
  aq_pool *pool;
  atomic_bool begun, let_go;
  bool fork_inside;
  int child;
} stall;

static aq_status wait_inside(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  stall *s = ctx;
  (void)item;
  (void)worker;
  (void)err;
  atomic_store(&s->begun, true);
  while (!atomic_load(&s->let_go)) (void)usleep(200);
  return AQ_OK;
}

static void *run_stalled(void *ctx) {
  aq_error err;
  stall *s = ctx;
  return aq_pool_run(s->pool, 8, wait_inside, s, &err) == AQ_OK ? s : NULL;
}

static int use_lost_pool(void *ctx) {
  stall *s = ctx;
  sum after = {.pool = s->pool};
  aq_error err;
  const aq_status status = aq_pool_run(s->pool, 1000, add_item, &after, &err);
  const bool is_told = status == AQ_ERR_ARGUMENT && strstr(err.message, "forked") != NULL && err.hint[0] != '\0';
  aq_pool_free(s->pool);
  return is_told ? 0 : 1;
}

static void pool_in_use_at_the_fork_fails_in_the_child(void **state) {
  (void)state;
  aq_error err;
  stall s = {.pool = NULL};
  pthread_t thread;
  void *result;
  assert_ok(aq_pool_create(THREADS, &s.pool, &err));
  assert_int_equal(pthread_create(&thread, NULL, run_stalled, &s), 0);
  while (!atomic_load(&s.begun)) (void)usleep(200);
  assert_int_equal(run_child(use_lost_pool, &s), 0);
  atomic_store(&s.let_go, true);
  assert_int_equal(pthread_join(thread, &result), 0);
  assert_non_null(result);
  aq_pool_free(s.pool);
}

/* Worker 0 is the caller's own thread. */
static aq_status fork_inside(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  stall *s = ctx;
  (void)err;
  if (worker != 0) {
    while (!atomic_load(&s->begun)) (void)usleep(200);
    return AQ_OK;
  }
  if (atomic_exchange(&s->begun, true) || item > 100) return AQ_OK;
  s->child = fork();
  return AQ_OK;
}

static void pool_forked_by_its_own_item_ends_in_both(void **state) {
  (void)state;
  aq_error err;
  stall s = {.pool = NULL};
  assert_ok(aq_pool_create(THREADS, &s.pool, &err));
  const aq_status status = aq_pool_run(s.pool, 100000, fork_inside, &s, &err);
  if (s.child == 0) _exit(status == AQ_ERR_ARGUMENT ? 0 : 1);
  assert_true(s.child > 0);
  assert_ok(status);
  int child = 0;
  assert_int_equal(waitpid(s.child, &child, 0), s.child);
  assert_true(WIFEXITED(child) && WEXITSTATUS(child) == 0);
  aq_pool_free(s.pool);
}

/* ---- locks ---- */

typedef struct guarded {
  aq_lock outer, inner;
  long first, second; /* equal whenever nobody holds the locks */
  atomic_bool stop;
} guarded;

static int change_both(void *ctx) {
  guarded *g = ctx;
  aq_lock_take(&g->outer);
  aq_lock_take(&g->inner);
  const bool was_whole = g->first == g->second;
  g->first++;
  for (volatile int i = 0; i < 200; i++) {
  }
  g->second++;
  aq_lock_release(&g->inner);
  aq_lock_release(&g->outer);
  return was_whole ? 0 : 1;
}

static void *change_until_stopped(void *ctx) {
  guarded *g = ctx;
  while (!atomic_load(&g->stop)) (void)change_both(g);
  return NULL;
}

static void locks_are_free_and_their_data_whole_in_the_child(void **state) {
  (void)state;
  aq_error err;
  guarded g = {.first = 0};
  pthread_t threads[THREADS];
  if (!ALLOCATOR_OUTLIVES_FORK) skip();
  assert_ok(aq_lock_init(&g.inner, AQ_LOCK_LEAF, &err)); /* not in the order in which they are taken */
  assert_ok(aq_lock_init(&g.outer, AQ_LOCK_VALUE, &err));
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, change_until_stopped, &g), 0);
  for (int i = 0; i < 100; i++) assert_int_equal(run_child(change_both, &g), 0);
  atomic_store(&g.stop, true);
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  aq_lock_reset(&g.outer);
  aq_lock_reset(&g.inner);
}

/* ---- sources and encoders ---- */

typedef struct fixture {
  tiny_encoder model;
  char folder[512];
  char weights[600], table[600];
} fixture;

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  aq_error err;
  aq_quantize_options o;
  tiny_make(&f->model, "");
  (void)snprintf(f->folder, sizeof f->folder, "%s", make_folder());
  write_text(f->folder, "config.json", tiny_config);
  (void)snprintf(f->weights, sizeof f->weights, "%s/model.safetensors", f->folder);
  (void)snprintf(f->table, sizeof f->table, "%s/table.parquet", f->folder);
  tiny_write(&f->model, f->weights, NULL);
  aq_quantize_options_init(&o);
  o.type = "int4";
  assert_ok(aq_quantize(f->weights, f->table, &o, NULL, &err));
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  drop_folder(f->folder);
  tiny_free(&f->model);
  free(f);
  return 0;
}

typedef struct encoding {
  aq_encoder *encoder;
  int32_t ids[TEXTS * TINY_POSITIONS];
  uint32_t lengths[TEXTS];
  float expected[TEXTS * TINY_HIDDEN];
} encoding;

/* Many texts, which the threads share out, and one, whose steps they share. */
static int encode_equal(void *ctx) {
  encoding *e = ctx;
  aq_error err;
  float out[TEXTS * TINY_HIDDEN];
  for (size_t n = TEXTS; n >= 1; n = n == 1 ? 0 : 1) {
    if (aq_encoder_encode_ids(e->encoder, e->ids, e->lengths, n, out, &err) != AQ_OK) return 1;
    if (memcmp(out, e->expected, n * TINY_HIDDEN * sizeof *out) != 0) return 2;
  }
  return 0;
}

static int encode_and_close(void *ctx) {
  const int status = encode_equal(ctx);
  aq_encoder_close(((encoding *)ctx)->encoder);
  return status;
}

static int close_only(void *ctx) {
  aq_encoder_close(((encoding *)ctx)->encoder);
  return 0;
}

static void encoder_in_a_child_gives_the_same_bits(void **state) {
  const fixture *f = *state;
  aq_error err;
  if (!THREADS_IN_CHILD) skip();
  for (size_t table = 0; table < 2; table++) {
    static encoding e;
    aq_encoder_options o;
    aq_encoder_options_init(&o);
    o.folder = f->folder;
    o.threads = THREADS;
    size_t tokens = 0;
    for (uint32_t i = 0; i < TEXTS; i++) {
      e.lengths[i] = 1 + i * 17 % TINY_POSITIONS;
      for (uint32_t k = 0; k < e.lengths[i]; k++, tokens++) e.ids[tokens] = (int32_t)(tokens * 29 % TINY_WORDS);
    }
    assert_ok(aq_encoder_open(table == 1 ? f->table : f->weights, &o, &e.encoder, &err));
    assert_ok(aq_encoder_encode_ids(e.encoder, e.ids, e.lengths, TEXTS, e.expected, &err));
    assert_int_equal(run_child(encode_and_close, &e), 0);
    assert_int_equal(run_child(close_only, &e), 0);
    assert_int_equal(run_child(encode_equal, &e), 0);
    assert_int_equal(encode_equal(&e), 0);
    aq_encoder_close(e.encoder);
  }
}

typedef struct reading {
  aq_source *source;
  size_t tensor;
  uint64_t count;
  float *expected;
  atomic_bool stop, is_wrong;
} reading;

static int read_equal(void *ctx) {
  reading *r = ctx;
  aq_error err;
  float *values = malloc(r->count * sizeof *values);
  const uint64_t half = r->count / 2; /* two pieces: the first leaves the rest in the cache */
  aq_status status = aq_source_read_f32(r->source, r->tensor, 0, half, values, &err);
  if (status == AQ_OK) status = aq_source_read_f32(r->source, r->tensor, half, r->count - half, values + half, &err);
  const bool is_equal = status == AQ_OK && memcmp(values, r->expected, r->count * sizeof *values) == 0;
  free(values);
  return is_equal ? 0 : 1;
}

static void *read_until_stopped(void *ctx) {
  reading *r = ctx;
  while (!atomic_load(&r->stop)) {
    if (read_equal(r) != 0) atomic_store(&r->is_wrong, true);
  }
  return NULL;
}

static int read_and_close(void *ctx) {
  const int status = read_equal(ctx);
  aq_source_close(((reading *)ctx)->source);
  return status;
}

static void source_read_by_threads_at_the_fork_reads_in_the_child(void **state) {
  const fixture *f = *state;
  aq_error err;
  reading r = {.tensor = 0};
  pthread_t threads[THREADS];
  if (!ALLOCATOR_OUTLIVES_FORK) skip();
  assert_ok(aq_source_open(f->table, NULL, &r.source, &err));
  r.count = aq_source_tensor(r.source, 0)->num_params;
  r.expected = malloc(r.count * sizeof *r.expected);
  assert_ok(aq_source_read_f32(r.source, 0, 0, r.count, r.expected, &err));
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_until_stopped, &r), 0);
  for (int i = 0; i < 40; i++) assert_int_equal(run_child(i % 2 == 0 ? read_equal : read_and_close, &r), 0);
  atomic_store(&r.stop, true);
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_false(atomic_load(&r.is_wrong));
  aq_source_close(r.source);
  free(r.expected);
}

static int quantize_in_child(void *ctx) {
  const fixture *f = ctx;
  aq_error err;
  aq_quantize_options o;
  char out[640];
  aq_quantize_options_init(&o);
  o.type = "int4";
  o.run.threads = THREADS;
  (void)snprintf(out, sizeof out, "%s.again", f->table);
  return aq_quantize(f->weights, out, &o, NULL, &err) == AQ_OK ? 0 : 1;
}

static void quantize_in_a_child_gives_the_same_file(void **state) {
  fixture *f = *state;
  aq_error err;
  aq_file a, b;
  char again[640];
  if (!THREADS_IN_CHILD) skip();
  assert_int_equal(run_child(quantize_in_child, f), 0);
  (void)snprintf(again, sizeof again, "%s.again", f->table);
  assert_ok(aq_file_open(&a, f->table, &err));
  assert_ok(aq_file_open(&b, again, &err));
  assert_ok(aq_file_map(&a, &err));
  assert_ok(aq_file_map(&b, &err));
  assert_true(a.size == b.size);
  assert_memory_equal(a.map, b.map, a.size);
  aq_file_close(&a);
  aq_file_close(&b);
}

/* ---- files that are being written ---- */

static int abort_output(void *ctx) {
  aq_outfile_abort(ctx);
  return 0;
}

static int commit_output(void *ctx) {
  aq_error err;
  return aq_outfile_commit(ctx, &err) == AQ_ERR_IO && strstr(err.message, "parent") != NULL ? 0 : 1;
}

static void output_of_the_parent_outlives_a_child_that_drops_it(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_outfile *out;
  char path[640];
  struct stat info;
  (void)snprintf(path, sizeof path, "%s/output", f->folder);
  assert_ok(aq_outfile_create(path, false, &out, &err));
  assert_ok(aq_outfile_write(out, "whole", 5, &err));
  assert_int_equal(run_child(abort_output, out), 0);
  assert_int_equal(run_child(commit_output, out), 0);
  assert_int_not_equal(stat(path, &info), 0);
  assert_ok(aq_outfile_commit(out, &err));
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_size, 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pool_in_a_child_starts_its_threads_anew),
      cmocka_unit_test(pool_in_use_at_the_fork_fails_in_the_child),
      cmocka_unit_test(pool_forked_by_its_own_item_ends_in_both),
      cmocka_unit_test(locks_are_free_and_their_data_whole_in_the_child),
      cmocka_unit_test_setup_teardown(encoder_in_a_child_gives_the_same_bits, set_up, tear_down),
      cmocka_unit_test_setup_teardown(source_read_by_threads_at_the_fork_reads_in_the_child, set_up, tear_down),
      cmocka_unit_test_setup_teardown(quantize_in_a_child_gives_the_same_file, set_up, tear_down),
      cmocka_unit_test_setup_teardown(output_of_the_parent_outlives_a_child_that_drops_it, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
