/* embed.c - vectors of the texts of a file, and which two of them are nearest to each other.
 *
 *   cc embed.c $(pkg-config --cflags --libs arrowquant) -lm -o embed
 *   ./embed MODEL TEXTS
 *
 * MODEL is a sentence encoder of the BERT family: a folder, or a table made from one, quantized or not. TEXTS has one
 * text per line, or is JSONL; - is standard input. */
#include <arrowquant.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct texts {
  char **items;
  size_t count, room;
} texts;

static int fail(const aq_error *err) {
  char line[2048];
  (void)aq_error_format(err, line, sizeof line);
  fprintf(stderr, "%s\n", line);
  return 1;
}

static void *need(void *memory) {
  if (memory != NULL) return memory;
  fprintf(stderr, "out of memory\n");
  exit(1);
}

static void add_text(texts *t, const char *text, size_t length) {
  if (t->count == t->room) {
    t->room = 2 * t->room + 16;
    t->items = need(realloc(t->items, t->room * sizeof *t->items));
  }
  char *copy = need(malloc(length + 1));
  memcpy(copy, text, length + 1);
  t->items[t->count++] = copy;
}

static aq_status read_texts(const char *path, texts *t, aq_error *err) {
  aq_text_reader *reader;
  const char *text;
  size_t length;
  aq_status status = aq_text_reader_open(path, NULL, &reader, err);
  while (status == AQ_OK) {
    status = aq_text_reader_next(reader, &text, &length, err);
    if (status != AQ_OK || text == NULL) break;
    add_text(t, text, length);
  }
  aq_text_reader_close(reader);
  return status;
}

static double cosine(const float *a, const float *b, size_t n) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < n; i++) {
    ab += (double)a[i] * (double)b[i];
    aa += (double)a[i] * (double)a[i];
    bb += (double)b[i] * (double)b[i];
  }
  return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

static void print_nearest(const texts *t, const float *vectors, size_t dimension) {
  double best = -2;
  size_t first = 0, second = 0;
  for (size_t i = 0; i < t->count; i++) {
    for (size_t j = i + 1; j < t->count; j++) {
      const double c = cosine(vectors + i * dimension, vectors + j * dimension, dimension);
      if (c <= best) continue;
      best = c;
      first = i;
      second = j;
    }
  }
  printf("%zu texts, %zu numbers each\n", t->count, dimension);
  if (t->count > 1) printf("nearest: %.6f\n  %s\n  %s\n", best, t->items[first], t->items[second]);
}

int main(int argc, char **argv) {
  aq_error err;
  texts t = {NULL, 0, 0};
  aq_encoder *encoder = NULL;
  float *vectors = NULL;
  if (argc != 3) {
    fprintf(stderr, "usage: %s MODEL TEXTS\n", argv[0]);
    return 2;
  }
  aq_status status = read_texts(argv[2], &t, &err);
  if (status == AQ_OK) status = aq_encoder_open(argv[1], NULL, &encoder, &err);
  if (status == AQ_OK) {
    const size_t dimension = aq_encoder_dimension(encoder);
    vectors = need(malloc((t.count + 1) * dimension * sizeof *vectors));
    status = aq_encoder_encode_texts(encoder, (const char *const *)t.items, NULL, t.count, vectors, &err);
    if (status == AQ_OK) print_nearest(&t, vectors, dimension);
  }
  free(vectors);
  aq_encoder_close(encoder);
  for (size_t i = 0; i < t.count; i++) free(t.items[i]);
  free(t.items);
  return status == AQ_OK ? 0 : fail(&err);
}
