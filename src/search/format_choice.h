/* format_choice.h - how a tensor is stored best in a format of other programs: of the codes that the format has
 * (io/export_layout.h) those of the smallest loss + lambda * bits, or the one setting that is tried for all. There is
 * no entropy coder: a type takes what it takes. */
#ifndef AQ_SEARCH_FORMAT_CHOICE_H
#define AQ_SEARCH_FORMAT_CHOICE_H

#include "quant/rd.h"
#include "search/problem.h"

/* As aq_rd_choose does for tables; type AQ_KEPT: values of 16 bits, without steps. Steps are scales of least squared
 * error with seven significant bits, which FP16 and the scales of a plan hold, or multiples of a factor with eight.
 * losses: of each choice of the problem's layout, for these weights; one that is negative is computed when it is
 * needed, all of them when the first is. A sample gets no steps. Bits and loss are those of the matrix that is given,
 * all of its weights counted.
 */
AQ_MUST_CHECK aq_status aq_format_choose(const aq_search_problem *problem, const aq_search_item *item,
                                         const aq_rd_matrix *matrix, double losses[AQ_CODE_CHOICES_MAX],
                                         aq_rd_choice *out, aq_error *err);

/* Values of a tensor as the 16 bits of such a choice have them, in place. */
void aq_format_round_values(const aq_search_problem *problem, const aq_search_item *item, float *values, size_t count);

/* Whether all items can have a choice of the layout. */
bool aq_format_fits_all(const aq_search_problem *problem, const aq_code_choice *choice);

/* Bits that codes of an item take in the file. */
double aq_format_bits(const aq_search_problem *problem, const aq_search_item *item, aq_quant_type type, uint64_t span);

#endif
