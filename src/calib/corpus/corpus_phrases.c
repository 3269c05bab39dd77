/* corpus_phrases.c - the grammar of the built-in corpus: sentences of many kinds, questions, headlines, code.
 *
 * Alternatives of a rule, a vertical bar between them; the notation is in corpus_grammar.h. Of a rule that can reach
 * itself, the first alternative does not. Written for this file. */
#include "calib/corpus/corpus_data.h"
#include "core/compiler.h"

/* clang-format off */
const aq_corpus_list aq_corpus_phrases[] = {
    {"name",
     "@first|@first @last|Mr @last|Mrs @last|Dr @last|Professor @last|@FIRST|@FIRST @LAST|@LAST"},
    {"who",
     "the @p|the @a @p|the @P|~ @p|~ @a @p|@name|@FIRST|she|he|he|my @fam|~ @nat @p|the @p from @city|one of the "
     "@p_s|a young @p|the @p who @v_d @nps|~ @p with ~ @n|somebody|someone else|anyone who @v_3 @nps|the @p and the "
     "@p|I|you|@FIRST and @poss @fam|the @p of the @n|a former @p"},
    {"whos",
     "@p_s|the @p_s|the @P_s|they|they|we|we|you|@numw @p_s|many @p_s|some @p_s|most of the @p_s|the @p_s of @city|"
     "@nat @p_s|@p_s and @p_s|@a @p_s|all @p_s|people|people who @v @nps|those who @v @nps|other people|such @p_s|"
     "the @p and @poss @fam|the people of @country|both @p_s and @p_s|@p_s, @p_s or @p_s|our @p_s|a few of them|the "
     "workers"},
    {"poss",
     "my|your|his|her|its|our|their|his|their|its|the @p's|@first's|@city's"},
    {"np",
     "the @n|the @a @n|the @n of @npx|~ @n|~ @a @n|~ @n of @npx|~ @n for @v_g @nps|the @n and @n of @npx|@poss @n|"
     "@poss @a @n|the @N|the @a @n of @npx|~ @n or ~ @n|the @m of @npx|this @n|that @n|~ @n that @vx3|the kind of @n "
     "that @whos @vx|the use of @nps|the right to @v @nps|~ @a and @a @n|@poss own @n|~ @n (or @n)|the @n's @n|every "
     "@n|any @n|any @n of @npx|the same @n|~ @a @n with ~ @n|~ @n as well as ~ @n|the @ord @n|one of the @n_s in "
     "@region|~ @m @n|~ @deg @a @n|the whole @n|~ @n in which @nps are @v_n|some kind of @n|another @n|~ @n used for "
     "@m|~ @n by @name|the @n which @whos @v_d|the @nat @n of @m|~ @n like this|what @whos call ~ @n|the @n they "
     "@v_d|@m or @m|the part of the @n that @vx3|~ @n for @p_s|~ @number2-year-old @n|~ @n-based @n|the @m-@v_n @n|~ "
     "@a-looking @n|~ @n-like @n|the so-called \"@n\"|the @p's @n|the @p's @a @n|what @name calls \"@m\"|the @n's @m|"
     "the @n-@n of @npx|~ non-@a @n|~ @numw-@n @n|the @n @v_n to @v @nps|the @n in the @n of @npx|its @n to the @n|"
     "the @n from which @nps are @v_n"},
    {"npx",
     "the @n|the @n|the @N|~ @n|@m|@m|the @p|the @a @n|@n_s|@a @n_s|@poss @n|@p_s|@m and @m|@nat @n_s|@v_g @n_s|@a "
     "@m|the state|this|@region|~ @a @p|all @n_s"},
    {"nps",
     "@n_s|@a @n_s|the @n_s of @npx|the @n_s|some @n_s|many @n_s|@numw @n_s|most @n_s|these @n_s|those @n_s|a few "
     "@n_s|all the @n_s|such @n_s|@N_s|@n_s and @n_s|@n_s or @n_s|@n_s, @n_s and @n_s|@n_s, @n_s, or @n_s|@v_n @n_s|"
     "@nat @n_s|other @n_s|@a and @a @n_s|@n_s for @p_s|@n_s such as @n_s and @n_s|@n_s of @m|any @n_s|more @n_s "
     "than @n_s|@a @n_s with @n_s|@n_s (@n_s)|their @n_s|various @n_s|@a, @a @n_s|as many @n_s as possible|the @n_s "
     "which @vx|@m, @n_s and @n_s|@n-@n @n_s|the @n_s of our @n|@n_s in the @n of @npx|non-@a @n_s|@nat-@v_n @n_s|"
     "the @n_s and @n_s of the @p|their own @n_s to @v"},
    {"nm",
     "@m|@m|@a @m|the @m of @npx|much @m|@m and @m|@m or @m|some @m|no @m|more @m|a lack of @m|@poss @m|@M|any kind "
     "of @m|the @m and @m of @npx|a great deal of @m|the lack of @a @m|@m without @m|@m as such|so much @m|@nat @m|"
     "self-@m|@m-@v_g @m|the @m of those who @v it|freedom from @m|@m in the @n of @npx|\"@m\""},
    {"vx3",
     "@v_3 @n_s|is @v_n by @p_s|can be @v_n|@i_3|has ~ @a @n|is used to @v @n_s|contains @m|does not @i|is not @a"},
    {"vx",
     "@v|@v @n_s|are @v_n by|can @v|@i|have @n_s|use to @v @n_s|need|do not @v|are not @a"},
    {"obj",
     "@np|@np|@np|@np|@nps|@nps|@nps|@nm|it|them|@np and @np|@np or @np|@np, @np and @np|anything|@nm, @nm and @nm|"
     "what @whos @v|how to @v @nps|each other|all of this|something @a|nothing but @nps"},
    {"pp",
     "in the @n|on the @n|at the @n|with ~ @n|without ~ @n|near the @n|under the @n|behind the @n|from @city|in "
     "@city|in @country|for @numw @span|of the @n|with @m|without @m|by @m|through the @n|between the @n and the @n|"
     "after the @n|before the @n|during the @n|because of the @n|despite the @m|@when|@where|@when|@where|against "
     "the @n|about @m|into the @n|by the @p|for the @p|with @poss @p|in @number4|on @day|in @month|to the @n|to "
     "@city|as ~ @n|as part of the @n|of @m|of @m|of @nps|of the @a @n|for @m|for the @n of @npx|for @nps|to @nps|or "
     "on the @n|on the basis of @m|in terms of @m|in the form of @n_s|in the case of @nps|with @nps|like ~ @n|into "
     "@nps|from the @n|over the @n|out of the @n|up to the @n|rather than @nps|as well as @nps|in order to @v @nps|"
     "to @v @nps|to be @v_n|by @v_g @nps|by means of @nps|instead of @nps|per @n|as if it were ~ @n|such as @nps or "
     "@nps|into the @n of @npx|from @nps|in @nps|in the @n of @npx|to the @n of @npx|for their @n|in their @n|from "
     "one @n to another|as to @nm"},
    {"vpd",
     "@v_d @obj|@v_d @obj|@v_d @obj @pp|@v_d @obj @pp|@v_d @obj @pp|@adv @v_d @obj|@i_d @pp|@i_d @adv|was @deg @a|"
     "was @v_n by @np|was @v_n @pp|were @v_n and @v_n @pp|had been @v_n|had @v_n @obj|did not @v @obj|could not @v "
     "@obj|wanted to @v @obj|tried to @v @obj and @v @obj|decided to @v @obj|began to @i|refused to @v @obj|had to "
     "@v @obj|kept @v_g @obj|hoped to @v @obj @pp|managed to @v @obj|learned how to @v @obj|took ~ @n @pp|made ~ @n "
     "of @m|had never @v_n @obj|was @v_g @obj when @who @i_d|@v_d and @v_d @obj|gave @np to the @p|said that @nps "
     "were @a|knew that @np would @i|got ~ @a @n|went to the @n to @v @obj|came out of the @n|saw @np|gave up @nm|"
     "took part in the @n|put the @n into the @n|set up ~ @n|used it to @v @obj|turned out to be @a|thought that "
     "@whos were @a|would have @v_n @obj|could be @v_n as ~ @n|just wanted to @v @obj|went on @v_g @obj|used to be ~ "
     "@n|found out how to @v @obj|asked @whos to @v @obj|led to @nm|got into the @n|didn't @v @obj|couldn't @v his "
     "@n|wasn't @a|went off with his @n|wouldn't be @v_n"},
    {"vp3",
     "@v_3 @obj|@v_3 @obj|@v_3 @obj @pp|@v_3 @obj @pp|@freq @v_3 @obj|@i_3 @pp|@i_3 @adv|is @deg @a|is @a and @a|is "
     "@v_n by @np|is @v_n to @v @obj|has @v_n @obj|does not @v @obj|cannot @v @obj|wants to @v @obj|needs ~ @a @n|is "
     "@v_g @obj|will @v @obj|may @v @obj|should @v @obj|must not @v @obj|can be @v_n @pp|has to be @v_n|is going to "
     "@v @obj|depends on @nm|consists of @nps|has been @v_n @pp|is called ~ @n|looks @a|is likely to @i|is the most "
     "@a @n @pp|is as @a as @npx|is used for @v_g @obj|is also known as the @n|is used to @v @obj|makes it possible "
     "to @v @obj|is ~ @n of @nps|is not ~ @n but ~ @n|means that @whos @vx @obj|has ~ @n of @npx|gives @np to @nps|"
     "is part of @np|is based on @np|is said to be @a|can @v or @v @obj|allows @whos to @v @obj|is only @a if @np is "
     "@v_n|comes from @np|is so @a that @whos @vx it|refers to @np|would be @a|is like ~ @n|is just ~ @n|gets @a @pp|"
     "goes with @np|doesn't @v @obj|isn't @a|won't @v @obj|can't be @v_n|will be @v_n when @np is @a|should be @v_n|"
     "may be @a|might be @v_n by @whos|has no @n_s|is per @n"},
    {"vpp",
     "@v @obj|@v @obj|@v @obj @pp|@v @obj @pp|@freq @v @obj|@i @pp|@i @adv|are @deg @a|are @a and @a|are @v_n by "
     "@nps|have @v_n @obj|do not @v @obj|cannot @v @obj|want to @v @obj|need @nm|are @v_g @obj|will @v @obj|may @v "
     "@obj|should @v @obj|must be @v_n @pp|can be @v_n|have to @v @obj|are going to @v @obj|used to @v @obj|are no "
     "longer @a|have become @a|are made of @m|are used to @v @obj|can be used as @nps|are not @a unless they are "
     "@v_n|try to @v @obj|get @obj|use @nps to @v @obj|are known for their @m|have their own @n_s|would like to @v "
     "@obj|are able to @v @obj|think of @nps as @nps|know how to @v @obj|are often called @n_s|come from @region|"
     "depend on @np|were @v_n @pp|had to @v @obj|can @v, @v and @v @obj|are as @a as they are @a|see no reason to @v "
     "@obj|go on to @v @obj|don't @v @obj|aren't @a|won't be @v_n|can be @a|will be @a|may be @v_n @pp|ought to be "
     "@v_n|should not be @v_n"},
    {"because",
     "because @who @vpd|although @who @vpd|when @who @vpd|while @who @v_d @obj|before @who @v_d @obj|after @who had "
     "@v_n @obj|so that @who could @v @obj|as @who @v_d @obj|until @who @i_d|which was @deg @a|which @v_d @obj|and "
     "@who @vpd|and @who @vpd|and @who @v_d @obj, too|but @who @vpd|but it was @a|and then @i_d|if @np is not @v_n|"
     "even though @nps were @a|as if nothing had happened|so @who @v_d @obj|or @who would @v @obj|in order to @v "
     "@obj|to @v @obj|where @who @v_d @obj|whose @n was @a|with all its @n_s and @n_s|as well as @obj|for @whos who "
     "@v @obj"},
    {"tail",
     "||||, which @vx3| as well as @np| in order to @v @obj| so that @whos can @v @obj| and @np| or @nps|, and they "
     "@vpp|, but not @np| (see @n)| (@n, @n, and so on)| when they are @v_n| to be @v_n by @whos|, or @nps| for @v_g "
     "@obj| of @npx| with @nps| for the @n| as ~ @n|, as @name @v_d in @year|; the @n @vp3| - ~ @n of @m| -- that "
     "is, @np --| -- @nps|, or so @who thought|, and so on|, if at all|; it is @a and @a|, as opposed to @nps|, when "
     "@whos @v @obj|, and, if possible, @np|, such as @nps| if @whos @v @obj| that @whos can @v|, especially @nps|, "
     "i.e. @nps|, e.g. @np| on the one hand and @nps on the other|, to say the least|, just like his @n|, in which "
     "case @whos @vpp|, for when it is @a, it is @v_n"},
    {"s",
     "^@who @vpd@tail.|^@who @vpd@tail.|^@who @vpd @because.|^@who @vpd @because.|^@who @vpd, @because.|^@whos "
     "@vpp@tail.|^@whos @vpp@tail.|^@whos @v_d @obj @because.|^@np @vp3@tail.|^@np @vp3@tail.|^@np @vp3@tail, but "
     "@nps @vpp@tail.|^@nps @vpp@tail.|^@nps @vpp because @np @vp3.|^@nm @vp3@tail.|^@nm is @deg @a, and @nm is @a.|"
     "^@sent, @who @vpd@tail.|^@sent, @nps @vpp@tail.|^@sent, @np @vp3@tail.|^@when, @who @vpd.|^@when @who @vpd "
     "@because.|^there is ~ @n @pp@tail.|^there are @nps @pp@tail.|^there was @nm, and @who @vpd.|^it is @deg @a to "
     "@v @obj@tail.|^it was @a that @who @vpd.|^it took @numw @span to @v @obj.|^@who said that @whos @vpp@tail.|"
     "^@who thinks that @np @vp3.|^@v_g @obj is @deg @a@tail.|^to @v @obj, @who @vpd.|^if @np is @a, @nps @vpp.|"
     "^when @who @i_d, @np was @v_n@tail.|^not only @np but also @np @vp3.|^what @who @v_d was ~ @a @n@tail.|^the "
     "more @who @v_d, the more @a @np became.|^neither @np nor @np was @v_n@tail.|^nobody knows why @who @vpd.|^@who "
     "would have @v_n @obj if @np had been @a.|^@v_n by @np, @who @vpd.|^with ~ @n in @poss hand, @who @i_d.|^no @n "
     "has ever been so @a@tail.|^in @number4, @who @vpd in @city.|^@name is ~ @nat @p who @vpd.|^I have @v_n @obj "
     "@pp.|^I @v_d @obj @because.|^I don't know whether @whos @vpp, but I can't @v @obj.|^we @vpp @when@tail.|^you "
     "can @v @obj @pp@tail.|^this is why @whos @vpp@tail.|^one @p @vpd, the other @vpd.|^all @n_s are @a@tail!|^it's "
     "not that @np @vp3; it's that @nps @vpp.|^@n, @n, @m: everything @vx3.|^@first's Law: @nps @vpp only when @whos "
     "@vx @obj.|^@a @n_s, @a @p_s.|^if you don't @v @obj, you won't @v @obj@tail.|^there are two kinds of @p_s: "
     "those who @v @nps, and those who don't.|^the @n between @np and @np is that @nps @vpp.|^any @p can @v @obj; it "
     "takes ~ @p to @v @obj.|^never @v @obj that you cannot @v.|^they would rather @v @obj than @v @obj.|^@whos of "
     "the @m are @a to @v @obj@tail.|^for most of us, @np is no more than @np@tail.|^if the @n is @a, then the @n of "
     "@npx will be @v_n as ~ @n@tail.|^by @v_g @obj@tail, @whos @vpp.|^see also @n, @n, @n.|^@whos @vpp@tail; @whos "
     "@vpp@tail.|^@np @vp3@tail; in @region, @nps @vpp@tail.|^@who @vpd, and @who @vpd, and @who @vpd.|^@np, in @m, "
     "@vp3@tail.|^@np @vp3 and, to @v @obj, @nps @vpp@tail.|^@whos, @v_n by @np and @nps, @vpp.|^to @v @nps, to @v "
     "@nps, to @v @nps: that is what @whos @vx.|^@nps -- @n_s, @n_s, @n_s -- @vpp@tail.|^given @nm, it is no wonder "
     "that @whos @vpp@tail.|^in @m, as in @m, @nps @vpp."},
    {"say",
     "said|says|told reporters|explained|argued|asked|replied|added|whispered|shouted|admitted|insisted|wrote|"
     "claimed|warned"},
    {"quote",
     "\"^@whos @vpp,\" @who @say.|\"^@np @vp3,\" @sayv @name.|\"^I have never @v_n @obj,\" @name @say.|\"^why did "
     "you @v @obj?\" @who asked.|\"^we @vpp,\" @who said, \"and @np @vp3.\"|\"^don't @v @obj!\" shouted the @p.|"
     "^@who @say: \"^@nps @vpp.\"|\"^it is @deg @a,\" said @name, \"because @whos @vpp.\"|\"^I'm sorry,\" @who said, "
     "\"but I can't @v @obj.\"|\"^yes,\" said the @p. \"^@np @vp3.\""},
    {"sayv",
     "said|says|explains|wrote|asked|replied"},
    {"imp",
     "^@v @obj @pp.|^please @v @obj.|^do not @v @obj @pp.|^never @v ~ @a @n without ~ @n.|^@v the @n and @v @obj.|"
     "^first @v the @n, then @v @obj.|^always @v @obj before you @v @obj.|^make sure that @np is @v_n.|^remember to "
     "@v @obj @when.|^let the @n @i for @numw minutes.|^use ~ @n to @v @obj.|^keep @nps @a and @a.|^be careful when "
     "you @v @obj.|^ask the @p to @v @obj.|^if you want to @v @obj, @v @np.|^wait until @np is @a.|^call the @p if "
     "@np @i_3.|^add @numw @unit of @m and @v @obj.|^try to @v @obj @adv.|^stop @v_g @obj!"},
    {"gloss",
     "~ @n that @vp3|~ @p who @v_3 @nps|~ @isa used to @v @nps|~ @a @isa of @country|the act of @v_g @obj|the state "
     "of being @a|having or showing @m|of or relating to @m|~ @isa that is @a and @a|any of several @a @n_s|@v or @v "
     "with ~ @n|cause to be @a|~ @n for @v_g @nps|in ~ @a manner|not @a|the @n of ~ @p|~ @nat @p (@year-@year)|~ @a "
     "@n made of @m|~ small @isa with ~ @a @n|the quality of being @a|~ group of @p_s who @v @nps|the branch of "
     "science that studies @nps|(@field) ~ @n or @n; \"@who @vpd\"|@v_g @obj; \"the @n was @v_n\"|@a or @a; \"~ @a "
     "@n\"|make @a, as by @v_g|@v @obj; \"@who @v_d the @n\"|~ @isa found in @region|without @m|the @ord part of ~ "
     "@n|~ city in @country|someone whose job is to @v @nps|the time when @nps are @v_n|~ @colour @isa of @region|~ "
     "@n (or @n) used to @v @nps@tail|the @a @n of ~ @n or @n|a @n or @n of @npx@tail|@v with or as if with ~ @n|any "
     "of various @a @n_s of the genus @Latin|of or relating to or characteristic of @npx|(of @n_s) not @v_n or "
     "@v_n@tail|in ~ @a manner; \"he @v_d @adv\"|~ @p who is @v_n to @v @nps for ~ @n|~ @isa consisting of @nps@tail|"
     "~ @n in which @nps are @v_n and @v_n|~ @a @n of @region having @a @n_s and @colour @n_s|make or become @a; "
     "\"the @n @i_d\"; \"@v the @n\"|the @m of being @v_n or @v_n|lacking @m or @m|tending to @v; \"~ @a @n\"|@nat "
     "@p who @v_d the @n of @m (@year)|to ~ @a degree; \"she is @adv @a\"|@v, as in @m|being or @v_g like ~ @n|@a "
     "and @a; free from @m|@n-like; having @n_s"},
    {"Latin",
     "Rosa|Salix|Canis|Felis|Bufo|Aster|Acer|Pinus|Rana|Corvus|Vipera|Salmo|Lilium|Ursus"},
    {"field",
     "law|medicine|music|mathematics|physics|computer science|sport|nautical|chemistry|grammar|military|biology|"
     "cooking|finance|informal|archaic|figurative"},
    {"term",
     "^@n: @gloss|^@m: @gloss|@n - @gloss|^a @a @n is @gloss.|^@m is @gloss.|@gloss|@gloss|@gloss|@gloss|@gloss|"
     "@gloss|@v: to @v @obj; to @v|^the word \"@n\" means @gloss.|@p, noun. ^@gloss.|@a (adjective): @a; @a|^@n: "
     "<@field> (or \"@n\") ~ @a @n that @vp3@tail. (@year-0@digit-1@digit)|^@a @n: <@field> ^@gloss. ^the @n "
     "@vp3@tail.|^@n (n.): 1. @gloss; 2. @gloss.|^@m [from @lang \"@n\"]: @gloss. ^see @m.|[@field] @gloss|~ @n -- "
     "@gloss|^@n/@n (@a) @gloss|@n_s, @n_s, etc."},
    {"head",
     "^@nps @vpp|^@nph @v_3 @nph|^@city @p_s @v @nps after @m @n|^how to @v ~ @n|^why @nps @i|^@numw @a ways to @v "
     "@nps|^new @n @v_3 @nps|^@country: @p accused of @v_g @n|^@p @v_3 @a @n in @city|^the @n of @m|^@m and @m: ~ @n|"
     "^@body to @v @nps|^the @a guide to @m|^@n @n, @n and @n|^@nat @n @v_n by @p|^review: the @a @n|^introduction "
     "to @m|^chapter @digit: the @a @n|^@name: \"^I never @v_d the @n\"|^what @p_s should know about @m|^@a @n for "
     "sale|@year @n report|^notes on @m|^the @n_s of @region"},
    {"nph",
     "@a @n|@n|@p|@nat @p|@city @n|@n_s|@body"},
    {"rev",
     "^the @n was @deg @adjpos, but the @n was @adjpos.|^I bought this @n @when and it is @adjpos.|^~ @adjpos @n "
     "with ~ @adjpos @n.|^@deg @adjpos!|^I would @freq recommend this @n.|^not worth the money: the @n @i_3 after "
     "@numw days.|^@LAST's @n is @adjpos, @adjpos and @deg @adjpos.|^the @p was @adjpos and the @n was @adjpos.|^if "
     "you like @m, you will love this @n.|^too much @m, too little @m.|^the best @n I have ever @v_n.|^it @v_3 well, "
     "but the @n is @adjpos.|^a @adjpos story about ~ @p who @vpd.|^as ~ @n , it is @adjpos ; as ~ @n , it is merely "
     "@adjpos .|^an @adjpos , @adjpos and @adjpos @n .|@adjpos and @adjpos , this @n @v_3 @obj without ever being @a "
     ".|^don't waste your time on this @n.|^the plot is @adjpos, the acting is @adjpos, and the ending is @deg "
     "@adjpos.|^one of the most @adjpos @n_s of the year.|^my @fam loved the @n; I found it @adjpos.|^it's @deg @a, "
     "and that's the problem.|^we waited @numw hours, and the @n was @a.|^@digit out of 10: @adjpos @m, @adjpos @n.|"
     "^does what it says, @adv and @adv.|@a but @adjpos .|^the film @v_3 @obj with @m and @m , and it never feels "
     "@adjpos ."},
    {"news",
     "^the @nat @body says @nps have been @v_n in @city.|^at least @number2 people have been @v_n after ~ @n in "
     "@REGION.|^@p_s in @CITY have @v_n ~ @a @n.|^@name, ~ @number2-year-old @p from @city, was @v_n @when.|^the "
     "@body has @v_n @obj@tail.|^@body spokesman @name says the @n @vp3.|^the @n was @v_n at about @clock @when, "
     "near @CITY.|^@COUNTRY will @v @obj if @nps are not @v_n.|^more than @bignum @p_s @i_d in @CITY on @day.|"
     "^\"@whos @vpp,\" the @body's @name said.|^the price of @m rose by @digit per cent in @month.|^the @p, @name, "
     "denies that @who @vpd.|^police believe that @who @vpd.|^a spokeswoman for the @body said @np would be @v_n "
     "@when.|^the @n came after @numw @p_s had @v_n @obj in @region.|^officials in @country say @who @vpd.|^for Mr "
     "@LAST it is @deg @a to @v @obj@tail.|^the @a @n is expected to @i by @month.|^@name @v_d @name @digit-@digit "
     "in the @ord @n in @CITY.|^shares in @last @brandsuffix fell @digit cents to $@digit.@digit0.|^it is the @ord "
     "@n since @year.|^meanwhile, @nat @p_s have @v_n @obj in @REGION.|^Dr @LAST says the @n could @v @obj.|^the "
     "@body is @v_g @obj, but @nps remain @a.|^the Federal Government has @v_n @np after @np.|^he says @nps "
     "@vpp@tail.|^@nps @v_n by @whos have @v_n @obj@tail.|^the @n, on which @whos had @v_n @obj, will be @v_n @when.|"
     "^she told the @body that @nps @vpp."},
    {"wiki",
     "^@N_s are @a @n_s that @v @obj.|^the @N is ~ @a @isa of @REGION.|^it was @v_n by @nat @p @name in @year.|^the "
     "@n @vp3, and its @n is @a.|^@city is the @ord largest city in @country, with ~ population of @bignum.|^it "
     "consists of @n_s, @n_s and @n_s.|^in the @century century, @p_s @v_d @nps.|^the term comes from the @lang word "
     "for \"@n\".|^there are @numw types of @n: @a, @a and @a.|^@m is measured in @unit.|^the @a @n has ~ @n of "
     "about @number2 @unit.|^it is @freq @v_n with ~ @n.|^@name (@year-@year) was ~ @nat @p and @p.|^@p_s @v @nps in "
     "order to @v @obj.|^unlike @nps, @N_s @vpp.|^today @nps are @v_n @where.|^the @ord @n was @v_n in @city in "
     "@year.|^many @p_s believe that @nps @vpp.|^because @np @vp3, @nps are @a.|^for example, ~ @n can be @v_n by "
     "@nps.|^the main @n of @m is @m.|^this @n is known as ~ @a @n.|^@m is important for @m and @m."},
    {"story",
     "^@FIRST @vpd.|^@FIRST @v_d the @N @because.|^the @P @vpd.|^she @vpd.|^he @vpd.|^the @N @i_d @pp.|^it was @deg "
     "@a, and the @n was @a.|\"^@np @vp3,\" said @FIRST.|^for @numw @span nobody @v_d @obj.|^then @who @vpd.|^there "
     "was ~ @a @n @pp.|^they @vpd.|^@when @FIRST @v_d the @P.|^the @a @n reminded her of ~ @n.|^\"Who @v_d the @n?\" "
     "asked the @P.|^he had always wanted to @v @obj.|^but the @N was @a.|^at last the @P @i_d.|^I remember the @n "
     "@adv.|^her @fam had @v_n @obj @pp.|^outside, the @n @i_d @adv.|^what @FIRST @v_d next was @deg @a."},
    {"howto",
     "@imp|@imp|@imp|@imp|^this takes about @numw minutes.|^you will need ~ @n, ~ @n and some @m.|^if the @N @i_3, "
     "@v @obj.|^the @N should be @a but not @a.|^otherwise @np @vp3.|^when the @n is @a, @v @np.|^now @v the @N "
     "@adv.|^@numw @unit of @m are enough.|^then @v the @n and @v it @pp.|^a @a @n works best.|^this makes the @n "
     "@a.|^step @digit: @v @np.|^note that @nps @vpp.|^repeat this until @np is @v_n.|^to get @np, use the @file "
     "option: it @vp3@tail.|^returns the @n of @npx, or None if it is not @a.|^set @file to @number2 if you want to "
     "@v @obj@tail.|^you can use @file() to @v @obj; see the @file manual for more.|^@v the @n's @file (@digit by "
     "default).|>>> @file`.@v(@number2, '@n')"},
    {"essay",
     "@s|@s|@s|^some people argue that @nps @vpp.|^others say that @m leads to @m.|^the question is whether @np "
     "@vp3.|^in my opinion, @nm @vp3.|^this does not mean that @np @vp3.|^consider the @N: it @vp3.|^as @name put "
     "it, \"@nps @vpp.\"|^such @n_s @vpp only because @whos @vpp.|^on the one hand, @np @vp3; on the other, @nps "
     "@vpp.|^if that were true, @np would be @a.|^what, then, is @m?|^it follows that @nps @vpp.|^without @m there "
     "can be no @m.|^nor is it @a to @v @obj.|^history shows that @p_s @freq @v @obj.|^of course, not every @n is "
     "@a.|^there is, in other words, ~ @n between @m and @m.|^by @m I mean the @n of @m.|^@nps @vpp@tail [@name, "
     "^the @n of @m, p. @number3].|\"^@np @vp3@tail.\" [^@m and @m, p. @number2]|^so, for @name, @np @vp3@tail.|"
     "^like all @n_s, it @vp3@tail, and as such is ~ @n of @m.|^those who @v @obj will also @v @obj@tail.|^if we @v "
     "@obj, we will @v @obj@tail.|^when @whos are @a, they will not be @v_n@tail.|^such ~ @n would be based on @m, "
     "@m and @m, and on the @n of each @p.|^but what about @np?|^this -- and this is the point -- @vp3.|^here, too, "
     "@whos @vpp@tail.|^in other words, to @v @obj is to @v @obj.|^hence the need for @nm.|^the @a @n is, as such, "
     "the @n of @m itself.|^@nm, in turn, @vp3@tail; to @v @obj is therefore to @v @obj.|^in the @n of @m, @np "
     "@vp3@tail, as we have seen from @np.|^their @n is to @v the @n of @npx, into which @nps @vx, and from which "
     "@nps come."},
    {"mail",
     "^thank you for your @n.|^I am writing about the @N that I @v_d @when.|^could you please @v @obj?|^we have @v_n "
     "your @n and will @v it @when.|^the @n is attached.|^unfortunately we cannot @v @obj @when.|^please let me know "
     "if @np is @a.|^your @n no. @number4 has been @v_n.|^I would like to @v ~ @a @n.|^can we meet on @day at "
     "@clock?|^the @N should arrive within @numw days.|^I look forward to your answer.|^@FIRST will @v the @n @when.|"
     "^sorry for the delay: @who @vpd.|^do you still need the @n?|^let's @v the @n @when.|^the total is "
     "@number2.@digit0 euros."},
    {"mailopen",
     "^dear @name, @mail|^dear Sir or Madam, @mail|^hi @first, @mail|^subject: @n @n. ^hello @first, @mail|^dear "
     "colleagues, @mail|^hello everyone, @mail"},
    {"mailend",
     "^kind regards, @name|^best wishes, @first|^thanks, @first|^yours sincerely, @name|^see you soon! @first"},
    {"chat",
     "^@first: @q ^@first: @s|\"@q\" \"@s\"|\"^@np @vp3.\" \"^really? ^I thought @nps were @a.\"|\"^did you @v "
     "@obj?\" \"^no, @who @vpd.\"|^I asked @poss @fam, and @who said that @np was @a.|\"^let's @v @obj,\" said "
     "@FIRST. \"^@when?\" asked @first.|\"^what do you think of the @N?\" \"^it's @deg @a.\"|^well, @who @vpd, you "
     "know.|\"^I don't know,\" said @FIRST, \"but @np @vp3.\""},
    {"q",
     "^what is @m?|^what is ~ @n?|^how do I @v ~ @n?|^how do I @v ~ @n without ~ @n?|^why do @p_s @v @nps?|^why is "
     "@m so @a?|^who @v_d the @ord @n?|^when was the @n @v_n?|^where can I @v ~ @a @n?|^which @n is more @a, the @n "
     "or the @n?|^can ~ @n @v @obj?|^is it @a to @v @obj?|^does the @n @v @obj?|^did the @p @v @obj @when?|^how many "
     "@n_s are there in @country?|^how much @m does ~ @n need?|^what does \"@n\" mean?|^what causes @m?|^is @m @a?|"
     "^are @nps @a?|^what is the difference between @m and @m?|^what is the difference between ~ @n and ~ @n?|^have "
     "you ever @v_n @obj?|^should I @v @obj or @v @obj?|^what happens if @np is @v_n?|^who is the @p of @country?|"
     "^how long does it take to @v @obj?|^would you @v @obj @pp?|^why did @name @v @obj?|^where is the @n?|^do @p_s "
     "really @v @nps?|^what should ~ @p do when @np @i_3?|^could you @v the @n @when?|^who was @name?|^how far is it "
     "from @city to @city?|^isn't @m just ~ @n?|^what is the @n of @country?|^how old is the @n?|^what @n do you @v?|"
     "^in which year did @country @v @obj?|^whose @n is this?|^how @a is the @n?"},
    {"query",
     "how to @v ~ @n|best @n for @p_s|what is @m|@n vs @n|@a @n @city|why is my @n @a|cheap @n near me|how does ~ @n "
     "work|definition of @m|@n @n not working|who invented the @n|is @m @a|when to @v @nps|@v @nps at home|@p salary "
     "@country|tell me about @m|@m for beginners|@city @n opening hours|symptoms of @m|meaning of @n|@name @n|"
     "history of @m|can you @v ~ @n|difference between @n and @n|examples of @a @n_s"},
    {"phrase",
     "@a @n|@a @n|@a @n_s|@n and @n|@m and @m|the @n of @m|~ @a @n|@a @m|@adv @v_n|@v ~ @n|@v the @n|@v_g @nps|@n of "
     "the @p|@deg @a|@first @last|@city, @country|@colour @n|@nat @n|@p's @n|@n for @p_s|@a and @a|@numw @n_s|the "
     "@ord @n|@number2 @unit|@m @n|@when|@where|@day, @number2a @month|@month @year|@a @p|@body|@last @brandsuffix|"
     "out of @m|in the @n|without @m"},
    {"word",
     "@n|@n|@n|@n|@m|@p|@v|@v|@i|@a|@a|@adv|@rare|@rare|@rare|@n_s|@v_g|@v_d|@city|@country|@first|@last|@colour|"
     "@month|@day|@lang|@nat|@function|@isa|@region"},
    {"list",
     "^@n_s, @n_s, @n_s and @n_s|@n, @n, @n|^ingredients: @m, @m, @m, @numw @n_s|^to do: @v the @n, @v ~ @n, @v @nps|"
     "@a, @a, @a|^contents: @n_s; @n_s; @m; @m|1. @v @np 2. @v @np 3. @v @np|^requirements: ~ @a @n, @m, and @numw "
     "@unit of @m|@p_s, @p_s and @p_s|pros: @a, @a; cons: @a"},
    {"number",
     "^the @n costs @number2.@digit9 euros, @digit% less than in @year.|^@city, @number2a @month @year|^flight "
     "@number4 leaves at @clock from gate @digit.|^room @number3, @ord floor, open @day to @day, @clock-@clock|"
     "^order no. @number4: @digit x @n, total $@number3.@digit5|^@number2 @unit = @number3 @unit|^population: "
     "@bignum; area: @number3 square kilometres|^tel. +@number2 @number3 @number4|^version @digit.@digit.@digit, "
     "released on @number2a @month @year|^between @year and @year the number of @p_s rose from @bignum to @bignum.|"
     "@clock @v @n; @clock @v @n|^final score: @city @digit, @city @digit.|^the temperature fell to minus @number2 "
     "degrees @pp.|^@number2 of @number3 @p_s (@number2%) @v_d @obj.|^born @number2a @month @year in @city, @country|"
     "^chapter @digit, page @number3|^the mean was @digit.@number2 (n = @number3, p < 0.0@digit)."},
    {"url",
     "https://www.@n`.com/@n_s/@number4|https://@file`.org/docs/@file`.html#@n|mailto:@file`@@@n`.net|"
     "http://localhost:8080/@file`/@file?id=@number3&lang=en|ftp://ftp.@n`.edu/pub/@file`-@digit.@digit.tar.gz|"
     "@file`@@@n`.com|https://github.com/@last`/@n`-@file"},
    {"log",
     "@year-0@digit-1@digit @clock:0@digit ERROR @file: cannot @v @n: No such file or directory|[@clock:1@digit] "
     "INFO @file`.@file - @v_n @number4 @n_s in @number3 ms|WARN  (@file`.c:@number3) @n is @a, retrying in @digit s|"
     "@mon @number2a @clock:0@digit host @file`[@number4]: connection from 192.168.@digit.@number2 closed|Traceback "
     "(most recent call last): File \"@file`.py\", line @number3, in <module> @Error: @n not found|error: "
     "'@file`_@n' undeclared (first use in this function)|127.0.0.1 - - \"GET /@n_s/@number3 HTTP/1.1\" 404 @number4|"
     "fatal: not a git repository (or any of the parent directories)|@file: warning: unused variable '@n`' "
     "[-Wunused-variable]|Segmentation fault (core dumped) ./@file --@n @number2"},
    {"mon",
     "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec"},
    {"Error",
     "KeyError|ValueError|TypeError|FileNotFoundError|RuntimeError|IndexError"},
    {"s2",
     "@s|@s|@s|@s|@s|@essay|@quote|@imp"},
    {"code",
     "def @v`_@n(@n, @file):\n    if not @n:\n        return None\n    return @file`.@v(@n)|for @n in "
     "@file`.@n_s():\n    print(f\"{@n} = {@n`.@file}\")|class @Cls:\n    def __init__(self, @n):\n        self.@n = "
     "@n|import @file\n\nwith open('@n`.txt') as f:\n    @n_s = [line.strip() for line in f]|@n_s = {k: v for k, v "
     "in @file`.items() if v > @number2}|int @v`_@n(const char *@n, size_t length) {\n  if (@n == NULL) return -1;\n "
     " return (int)length;\n}|for (size_t i = 0; i < count; i++) {\n  @n[i] = @n[i] * @digit + @file;\n}|struct @n "
     "{\n  int @file;\n  double @n;\n  struct @n *next;\n};|#include <stdio.h>\n#define MAX_@digit @number3|while "
     "((@n = next(@file)) != NULL) free(@n);|SELECT @n, COUNT(*) FROM @n_s WHERE @file = '@n' GROUP BY @n ORDER BY 2 "
     "DESC;|INSERT INTO @n_s (id, @file, @n) VALUES (@number3, '@a', @number2);|UPDATE @n_s SET @n = @number2 WHERE "
     "id IN (SELECT id FROM @p_s);|CREATE TABLE @n_s (id INTEGER PRIMARY KEY, @n TEXT NOT NULL, @file REAL);|"
     "function @v`(@n) {\n  const @file = @n`.map(x => x.@file);\n  return @file`.filter(Boolean);\n}|const @n = "
     "await fetch(`/api/@n_s/${id}`).then(r => r.json());|document.querySelector('#@n').addEventListener('click', () "
     "=> @v`(@file));|public static void main(String[] args) {\n    List<String> @n_s = new ArrayList<>();\n    "
     "@n_s.add(\"@n\");\n}|fn @v`(@n: &str) -> Result<usize, Error> {\n    Ok(@n`.len())\n}|func (s *Server) @Verb(w "
     "http.ResponseWriter, r *http.Request) error {\n\treturn s.@file`.@Verb(r)\n}|if err := @file`.@Verb(@n); err "
     "!= nil {\n\tlog.Fatal(err)\n}|<div class=\"@n\"><a href=\"/@n_s/@number3\">@a @n</a></div>|<p>^@who @vpd.</p>|"
     ".@n { color: #@number3; margin: 0 @number2`px; display: flex; }|{\"id\": @number4, \"name\": \"@name\", "
     "\"@n\": {\"@file\": true, \"tags\": [\"@a\", \"@n\"]}}|find . -name '*.@file' -mtime -@digit @! xargs grep -l "
     "@n @! sort -u|docker run --rm -p 80@number2:80 -v /srv/@n:/data @file:@digit.@digit|git log --oneline "
     "--since=@year -- src/@file`.c|pip install @n && python -m @file --@n @number2|for f in *.txt; do mv \"$f\" "
     "\"@n`_$f\"; done|# ^@v the @n before the @file is @v_n|/* ^@who @vpd; see @file`.h */|assert_equal(@v`(@n), "
     "@number2)  # @n must be @a|try {\n  @v`(@n);\n} catch (Exception e) {\n  logger.error(\"@n @i_d\", e);\n}|"
     "template <typename T> T @v`(const std::vector<T>& @n_s) { return @n_s.front(); }|@log|@log|@log|@url|@url|let "
     "@n = @file @!> List.map (fun x -> x + @digit)|\\begin{equation} @x = \\frac{@x + @digit}{@x^2 - @number2} "
     "\\end{equation}"},
    {"Cls",
     "Parser|Account|Customer|Matrix|Window|Session|Invoice|Vehicle|Player|Document|Sensor|Recipe"},
    {"Verb",
     "Handle|Close|Save|Load|Update|Delete|Render|Process|Flush|Connect"},
    {"x",
     "x|y|z|a|b|n|k|t|v"},
    {"digit",
     "1|2|3|4|5|6|7|8|9"},
    {"digit0",
     "0|1|2|3|4|5|6|7|8|9"},
    {"digit5",
     "00|50|95|99|20|75"},
    {"digit9",
     "99|50|00|49|90|25"},
    {"number2",
     "@digit@digit0|@digit@digit0|@digit"},
    {"number2a",
     "1|2|3|4|5|6|7|8|9|1@digit0|2@digit0|30"},
    {"number3",
     "@digit@digit0@digit0"},
    {"number4",
     "@digit@digit0@digit0@digit0"},
    {"bignum",
     "@number2,@digit0@digit0@digit0|@number3,000|@digit.@digit million|@number2,000"},
    {"year",
     "19@digit@digit0|20@yy|18@digit@digit0|17@digit@digit0|19@digit@digit0"},
    {"yy",
     "0@digit|1@digit0|2@digit0"},
    {"century",
     "12th|15th|16th|17th|18th|19th|20th|21st"},
    {"clock",
     "@digit:@min|1@digit0:@min|@digit pm|@digit:@min am"},
    {"min",
     "00|15|30|45|05|10|20|40|50"},
    {"ident",
     "@v`_@n|@v`_@n|@n`_@file|@n`_@n|@n`_@n`_@file|get_@n|set_@n|is_@a|has_@n|@v`_@n_s|test_@v`_@n|test_@n`_@a|@a`_@n|"
     "MAX_@n`_@m|@n`_@n`_@digit|_@v`_@n|__@n`__|@n`_id|num_@n_s|@Cls`@Verb|@Verb`@Cls|set@Cls|get@Cls|is@Cls`@Verb|"
     "@v`@Cls|on@Cls`@Verb|@Cls`Error|@Cls`@Cls|@file`_@digit@digit|@n`.@n|@n`.@v`_@n|@Cls`::@v|@n`-@n|@n`-@n-@file|"
     "lib@n|lib@made`-@file|@made|@made`_@n|IFLA_@n`_@m|PR_@v`_@n|EV_@n|O_@a|SIG@file|E@n|"
     "str@v`_@x|@x@digit_@n|py@n|@n`_t|struct @n`_@n|enum @n`_@m"},
    {"gear",
     "^@n for @n_s|^@a @n for @made|@made @n @file|@n @file for @Cls|^@n of @made (@n @n_s)|^python @digit @n @file|"
     "^@n @isa for @m|^@a @file @n - @n @n_s|library for @v_g @n_s|^tool to @v @n_s|@made`: @a @n @file|^@made bindings "
     "for @n @file|^@n @n written in @Cls|^development files for lib@made|^@v @n_s and @n_s from the command line|"
     "^@Cls @n with @n support|^@made plugin for @n @n_s|^@a alternative to @made|debug symbols for @made|^@made fonts "
     "(@a)|^common files for @made|^documentation for the @n @file|^input method: @made ^@made"},
    {"rareword",
     "@rare|@made|@a`ness|@v`able|un@a|@n`less|@n`ship|@v_g|re@v|@n`ist|@n`like|@m`al|over@v|non@n|@n`ology|anti@n|"
     "@rare|@v`er|micro@n|pre@v"},
};
/* clang-format on */
const size_t aq_corpus_phrase_count = AQ_COUNT_OF(aq_corpus_phrases);
