/* test_plan.c - what every tensor becomes, which rule took it, and plans as JSON. */
#include "check.h"
#include "core/compiler.h"
#include "quant/plan.h"

#define TENSOR(name_, dtype_, rank_, count_, ...)                                                        \
  {                                                                                                      \
    .name = (name_), .dtype = (dtype_), .rank = (rank_), .shape = {__VA_ARGS__}, .num_params = (count_), \
    .alias_of = -1, .quant_axis = -1                                                                     \
  }

enum { EMBED, QUERY, VALUE, BIAS, TYPES, IDS, EXPERTS, CONV, SCALAR, FP8, HALF, EMPTY, HEAD, MASK, COUNT };

static const aq_tensor_info tensors[COUNT] = {
    [EMBED] = TENSOR("embed.weight", AQ_F32, 2, 4096, 64, 64),
    [QUERY] = TENSOR("layer.0.query.weight", AQ_F32, 2, 2048, 32, 64),
    [VALUE] = TENSOR("layer.1.value.weight", AQ_BF16, 2, 2048, 32, 64),
    [BIAS] = TENSOR("layer.0.query.bias", AQ_F32, 1, 2048, 2048),
    [TYPES] = TENSOR("types.weight", AQ_F32, 2, 768, 2, 384),
    [IDS] = TENSOR("layer.ids", AQ_I64, 2, 2048, 1, 2048),
    [EXPERTS] = TENSOR("experts.weight", AQ_F32, 3, 4096, 4, 16, 64),
    [CONV] = TENSOR("conv.weight", AQ_F32, 4, 1152, 16, 8, 3, 3),
    [SCALAR] = TENSOR("logit_scale", AQ_F32, 0, 1, 0),
    [FP8] = TENSOR("fp8.weight", AQ_F8_E4M3, 2, 2048, 32, 64),
    [HALF] = TENSOR("half.weight", AQ_F16, 2, 2048, 32, 64),
    [EMPTY] = TENSOR("empty.weight", AQ_F32, 2, 0, 0, 64),
    [HEAD] = {.name = "head.weight",
              .dtype = AQ_F32,
              .rank = 2,
              .shape = {64, 64},
              .num_params = 4096,
              .quant_axis = -1,
              .alias_of = EMBED},
    [MASK] = TENSOR("mask", AQ_BOOL, 2, 2048, 32, 64),
};

typedef struct fixture {
  aq_quantize_options options;
  aq_plan plan;
  aq_error err;
} fixture;

static aq_status make(fixture *f) { return aq_plan_make(tensors, COUNT, &f->options, &f->plan, &f->err); }

static void check_text(const fixture *f, size_t i, const char *expected) {
  char text[64];
  assert_string_equal(aq_plan_entry_text(&f->plan.entries[i], text, sizeof text), expected);
}

static void check_rule(const fixture *f, size_t i, const char *expected) {
  assert_string_equal(f->plan.entries[i].rule, expected);
}

/* ---- defaults ---- */

static void default_is_int8_per_channel_for_matrices(void **state) {
  (void)state;
  fixture f = {0};
  aq_error err;
  assert_ok(make(&f));
  check_text(&f, EMBED, "int8 per channel sym minmax");
  check_rule(&f, EMBED, "default int8");
  assert_int_equal(f.plan.entries[QUERY].quant_axis, 0);
  assert_int_equal(f.plan.entries[QUERY].group_size, 0);
  assert_int_equal(f.plan.entries[QUERY].span_length, 64);
  assert_string_equal(f.plan.entries[QUERY].name, "layer.0.query.weight");
  assert_false(f.plan.entries[QUERY].kept_by_default);
  check_text(&f, EXPERTS, "int8 g64 sym minmax"); /* one scale a row of the last axis */
  check_text(&f, CONV, "int8 per channel sym minmax");
  assert_int_equal(f.plan.entries[CONV].span_length, 72);
  aq_plan_reset(&f.plan);
}

static void other_tensors_are_kept_and_say_why(void **state) {
  (void)state;
  static const struct {
    size_t i;
    const char *rule;
  } kept[] = {
      {BIAS, "1-D tensor"},    {TYPES, "small tensor"},  {IDS, "integer tensor"},
      {SCALAR, "scalar"},      {MASK, "boolean tensor"}, {FP8, "8-bit floating-point tensor"},
      {EMPTY, "empty tensor"},
  };
  fixture f = {0};
  aq_error err;
  assert_ok(make(&f));
  for (size_t k = 0; k < AQ_COUNT_OF(kept); k++) {
    check_text(&f, kept[k].i, "kept");
    check_rule(&f, kept[k].i, kept[k].rule);
    assert_true(f.plan.entries[kept[k].i].kept_by_default);
    assert_int_equal(f.plan.entries[kept[k].i].unexpected, kept[k].i == FP8);
  }
  aq_plan_reset(&f.plan);
}

static void options_reach_every_matrix(void **state) {
  (void)state;
  static const struct {
    const char *type, *per, *method;
    uint32_t group;
    aq_symmetry symmetry;
    const char *text;
  } cases[] = {
      {"int4", NULL, NULL, 0, AQ_SYMMETRY_DEFAULT, "int4 g64 asym mse"},
      {"INT2", NULL, NULL, 32, AQ_SYMMETRY_DEFAULT, "int2 g32 asym mse"},
      {"int3", "Tensor", "minmax", 0, AQ_SYMMETRIC, "int3 per tensor sym minmax"},
      {"int4", "channel", "MSE", 0, AQ_ASYMMETRIC, "int4 per channel asym mse"},
      {"int8", "group", NULL, 0, AQ_SYMMETRY_DEFAULT, "int8 g64 sym minmax"},
      {NULL, NULL, NULL, 13, AQ_ASYMMETRIC, "int8 g13 asym minmax"},
      {"fp16", NULL, NULL, 0, AQ_SYMMETRY_DEFAULT, "fp16"},
      {"bf16", NULL, NULL, 0, AQ_SYMMETRY_DEFAULT, "bf16"},
      {"fp32", NULL, NULL, 0, AQ_SYMMETRY_DEFAULT, "kept"}, /* it is fp32 */
  };
  aq_error err;
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    fixture f = {.options = {.type = cases[i].type,
                             .granularity = cases[i].per,
                             .method = cases[i].method,
                             .group_size = cases[i].group,
                             .symmetry = cases[i].symmetry}};
    assert_ok(make(&f));
    check_text(&f, QUERY, cases[i].text);
    check_text(&f, BIAS, "kept");
    aq_plan_reset(&f.plan);
  }
}

static void conversion_keeps_what_has_the_type(void **state) {
  (void)state;
  fixture f = {.options = {.type = "fp16"}};
  aq_error err;
  assert_ok(make(&f));
  check_text(&f, HALF, "kept");
  check_text(&f, VALUE, "fp16");
  assert_int_equal(f.plan.entries[VALUE].dtype, AQ_F16);
  assert_false(f.plan.entries[HALF].kept_by_default);
  aq_plan_reset(&f.plan);
}

static void quantize_1d_lifts_both_limits(void **state) {
  (void)state;
  fixture f = {.options = {.quantize_1d = true}};
  aq_error err;
  assert_ok(make(&f));
  check_text(&f, BIAS, "int8 per tensor sym minmax"); /* a vector has no channels */
  check_text(&f, TYPES, "int8 per channel sym minmax");
  check_text(&f, SCALAR, "kept");
  check_text(&f, IDS, "kept");
  check_text(&f, EMPTY, "kept");
  aq_plan_reset(&f.plan);
}

static void no_tensors_give_an_empty_plan(void **state) {
  (void)state;
  aq_quantize_options options = {0};
  aq_plan plan;
  aq_error err;
  assert_ok(aq_plan_make(NULL, 0, &options, &plan, &err));
  assert_int_equal(plan.count, 0);
  aq_plan_reset(&plan);
  const char *keep = "x";
  options.keep_patterns = &keep;
  options.keep_pattern_count = 1;
  assert_int_equal(aq_plan_make(NULL, 0, &options, &plan, &err), AQ_ERR_NO_MATCH);
}

/* ---- rules ---- */

static aq_status make_with(fixture *f, const char *const *rules, size_t rule_count, const char *keep) {
  const char *keeps[1] = {keep};
  f->options.tensor_rules = rules;
  f->options.tensor_rule_count = rule_count;
  f->options.keep_patterns = keeps;
  f->options.keep_pattern_count = keep != NULL ? 1 : 0;
  return make(f);
}

static void specs_say_what_they_mean(void **state) {
  (void)state;
  static const struct {
    const char *rule, *text;
  } cases[] = {
      {"layer.0.query.weight=int8", "int8 g32 sym minmax"}, /* the rest is from the options */
      {"layer.0.query.weight=INT2,group=128", "int2 g128 sym mse"},
      {"layer.0.query.weight=int3,group_size=16,asym,method=minmax", "int3 g16 asym minmax"},
      {"layer.0.query.weight=group-size=16", "int4 g16 sym mse"},
      {"layer.0.query.weight=per=channel", "int4 per channel sym mse"},
      {"layer.0.query.weight=per=tensor,Asymmetric", "int4 per tensor asym mse"},
      {"layer.0.query.weight=per=group", "int4 g32 sym mse"},
      {"layer.0.query.weight=type=int8,granularity=tensor", "int8 per tensor sym minmax"},
      {"layer.0.query.weight=fp16", "fp16"},
      {"layer.0.query.weight=keep", "kept"},
      {"*.query.weight=int8", "int8 g32 sym minmax"},
      {"re:query\\.(weight|x=y)$=int8", "int8 g32 sym minmax"}, /* the pattern holds '=' */
  };
  aq_error err;
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    fixture f = {.options = {.type = "int4", .group_size = 32, .symmetry = AQ_SYMMETRIC}};
    assert_ok(make_with(&f, &cases[i].rule, 1, NULL));
    check_text(&f, QUERY, cases[i].text);
    char rule[128];
    (void)snprintf(rule, sizeof rule, "--tensor '%s'", cases[i].rule);
    check_rule(&f, QUERY, rule);
    check_text(&f, VALUE, "int4 g32 sym mse");
    aq_plan_reset(&f.plan);
  }
}

static void later_rules_win_and_keep_wins_over_all(void **state) {
  (void)state;
  static const char *const rules[] = {"layer.*=int4", "layer.0.query.weight=int2", "half.weight=int2"};
  fixture f = {0};
  aq_error err;
  assert_ok(make_with(&f, rules, 3, "half*"));
  check_text(&f, QUERY, "int2 g64 asym mse");
  check_text(&f, VALUE, "int4 g64 asym mse");
  check_text(&f, HALF, "kept");
  check_rule(&f, HALF, "--keep 'half*'");
  assert_false(f.plan.entries[HALF].kept_by_default);
  aq_plan_reset(&f.plan);
}

static void glob_takes_matrices_and_leaves_vectors(void **state) {
  (void)state;
  static const char *const rules[] = {"layer.*=int4"};
  fixture f = {0};
  aq_error err;
  assert_ok(make_with(&f, rules, 1, NULL));
  check_text(&f, QUERY, "int4 g64 asym mse");
  check_rule(&f, BIAS, "1-D tensor");
  check_rule(&f, IDS, "integer tensor");
  aq_plan_reset(&f.plan);
}

static void glob_for_vectors_alone_takes_them(void **state) {
  (void)state;
  static const char *const rules[] = {"*.bias=int8", "types.weight=int4", "logit_scale=fp16"};
  fixture f = {0};
  aq_error err;
  assert_ok(make_with(&f, rules, 3, NULL));
  check_text(&f, BIAS, "int8 per tensor sym minmax");
  check_text(&f, TYPES, "int4 g64 asym mse");
  check_text(&f, SCALAR, "fp16");
  assert_false(f.plan.entries[BIAS].kept_by_default);
  aq_plan_reset(&f.plan);
}

static void aliases_share_the_entry_of_their_owner(void **state) {
  (void)state;
  static const char *const rules[] = {"head.weight=int2"};
  fixture f = {0};
  aq_error err;
  assert_ok(make_with(&f, rules, 1, NULL));
  check_text(&f, EMBED, "int2 g64 asym mse");
  check_text(&f, HEAD, "int2 g64 asym mse");
  assert_string_equal(f.plan.entries[HEAD].name, "head.weight");
  check_rule(&f, EMBED, "--tensor 'head.weight=int2'");
  aq_plan_reset(&f.plan);
  assert_ok(make_with(&f, rules, 1, "head*"));
  check_text(&f, EMBED, "kept");
  check_text(&f, HEAD, "kept");
  aq_plan_reset(&f.plan);
}

/* ---- mistakes ---- */

static void check_error(fixture *f, aq_status status, aq_status expected, const char *words) {
  assert_int_equal(status, expected);
  assert_int_equal(f->err.code, expected);
  assert_null(f->plan.entries);
  if (strstr(f->err.message, words) == NULL) fail_msg("'%s' is not in: %s", words, f->err.message);
}

static void wrong_options_name_what_is_allowed(void **state) {
  (void)state;
  static const struct {
    aq_quantize_options options;
    const char *words;
  } cases[] = {
      {{.type = "int5"}, "type 'int5' is not known: int8, int4, int3, int2, fp16, bf16, fp32 or auto"},
      {{.type = ""}, "type ''"},
      {{.type = "keep"}, "type 'keep'"},
      {{.granularity = "row"}, "granularity 'row' is not known: tensor, channel or group"},
      {{.method = "rd"}, "method 'rd' is not known: minmax, mse or gptq"},
      {{.group_size = 1}, "group size 1 is not between 2 and 16777216"},
      {{.group_size = 16777217}, "group size 16777217"},
      {{.group_size = 64, .granularity = "channel"}, "a group size goes with granularity group, not with channel"},
      {{.symmetry = (aq_symmetry)3}, "symmetry 3"},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    fixture f = {.options = cases[i].options};
    check_error(&f, make(&f), AQ_ERR_ARGUMENT, cases[i].words);
    assert_int_equal(aq_plan_make(tensors, COUNT, &f.options, &f.plan, NULL), AQ_ERR_ARGUMENT);
  }
}

static void wrong_rules_say_what_is_wrong(void **state) {
  (void)state;
  static const struct {
    const char *rule, *words;
  } cases[] = {
      {"embed.weight", "is not PATTERN=SPEC"},
      {"=int8", "is not PATTERN=SPEC"},
      {"embed.weight=", "'' is not known"},
      {"embed.weight=int9", "'int9' is not known: expected a type (int8, int4"},
      {"embed.weight=int8,", "'' is not known"},
      {"embed.weight=int8,int4", "'int4' sets again"},
      {"embed.weight=sym,asym", "'asym' sets again"},
      {"embed.weight=keep,int8", "'int8' sets again"},
      {"embed.weight=group=1", "'group=1' is not allowed: expected a whole number between 2 and 16777216"},
      {"embed.weight=group=99999999999", "is not allowed"},
      {"embed.weight=group=-8", "is not allowed"},
      {"embed.weight=group=0x10", "is not allowed"},
      {"embed.weight=per=row", "'per=row' is not allowed: expected tensor, channel or group"},
      {"embed.weight=method=best", "'method=best' is not allowed: expected minmax, mse or gptq"},
      {"embed.weight=colour=red", "'colour=red' is not known"},
      {"embed.weight=per=channel,group=32", "a group size goes with granularity group"},
      {"embed.weight=fp16,group=32", "go with an integer type"},
      {"embed.weight=keep,sym", "go with an integer type"},
      {"re:(=int8", "bad regular expression"},
      {"layer.ids=int8", "is torch.int64; only floating-point tensors"},
      {"fp8.weight=int8", "is torch.float8_e4m3fn; only floating-point tensors"},
      {"fp8.weight=fp16", "only floating-point tensors"},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    fixture f = {0};
    check_error(&f, make_with(&f, &cases[i].rule, 1, NULL), AQ_ERR_ARGUMENT, cases[i].words);
  }
  static const char *const details[] = {"embed.weight=group=32"};
  fixture f = {.options = {.type = "fp16"}};
  check_error(&f, make_with(&f, details, 1, NULL), AQ_ERR_ARGUMENT, "needs a type");
}

static void pattern_without_a_tensor_names_the_nearest(void **state) {
  (void)state;
  static const char *const rules[] = {"layer.0.quary.weight=int8"};
  fixture f = {0};
  check_error(&f, make_with(&f, rules, 1, NULL), AQ_ERR_NO_MATCH, "'layer.0.quary.weight' matches none");
  assert_int_equal(strncmp(f.err.hint, "Nearest names: 'layer.0.query.weight', '", 40), 0);
  check_error(&f, make_with(&f, NULL, 0, "re:^Half\\.wieght$"), AQ_ERR_NO_MATCH, "matches none of the 14 tensors");
  assert_int_equal(strncmp(f.err.hint, "Nearest names: 'half.weight'", 28), 0);
  check_error(&f, make_with(&f, NULL, 0, "experts"), AQ_ERR_NO_MATCH, "keep: 'experts' matches none");
  assert_int_equal(strncmp(f.err.hint, "Nearest names: 'experts.weight'", 31), 0);
  check_error(&f, make_with(&f, NULL, 0, ""), AQ_ERR_ARGUMENT, "empty pattern");
}

/* ---- JSON ---- */

static json_t *saved_plan(fixture *f) {
  static const char *const rules[] = {"layer.0.query.weight=int4,group=32", "half.weight=bf16", "*.bias=int8"};
  aq_error err;
  json_t *json;
  assert_ok(make_with(f, rules, 3, "conv*"));
  assert_ok(aq_plan_to_json(&f->plan, tensors, true, &json, &err));
  return json;
}

static void plan_read_back_is_the_same(void **state) {
  (void)state;
  fixture f = {0};
  aq_error err;
  json_t *json = saved_plan(&f);
  aq_plan again;
  assert_ok(aq_plan_from_json(json, tensors, COUNT, &again, &err));
  assert_int_equal(again.count, COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    const aq_plan_entry *a = &f.plan.entries[i], *b = &again.entries[i];
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->action, b->action);
    if (a->action == AQ_CONVERT) assert_int_equal(a->dtype, b->dtype);
    assert_memory_equal(&a->scheme, &b->scheme, sizeof a->scheme);
    assert_int_equal(a->quant_axis, b->quant_axis);
    assert_int_equal(a->group_size, b->group_size);
    assert_int_equal(a->span_length, b->span_length);
    assert_string_equal(b->rule, "plan");
    assert_false(b->kept_by_default);
  }
  json_decref(json);
  aq_plan_reset(&again);
  aq_plan_reset(&f.plan);
}

static void plan_json_has_the_documented_keys(void **state) {
  (void)state;
  fixture f = {0};
  json_t *json = saved_plan(&f);
  assert_int_equal(json_integer_value(json_object_get(json, "arrowquant_plan")), 1);
  char *text = json_dumps(json_array_get(json_object_get(json, "tensors"), QUERY), JSON_COMPACT);
  assert_string_equal(text,
                      "{\"name\":\"layer.0.query.weight\",\"shape\":[32,64],\"action\":\"quantize\",\"type\":\"int4\","
                      "\"per\":\"group\",\"group_size\":32,\"symmetric\":false,\"method\":\"mse\","
                      "\"rule\":\"--tensor 'layer.0.query.weight=int4,group=32'\"}");
  free(text);
  text = json_dumps(json_array_get(json_object_get(json, "tensors"), HALF), JSON_COMPACT);
  assert_string_equal(text,
                      "{\"name\":\"half.weight\",\"shape\":[32,64],\"action\":\"convert\",\"type\":\"bf16\","
                      "\"rule\":\"--tensor 'half.weight=bf16'\"}");
  free(text);
  json_decref(json);
  aq_plan_reset(&f.plan);
}

/* Changes one key of one entry of a good plan; NULL value: removes it. */
static void edited_plan_fails(const char *key, const char *value, aq_status expected, const char *words) {
  fixture f = {0};
  json_t *json = saved_plan(&f), *entry = json_array_get(json_object_get(json, "tensors"), QUERY);
  aq_plan_reset(&f.plan);
  if (value == NULL) {
    assert_int_equal(json_object_del(entry, key), 0);
  } else {
    assert_int_equal(json_object_set_new(entry, key, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
  }
  check_error(&f, aq_plan_from_json(json, tensors, COUNT, &f.plan, &f.err), expected, words);
  json_decref(json);
}

static void edited_plan_is_checked(void **state) {
  (void)state;
  edited_plan_fails("name", "\"layer.0.query\"", AQ_ERR_NO_MATCH, "'layer.0.query', which the source does not have");
  edited_plan_fails("name", "\"half.weight\"", AQ_ERR_FORMAT, "two entries");
  edited_plan_fails("name", NULL, AQ_ERR_FORMAT, "has no name");
  edited_plan_fails("name", "5", AQ_ERR_FORMAT, "has no name");
  edited_plan_fails("shape", "[64, 32]", AQ_ERR_FORMAT, "another shape");
  edited_plan_fails("shape", "[32]", AQ_ERR_FORMAT, "another shape");
  edited_plan_fails("shape", NULL, AQ_ERR_FORMAT, "another shape");
  edited_plan_fails("action", "\"crush\"", AQ_ERR_FORMAT, "action 'crush'");
  edited_plan_fails("action", "\"convert\"", AQ_ERR_FORMAT, "expected fp16, bf16 or fp32");
  edited_plan_fails("type", "\"fp16\"", AQ_ERR_FORMAT, "expected int8, int4, int3 or int2");
  edited_plan_fails("type", NULL, AQ_ERR_FORMAT, "type '(missing)'");
  edited_plan_fails("type", "\"auto\"", AQ_ERR_FORMAT, "type 'auto'");
  edited_plan_fails("per", "\"row\"", AQ_ERR_FORMAT, "per 'row'");
  edited_plan_fails("per", "\"channel\"", AQ_ERR_FORMAT, "group_size goes with");
  edited_plan_fails("group_size", NULL, AQ_ERR_FORMAT, "group_size goes with");
  edited_plan_fails("group_size", "0", AQ_ERR_FORMAT, "group_size is not between");
  edited_plan_fails("group_size", "4294967328", AQ_ERR_FORMAT, "group_size is not between");
  edited_plan_fails("symmetric", "1", AQ_ERR_FORMAT, "symmetric is not");
  edited_plan_fails("method", "\"best\"", AQ_ERR_FORMAT, "method 'best'");
  edited_plan_fails("groupsize", "32", AQ_ERR_FORMAT, "unknown key 'groupsize'");
}

static void edited_plan_that_parts_tied_tensors_is_refused(void **state) {
  (void)state;
  fixture f = {0};
  json_t *json = saved_plan(&f), *list = json_object_get(json, "tensors");
  aq_plan_reset(&f.plan);
  json_t *head = json_array_get(list, HEAD);
  assert_int_equal(json_object_set_new(head, "action", json_string("keep")), 0);
  check_error(&f, aq_plan_from_json(json, tensors, COUNT, &f.plan, &f.err), AQ_ERR_FORMAT, "'embed.weight'");
  assert_string_equal(f.err.tensor, "head.weight");
  assert_int_equal(json_object_set_new(json_array_get(list, EMBED), "action", json_string("keep")), 0);
  assert_int_equal(aq_plan_from_json(json, tensors, COUNT, &f.plan, &f.err), AQ_OK);
  check_text(&f, HEAD, "kept");
  aq_plan_reset(&f.plan);
  json_decref(json);
}

static void plan_of_another_kind_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *text;
    aq_status status;
    const char *words;
  } cases[] = {
      {"[]", AQ_ERR_FORMAT, "not a JSON object"},
      {"{}", AQ_ERR_FORMAT, "not a plan"},
      {"{\"arrowquant_plan\": 2, \"tensors\": []}", AQ_ERR_UNSUPPORTED, "plan version 2"},
      {"{\"arrowquant_plan\": 1}", AQ_ERR_FORMAT, "no list of tensors"},
      {"{\"arrowquant_plan\": 1, \"tensors\": []}", AQ_ERR_FORMAT, "no entry for it"},
      {"{\"arrowquant_plan\": 1, \"tensors\": [7]}", AQ_ERR_FORMAT, "entry 0 of the plan has no name"},
      {"{\"arrowquant_plan\": 1, \"tensors\": [], \"x\": 1}", AQ_ERR_FORMAT, "unknown key 'x'"},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    fixture f = {0};
    json_t *json = json_loads(cases[i].text, 0, NULL);
    assert_non_null(json);
    check_error(&f, aq_plan_from_json(json, tensors, COUNT, &f.plan, &f.err), cases[i].status, cases[i].words);
    json_decref(json);
  }
}

static void plan_cannot_quantize_integers(void **state) {
  (void)state;
  fixture f = {0};
  json_t *json = saved_plan(&f), *list = json_object_get(json, "tensors");
  aq_plan_reset(&f.plan);
  json_t *ids = json_array_get(list, IDS), *value = json_array_get(list, VALUE);
  json_t *copy = json_deep_copy(value);
  assert_int_equal(json_object_update_missing(ids, copy), 0);
  assert_int_equal(json_object_set_new(ids, "action", json_string("quantize")), 0);
  check_error(&f, aq_plan_from_json(json, tensors, COUNT, &f.plan, &f.err), AQ_ERR_FORMAT, "is torch.int64; only");
  assert_string_equal(f.err.tensor, "layer.ids");
  json_decref(copy);
  json_decref(json);
}

/* ---- memory ---- */

typedef struct countdown {
  int left, live;
} countdown;

static void *failing_reallocate(void *ctx, void *ptr, size_t size) {
  countdown *c = ctx;
  if (c->left-- <= 0) return NULL;
  c->live += ptr == NULL;
  return realloc(ptr, size);
}

static void failing_release(void *ctx, void *ptr) {
  countdown *c = ctx;
  c->live -= ptr != NULL;
  free(ptr);
}

static void every_failed_allocation_is_reported_and_leaves_nothing(void **state) {
  (void)state;
  static const char *const rules[] = {"head.weight=int4", "re:a=b|half=bf16"};
  fixture f = {0};
  json_t *json = saved_plan(&f);
  aq_plan_reset(&f.plan);
  countdown c = {0, 0};
  const aq_allocator allocator = {failing_reallocate, failing_release, &c};
  aq_set_allocator(&allocator);
  bool done = false;
  for (int n = 0; !done; n++) {
    aq_plan read;
    c.left = n;
    aq_status status = make_with(&f, rules, 2, "*.bias");
    if (status == AQ_OK) aq_plan_reset(&f.plan);
    if (status == AQ_OK) status = aq_plan_from_json(json, tensors, COUNT, &read, &f.err);
    done = status == AQ_OK;
    if (done) aq_plan_reset(&read);
    assert_true(done || status == AQ_ERR_MEMORY);
    assert_int_equal(c.live, 0);
    assert_in_range(n, 0, 1000);
  }
  aq_set_allocator(NULL);
  json_decref(json);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(default_is_int8_per_channel_for_matrices),
      cmocka_unit_test(other_tensors_are_kept_and_say_why),
      cmocka_unit_test(options_reach_every_matrix),
      cmocka_unit_test(conversion_keeps_what_has_the_type),
      cmocka_unit_test(quantize_1d_lifts_both_limits),
      cmocka_unit_test(no_tensors_give_an_empty_plan),
      cmocka_unit_test(specs_say_what_they_mean),
      cmocka_unit_test(later_rules_win_and_keep_wins_over_all),
      cmocka_unit_test(glob_takes_matrices_and_leaves_vectors),
      cmocka_unit_test(glob_for_vectors_alone_takes_them),
      cmocka_unit_test(aliases_share_the_entry_of_their_owner),
      cmocka_unit_test(wrong_options_name_what_is_allowed),
      cmocka_unit_test(wrong_rules_say_what_is_wrong),
      cmocka_unit_test(pattern_without_a_tensor_names_the_nearest),
      cmocka_unit_test(plan_read_back_is_the_same),
      cmocka_unit_test(plan_json_has_the_documented_keys),
      cmocka_unit_test(edited_plan_is_checked),
      cmocka_unit_test(edited_plan_that_parts_tied_tensors_is_refused),
      cmocka_unit_test(plan_of_another_kind_is_refused),
      cmocka_unit_test(plan_cannot_quantize_integers),
      cmocka_unit_test(every_failed_allocation_is_reported_and_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
