/* render_embed.c - what embedding texts came to. */
#include "core/error.h"
#include "report/render.h"
#include "report/report.h"
#include "report/text_table.h"

aq_status aq_render_embed_text(const json_t *root, aq_buffer *out, aq_error *err) {
  char texts[AQ_WORD_SIZE], dimension[AQ_WORD_SIZE], seconds[AQ_WORD_SIZE], rate[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "%s text%s, %s numbers each", aq_word_count(root, "texts", texts),
                          aq_json_get_count(root, "texts") == 1 ? "" : "s",
                          aq_word_count(root, "dimension", dimension)));
  if (aq_json_get_string(root, "output")[0] != '\0') {
    AQ_TRY(aq_buffer_printf(out, err, ", in "));
    AQ_TRY(aq_text_append_clean(out, aq_json_get_string(root, "output"), err));
  }
  return aq_buffer_printf(out, err, "\n%s, %s texts a second, computed in %s\n",
                          aq_word_seconds(root, "seconds", seconds), aq_word_fixed(root, "texts_per_second", 0, rate),
                          aq_json_get_string(root, "compute"));
}
