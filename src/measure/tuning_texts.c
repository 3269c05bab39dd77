/* tuning_texts.c - texts to choose settings by, when the caller has none.
 *
 * 48 texts: single words, questions, sentences, short paragraphs, code, other languages and numbers, written for this
 * file and taken from nowhere. What is chosen by them must not be reported on them: none of them is among the texts of
 * builtin_texts.c, which are for reporting only. */
#include "measure/tuning_texts.h"

#include "core/compiler.h"

/* clang-format off */
const char *const aq_tuning_texts[] = {
    /* words */
    "candle",
    "gravity",
    "Thursday",
    "Nairobi",
    "regret",
    "squirrel",
    "database",
    "slowly",

    /* questions */
    "How do I remove candle wax from a tablecloth?",
    "What is the tallest mountain in Africa?",
    "Is my deposit refunded if I cancel the booking?",
    "how to sort a list by two keys",
    "Why do leaves change colour before they fall?",
    "Who wrote the letter, and why was it never sent?",
    "Can a cold be cured with garlic?",
    "When does the pharmacy close on Sundays?",

    /* sentences */
    "The orchestra waited in silence for the conductor to find his glasses.",
    "A small plane landed safely on the frozen lake this morning.",
    "The aircraft came down on the ice, and nobody was hurt.",
    "Unemployment fell for the second quarter, but wages hardly moved.",
    "He peeled the apples, and she rolled out the pastry.",
    "The vaccine must be kept between two and eight degrees until it is used.",
    "This jacket is warm and light, though the zip broke within a week.",
    "I would not recommend this hotel to anyone who wants to sleep.",
    "The goalkeeper saved two penalties and became the hero of the night.",
    "The buyer may return the goods within fourteen days without giving a reason.",
    "Our index makes the lookup fast, yet every insertion now costs a little more.",
    "The moon has no air, so its shadows are perfectly black.",
    "She has never been late for work.",
    "She has never been on time for work.",

    /* paragraphs */
    "The bakery at the corner opens at five. By six the first loaves are gone, bought by nurses on their way home and by drivers on their way out. At noon the shutters come down, and the baker goes to bed. He says that he has not seen an evening in eleven years and that he does not miss them.",
    "To reset the router, hold the small button on its back for ten seconds with a paper clip. All lights go out and come on again one by one. Connect a cable, open the address printed on the label, and choose a new password. The old settings are lost, so write them down before you begin.",
    "Rivers carry sand, and where they slow down they drop it. A river that reaches a calm sea therefore builds land: channels split around the heaps that they made themselves, silt up, and break out elsewhere. Seen from above, such a delta looks like a tree. It grows only while the river brings more than the waves take away, and a dam far upstream is enough to tip the balance.",
    "Dear Mr Lindqvist, your application has reached us and is complete. We will look at all applications in the first week of March and invite some applicants to a conversation. Please do not send originals. Travel costs can be refunded up to the price of a second-class ticket. Yours sincerely, the personnel office.",
    "A queue gives back first what was put in first, a stack what was put in last. Both can be made from a list, and a queue can even be made from two stacks: one takes what arrives, the other gives what leaves, and only when the second is empty is the first one tipped over into it. Each item is moved twice at most, whatever the order of the calls.",

    /* code */
    "def mean(values):\n    return sum(values) / len(values) if values else 0.0",
    "SELECT city, COUNT(*) FROM customers GROUP BY city HAVING COUNT(*) > 10;",
    "while (node != NULL && node->key < key) { previous = node; node = node->next; }",
    "git switch -c fix/typo && git commit -am 'docs: fix a typo'",

    /* other languages */
    "Der Zug nach Hamburg fährt heute von einem anderen Gleis.",
    "La biblioteca cierra a las ocho, pero hoy no hay luz.",
    "Le chat dort sur la chaise pendant que la pluie tombe.",
    "Дети запускали бумажного змея на пустом пляже.",
    "我们明天早上坐火车去南京。",
    "متى يفتح المتحف أبوابه؟",

    /* numbers */
    "Total: 18 items, 214.75 EUR, paid on 2019-06-30",
    "0.577 1.618 2.718",
    "+49 30 555 0134, room 4.12",
};
/* clang-format on */
const size_t aq_tuning_text_count = AQ_COUNT_OF(aq_tuning_texts);
