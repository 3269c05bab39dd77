/* gguf_names.h - the architectures of GGUF files that are Hugging Face models as well, and the names of their tensors
 * in both worlds.
 *
 * llama.cpp writes a model with names of its own, and changes two kinds of tensors. Rows of query and key of the Llama
 * family are interleaved within each head: its rotary positions turn neighbours as a pair, those of transformers values
 * half a head apart. Gains of Gemma's norms are stored with the 1 that its norms add. Source: conversion of llama.cpp
 * and the name map of the package gguf. */
#ifndef AQ_IO_GGUF_GGUF_NAMES_H
#define AQ_IO_GGUF_GGUF_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* What llama.cpp does to the values of a tensor. */
typedef enum aq_gguf_change {
  AQ_GGUF_UNCHANGED,
  AQ_GGUF_QUERY_ROWS, /* rows interleaved within each head of queries */
  AQ_GGUF_KEY_ROWS,   /* the same for heads of keys */
  AQ_GGUF_PLUS_ONE,   /* 1 was added to each value */
  AQ_GGUF_JOINED      /* its rows stand behind those of others in one matrix, each as many as there are columns */
} aq_gguf_change;

/* A tensor without its end (".weight", ".bias"); '#' stands for the number of the layer. Those that are joined in one
 * tensor are lines that follow each other, in the order of their rows. */
typedef struct aq_gguf_name {
  const char *gguf, *hf;
  aq_gguf_change change;
} aq_gguf_name;

enum { AQ_GGUF_NAME_LISTS = 4 };

typedef struct aq_gguf_arch {
  const char *name;                                  /* general.architecture */
  const char *model_type;                            /* of config.json */
  const char *class;                                 /* the model's class in transformers */
  const aq_gguf_name *names[AQ_GGUF_NAME_LISTS + 1]; /* lists that end with NULL */
  bool is_encoder;
  bool is_unbiased; /* norms alone have a bias: one of another tensor would be of no effect */
} aq_gguf_arch;

/* The architecture of that name, or NULL. */
const aq_gguf_arch *aq_gguf_arch_find(const char *name);

/* The same by the model_type of config.json, for a model that is written: several types may have one architecture. */
const aq_gguf_arch *aq_gguf_arch_find_type(const char *model_type);

/* "llama, qwen2, ...", into out. */
const char *aq_gguf_arch_names(char *out, size_t room);

/* The Hugging Face name of a tensor, as new memory, and what was done to its values; NULL with *is_known false: the
 * architecture has no tensor of that name; NULL with *is_known true: out of memory. piece: which of those that are
 * joined in it; 0 of any other, which has no more. */
char *aq_gguf_name_to_hf(const aq_gguf_arch *arch, const char *name, size_t piece, aq_gguf_change *change,
                         bool *is_known);

/* The way back: llama.cpp's name of a tensor of the model, and what it does to its values. It is written by itself,
 * joined with no other. */
char *aq_gguf_name_from_hf(const aq_gguf_arch *arch, const char *name, aq_gguf_change *change, bool *is_known);

#endif
