/* rule_words.h - rules as plans on disk have told them since the first version: data of the format, which keep their
 * words so that the same model gives the same bytes. Whoever shows a rule may translate them. */
#ifndef AQ_QUANT_RULE_WORDS_H
#define AQ_QUANT_RULE_WORDS_H

#define AQ_RULE_TENSOR "--tensor"
#define AQ_RULE_KEEP "--keep"
#define AQ_RULE_CODES "codes of the source"
#define AQ_RULE_NONFINITE "a value is not finite, or does not fit the type (--nonfinite keep)"

#endif
