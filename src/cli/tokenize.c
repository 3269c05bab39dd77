/* tokenize.c - "arrowquant tokenize": texts in, one line of ids each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrowquant_experimental.h"
#include "commands.h"
#include "output.h"

typedef struct job {
  const aq_tokenize_options *options;
  aq_tokenizer *tokenizer;
  aq_token_ids ids; /* of one text */
  int32_t *numbers; /* of one line of ids */
  size_t room;
} job;

static aq_status print_ids(job *j, const char *text, size_t length, aq_error *err) {
  j->ids.count = 0;
  const aq_status status =
      aq_tokenizer_encode(j->tokenizer, text, length, j->options->max_tokens, !j->options->no_special, &j->ids, err);
  if (status != AQ_OK) return status;
  (void)putchar('[');
  for (size_t i = 0; i < j->ids.count; i++) (void)printf(i == 0 ? "%d" : ", %d", (int)j->ids.ids[i]);
  (void)fputs("]\n", stdout);
  return ferror(stdout) != 0 && !cli_flush_output(err) ? err->code : AQ_OK;
}

/* ---- The other way round ---- */

/* Ids of a line, as many as the line has bytes at most. */
static aq_status make_room(job *j, size_t count, aq_error *err) {
  if (count <= j->room) return AQ_OK;
  int32_t *bigger = realloc(j->numbers, count * sizeof *bigger);
  if (bigger == NULL) {
    (void)cli_usage_error(err, "Use shorter lines", "out of memory");
    return err->code = AQ_ERR_MEMORY;
  }
  j->numbers = bigger;
  j->room = count;
  return AQ_OK;
}

/* Numbers with commas, spaces and brackets between and around. */
static aq_status read_ids(job *j, const char *text, size_t length, size_t *count, aq_error *err) {
  *count = 0;
  for (size_t i = 0; i < length;) {
    long id = 0;
    const size_t digits = strspn(text + i, "0123456789");
    if (digits == 0 && strchr("[], \t\r", text[i]) != NULL && text[i] != '\0') {
      i++;
      continue;
    }
    if (digits == 0 || digits > 9) {
      return cli_usage_error(err, "Write ids as [101, 7592, 102]", "'%.40s' is no list of ids", text + i);
    }
    for (size_t k = 0; k < digits; k++) id = id * 10 + (text[i++] - '0');
    j->numbers[(*count)++] = (int32_t)id;
  }
  return AQ_OK;
}

static aq_status print_text(job *j, const char *text, size_t length, aq_error *err) {
  char *decoded;
  size_t size, count;
  aq_status status = make_room(j, length + 1, err);
  if (status == AQ_OK) status = read_ids(j, text, length, &count, err);
  if (status != AQ_OK) return status;
  status = aq_tokenizer_decode(j->tokenizer, j->numbers, count, j->options->no_special, &decoded, &size, err);
  if (status != AQ_OK) return status;
  (void)fwrite(decoded, 1, size, stdout);
  (void)putchar('\n');
  aq_free(decoded);
  return ferror(stdout) != 0 && !cli_flush_output(err) ? err->code : AQ_OK;
}

static aq_status print_line(job *j, const char *text, size_t length, aq_error *err) {
  return j->options->decode ? print_text(j, text, length, err) : print_ids(j, text, length, err);
}

/* A note where bytes of a line were no UTF-8: the ids are those of the repaired text. */
static void tell_broken(const aq_text_reader *reader) {
  const unsigned long long lines = (unsigned long long)aq_text_reader_broken(reader);
  if (lines == 0) return;
  (void)fprintf(stderr, "arrowquant: warning: %llu %s not UTF-8; invalid bytes are read as U+FFFD\n", lines,
                lines == 1 ? "line is" : "lines are");
}

static aq_status print_file(job *j, const char *name, aq_error *err) {
  aq_text_reader *reader;
  aq_status status = aq_text_reader_open(name != NULL ? name : "-", j->options->field, &reader, err);
  while (status == AQ_OK) {
    const char *text;
    size_t length;
    status = aq_text_reader_next(reader, &text, &length, err);
    if (status != AQ_OK || text == NULL) break;
    status = print_line(j, text, length, err);
  }
  if (reader != NULL) tell_broken(reader);
  aq_text_reader_close(reader);
  return status;
}

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  const aq_tokenize_options *options = &values->set.tokenize;
  job j = {.options = options};
  *report = NULL;
  aq_status status = aq_tokenizer_open(values->operands[0], &j.tokenizer, err);
  for (size_t i = 0; i < options->texts.count && status == AQ_OK; i++) {
    status = print_line(&j, options->texts.texts[i], strlen(options->texts.texts[i]), err);
  }
  if (status == AQ_OK && (options->input != NULL || options->texts.count == 0)) {
    status = print_file(&j, options->input, err);
  }
  if (status == AQ_OK && !cli_flush_output(err)) status = err->code;
  aq_free(j.ids.ids);
  free(j.numbers);
  aq_tokenizer_close(j.tokenizer);
  return status;
}

const cli_command cli_tokenize = {
    .name = "tokenize",
    .summary = "print the token ids of texts",
    .usage = "FILE [--text TEXT]... [--input FILE] [OPTIONS]",
    .about =
        "Prints the token ids of each text as one JSON array per line. The ids are those that sentence-transformers "
        "gives to the model; those of a tokenizer.json alone are the ids of the Hugging Face library 'tokenizers'.\n\n"
        "FILE is a tokenizer.json, a vocab.txt, a model of SentencePiece (tokenizer.model, spiece.model), a folder "
        "that "
        "holds one of them or vocab.json and merges.txt, a model in such a folder, a GGUF file, or a table that "
        "carries its tokenizer. Supported are WordPiece (the BERT "
        "family), BPE (byte-level, or with tokens for bytes), Unigram (XLM-R, T5) and WordLevel.",
    .examples =
        "  arrowquant tokenize models/all-MiniLM-L6-v2 --text 'Hello, world!'\n"
        "  arrowquant tokenize tokenizer.json --input texts.txt --max-length 256 > ids.jsonl\n"
        "  arrowquant tokenize tokenizer.json --decode --input ids.jsonl --no-special\n",
    .operands = {"FILE"},
    .operand_words = {"the tokenizer to use"},
    .owners = AQ_OPTIONS_OF(tokenize) | AQ_OPTIONS_OF(help),
    .run = run,
};
