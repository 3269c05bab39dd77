/* option_table.h - every option of the library and of the command, one line each.
 *
 * The command's parser and help, its manual page, the Python package and the hints of errors read the table. An option
 * stands there once, with all structs that have a member for it; a command has the options of the structs it names. */
#ifndef AQ_OPTIONS_OPTION_TABLE_H
#define AQ_OPTIONS_OPTION_TABLE_H

#include "option_values.h"

typedef enum aq_option_kind {
  AQ_OPTION_FLAG,  /* bool: no value */
  AQ_OPTION_TEXT,  /* const char *: any text but the empty one */
  AQ_OPTION_WORD,  /* const char *: one of `words` */
  AQ_OPTION_ENUM,  /* an enumeration: the number of the word in `words` */
  AQ_OPTION_LIST,  /* const char *const * and a count: texts, may be repeated */
  AQ_OPTION_TEXTS, /* aq_text_list: texts of any characters, may be repeated */
  AQ_OPTION_UINT,  /* uint32_t: minimum..maximum */
  AQ_OPTION_SIZE,  /* uint64_t: bytes */
  AQ_OPTION_REAL,  /* double: minimum..maximum */
  AQ_OPTION_INPUTS /* const aq_activations * and a count: arrays, which a command line cannot have */
} aq_option_kind;

/* The structs of aq_option_values, as bits: AQ_OPTIONS_OF(convert) | AQ_OPTIONS_OF(run). */
typedef enum aq_option_owner {
  aq_owner_run,
  aq_owner_table,
  aq_owner_convert,
  aq_owner_quantize,
  aq_owner_search,
  aq_owner_export,
  aq_owner_info,
  aq_owner_verify,
  aq_owner_compare,
  aq_owner_validate,
  aq_owner_sensitivity,
  aq_owner_perplexity,
  aq_owner_generate,
  aq_owner_embed,
  aq_owner_score,
  aq_owner_scorer,
  aq_owner_encoder,
  aq_owner_decoder,
  aq_owner_source,
  aq_owner_tokenize,
  aq_owner_output,
  aq_owner_command,
  aq_owner_help
} aq_option_owner;
#define AQ_OPTIONS_OF(owner) (UINT32_C(1) << aq_owner_##owner)

/* A member of a struct; offsets are in aq_option_values. */
typedef struct aq_option_place {
  const char *member; /* NULL ends a list */
  uint32_t owner;     /* one bit */
  size_t offset;
  size_t size;  /* of the member */
  size_t count; /* offset of its count, for LIST and INPUTS */
} aq_option_place;

enum { AQ_OPTION_PLACES_MAX = 12 };

typedef struct aq_option {
  const char *title; /* of the group that begins here; a line with a title is no option */
  const char *name;  /* without the dashes; NULL: the command has no such option */
  char letter;       /* 0: none */
  aq_option_kind kind;
  aq_option_place at[AQ_OPTION_PLACES_MAX + 1];
  const char *argument;      /* the name of the value in the help; NULL: the option has no value */
  const char *const *words;  /* WORD, ENUM: what is allowed; ends with NULL */
  const char *const *values; /* WORD: what each word means to the library, where that is another word */
  double minimum, maximum;   /* UINT, REAL */
  const char *sets;          /* the value that the name alone stands for; with an argument, one may follow after '=' */
  bool may_be_empty;         /* TEXT, TEXTS: the empty text is a value */
  const char *help;          /* without a full stop, for the help and the manual page */
  const char *more;          /* further sentences, not for the help; NULL: none */
} aq_option;

/* Ends with a line that has neither title nor places. */
extern const aq_option aq_option_table[];

/* The member through which an option belongs to one of these structs, or NULL. */
const aq_option_place *aq_option_place_of(const aq_option *option, uint32_t owners);

/* The first option of these structs that fills the member of that name, or NULL. */
const aq_option *aq_option_find_member(const char *member, size_t length, uint32_t owners);

#endif
