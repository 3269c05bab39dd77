/* corpus_words.c - the words of the built-in corpus that belong to no subject: adverbs, names, places, rare words.
 *
 * A space separates, an underscore is a space within. Written for this file. */
#include "calib/corpus/corpus_data.h"
#include "core/compiler.h"

/* clang-format off */
const aq_corpus_list aq_corpus_words[] = {
    {"adv",
     "quickly slowly carefully quietly suddenly finally easily hardly nearly gently proudly badly well politely "
     "rudely bravely eagerly patiently secretly openly honestly deliberately accidentally silently loudly "
     "immediately gradually constantly regularly rarely temporarily permanently briefly thoroughly partly completely "
     "entirely successfully reluctantly enthusiastically nervously calmly angrily happily sadly warmly coldly firmly "
     "freely separately together alone abroad everywhere outdoors indoors online twice automatically correctly "
     "illegally publicly privately remotely smoothly steadily unexpectedly voluntarily wisely"},
    {"deg",
     "very quite rather extremely fairly too so slightly remarkably surprisingly incredibly not_very almost "
     "increasingly particularly unusually"},
    {"freq",
     "always often usually sometimes rarely never seldom occasionally frequently hardly_ever generally"},
    {"sent",
     "unfortunately however therefore meanwhile moreover nevertheless fortunately in_fact of_course as_a_result "
     "in_addition for_example in_other_words at_first in_the_end later_on surprisingly after_all on_the_other_hand "
     "at_the_same_time in_general strangely_enough to_be_honest above_all in_short until_now so_far "
     "as_far_as_we_know at_least in_theory in_practice sooner_or_later"},
    {"when",
     "yesterday today tomorrow last_week last_night last_year this_morning tonight two_days_ago next_month "
     "in_the_evening at_noon at_dawn after_lunch before_breakfast every_day on_Sundays once_a_year all_day "
     "for_the_first_time in_the_meantime at_the_weekend during_the_winter over_the_summer for_many_years "
     "a_few_minutes_later at_midnight since_then by_the_end_of_the_year in_spring early_in_the_morning within_a_week "
     "from_time_to_time"},
    {"where",
     "at_home at_work abroad in_the_city in_the_countryside near_the_station across_the_street "
     "on_the_other_side_of_the_river in_the_north_of_the_country in_the_middle_of_nowhere next_door upstairs outside "
     "in_the_corner on_the_top_floor under_the_bridge behind_the_house at_the_airport along_the_coast "
     "around_the_world on_the_internet in_the_capital in_public at_sea in_prison in_hospital at_school on_holiday"},
    {"first",
     "Anna Ben Clara David Emma Frank Grace Henry Iris Jack Karen Liam Maria Nathan Olivia Peter Quentin Rosa Simon "
     "Teresa Ulrich Vera Walter Xenia Yusuf Zoe Ahmed Aisha Akira Alice Amara Andrei Bruno Carlos Chen Daniela Diego "
     "Elena Fatima Felix Giulia Hanna Hassan Igor Ingrid Ivan Jamal James Jane Jean John Jorge Julia Kenji Kofi Lars "
     "Laura Lena Leo Linda Luca Lucy Mark Martin Mary Mei Michael Mohammed Monica Nadia Nina Noah Omar Oscar Pablo "
     "Paul Pierre Priya Rachel Raj Rebecca Robert Ruth Samuel Sarah Sofia Stefan Susan Thomas Tim Tom Victor Wei "
     "William Yuki Yvonne"},
    {"last",
     "Adams Ahmed Almeida Anderson Andersson Baker Becker Bennett Brown Campbell Carter Chen Clark Costa Cruz Davies "
     "Dubois Eriksen Evans Fischer Flores Fraser Garcia Gonzalez Green Gupta Hall Hansen Harris Hill Hoffmann Hughes "
     "Ibrahim Ivanov Jackson Jansen Johnson Jones Kaya Kelly Kim King Kowalski Kumar Larsson Lee Lewis Lopez "
     "Martinez Meyer Miller Mitchell Moore Moreau Morgan Müller Murphy Nakamura Nguyen Novak Okafor Olsen Parker "
     "Patel Petrov Phillips Popescu Reyes Roberts Rossi Russell Santos Sato Schmidt Schneider Scott Silva Singh "
     "Smith Stewart Suzuki Taylor Thompson Turner Walker Wang Watson White Williams Wilson Wood Wright Yamamoto "
     "Young Zhang Ziegler"},
    {"city",
     "London Paris Berlin Madrid Rome Vienna Prague Warsaw Athens Dublin Oslo Stockholm Copenhagen Helsinki Moscow "
     "Kiev Budapest Bucharest Brussels Amsterdam Zurich Geneva Munich Hamburg Barcelona Milan Naples Venice "
     "Edinburgh Manchester Liverpool Oxford Cambridge New_York Boston Chicago Washington Philadelphia Detroit Dallas "
     "Houston Denver Seattle San_Francisco Los_Angeles San_Diego Miami Atlanta New_Orleans Toronto Montreal "
     "Vancouver Mexico_City Havana Bogota Lima Santiago Buenos_Aires Rio_de_Janeiro Sao_Paulo Tokyo Kyoto Osaka "
     "Seoul Beijing Shanghai Hong_Kong Taipei Singapore Bangkok Hanoi Jakarta Manila Delhi Mumbai Calcutta Karachi "
     "Kabul Tehran Baghdad Damascus Beirut Jerusalem Tel_Aviv Cairo Alexandria Istanbul Ankara Lagos Accra "
     "Casablanca Algiers Tunis Cape_Town Johannesburg Addis_Ababa Sydney Melbourne Brisbane Perth Canberra Adelaide "
     "Auckland Honolulu"},
    {"country",
     "France Germany Spain Italy Austria Poland Greece Ireland Norway Sweden Denmark Finland Russia Ukraine Hungary "
     "Romania Belgium Switzerland Portugal Turkey England Scotland Wales Canada Mexico Cuba Brazil Argentina Chile "
     "Peru Colombia Venezuela Japan China India Pakistan Bangladesh Afghanistan Iran Iraq Syria Israel Egypt Morocco "
     "Algeria Libya Nigeria Ghana Kenya Ethiopia Sudan South_Africa Zimbabwe Vietnam Thailand Indonesia Malaysia "
     "Australia New_Zealand North_Korea South_Korea the_United_States the_United_Kingdom the_Netherlands "
     "the_Philippines Saudi_Arabia Iceland Croatia Serbia Bulgaria"},
    {"nat",
     "French German Spanish Italian Austrian Polish Greek Irish Norwegian Swedish Danish Finnish Russian Ukrainian "
     "Hungarian British American Canadian Mexican Cuban Brazilian Japanese Chinese Indian Pakistani Afghan Iranian "
     "Iraqi Israeli Palestinian Egyptian Nigerian Kenyan South_African Vietnamese Thai Indonesian Australian Korean "
     "Scottish Welsh Dutch Swiss Turkish European African Asian Arab Latin"},
    {"region",
     "Europe Asia Africa South_America North_America the_Middle_East Scandinavia the_Balkans Siberia the_Caribbean "
     "California Texas Florida New_South_Wales Queensland Ontario Bavaria Tuscany Andalusia Provence the_Alps "
     "the_Himalayas the_Sahara the_Amazon the_Mediterranean the_Baltic the_Pacific the_Atlantic"},
    {"month",
     "January February March April May June July August September October November December"},
    {"day",
     "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"},
    {"colour",
     "red blue green yellow white black grey brown pink purple orange golden silver dark-blue pale-green turquoise "
     "crimson beige"},
    {"numw",
     "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty a_dozen a_hundred "
     "a_thousand several"},
    {"ord",
     "first second third fourth fifth sixth last next only final"},
    {"unit",
     "kilometres metres centimetres miles feet inches kilograms grams pounds tonnes litres minutes hours days weeks "
     "months years degrees euros dollars percent volts watts megabytes pages people points"},
    {"span",
     "minutes hours days weeks months years seconds nights"},
    {"lang",
     "English French German Spanish Italian Latin Greek Arabic Hebrew Russian Chinese Japanese Hindi Portuguese "
     "Dutch Swedish"},
    {"fam",
     "mother father sister brother wife husband son daughter grandmother grandfather uncle aunt cousin boss "
     "neighbour best_friend teacher doctor colleague boyfriend girlfriend"},
    {"body",
     "Ministry_of_Health Ministry_of_Defence Supreme_Court European_Union United_Nations World_Bank Red_Cross "
     "Central_Bank Foreign_Office city_council Labour_Party Liberal_Party Senate Security_Council trade_union "
     "national_team local_authority Royal_Society Academy_of_Sciences stock_exchange fire_brigade coroner Tax_Office "
     "Treasury parliament federal_police White_House Vatican Reserve_Bank"},
    {"brandsuffix",
     "Ltd Inc Group Airlines Motors Bank Media Energy Foods Systems Pharma Holdings and_Sons Institute University "
     "Hospital Brothers"},
    {"prep",
     "about above across after against along among around before behind below beneath beside between beyond by "
     "despite during for from in inside into like near of off on onto opposite out_of outside over past round since "
     "through to towards under until up upon with within without"},
    {"rare",
     "abacus aberration abyss acoustics acrobatics adage aeroplane agnostic albatross alchemy algae alienation "
     "allegory almond alphabetically amber ambidextrous ambiguity amnesia anachronism anarchy anchovy anecdote "
     "antelope anthem apricot aquarelle arachnid aroma arrogance artichoke aspirin asphalt astrology asylum athlete "
     "aubergine avocado azure bachelor bagpipes ballad bamboo banter baritone barricade basil bazaar beacon bewilder "
     "bibliography bicentennial bigotry bilateral blasphemy blaze blueprint boredom botany bouquet boycott bravado "
     "brevity brittle broccoli brochure buffalo bureaucrat burgundy bystander calamity calibrate calligraphy "
     "camaraderie canary cantankerous caravan caricature carnival cascade catalyst caterpillar cauliflower cavalier "
     "caviar cedar celery celibacy censor centipede chameleon chandelier chaos charade charisma chastity chauvinism "
     "chimpanzee chisel chivalry chlorophyll chrome chronology circumspect clairvoyant clemency clove coconut "
     "coercion coincidence colander colossal commotion complacent condolence confetti connoisseur consensus "
     "conspiracy convalescence copious cornucopia corrugated coup coyote crescent crevice cricket croissant crucible "
     "cryptography cubicle culprit cumbersome curfew cylinder cynicism dandelion dawdle decoy deity delirium "
     "demeanour demography deodorant deplorable derelict despot dexterity diaphragm dichotomy dilapidated diphtheria "
     "disciple discrepancy disdain dissonance doctrine dormant dubious dungarees dusk dynamo dyslexia ebony "
     "eccentric eclectic ecology effervescent egalitarian elbow elixir eloquence elusive embezzle emerald emigrate "
     "emulate enamel encore enigma entourage envoy ephemeral epilogue epitaph equinox eradicate erudite espresso "
     "eucalyptus euphemism euphoria euthanasia exasperate excerpt exorbitant expatriate extravagant fable facsimile "
     "fallow fanatic fathom feasible felony fiasco fidelity fig figurehead filament finesse firefly fjord flamboyant "
     "flamingo flint fluorescent foliage forage foresight fortitude fragment frankincense fraternity frivolous "
     "frugal fugitive fungus furlong futile galore gargoyle garnish gazelle geyser gherkin ghetto gimmick glacial "
     "glimpse glossary gluten goblet gondola gourmet grapefruit gravel grotesque guerrilla gullible gypsum "
     "haberdashery haemoglobin hallucination hammock haphazard harmonica hazelnut hegemony heirloom hexagon "
     "hieroglyph hindsight hologram homicide horizon hubris humility hyena hyperbole hypnosis hypocrite iconoclast "
     "idyllic igloo ignorance illusion imminent impasse impeccable imperative incubate indigo inertia infamous "
     "infrastructure ingenious insidious insomnia insurgent intestine intrigue inventory iris isosceles itch jargon "
     "jasmine javelin jeopardy jockey juggernaut juniper jurisprudence kaleidoscope karate kerosene kiosk kiwi "
     "knapsack labyrinth lacquer lagoon larva lasso latent lavender lax leopard lethargic levitate lexicon libido "
     "ligament lilac limousine liquorice litany lobby locust longevity loophole lopsided lottery lozenge lucid "
     "luminous lunatic lurk lyric macabre macaroni magnanimous magnesium mahogany malice mammoth mandarin mango "
     "marathon margarine marmalade martyr masquerade matriarch mausoleum mayonnaise meander mediocre melancholy "
     "melon menopause mercenary meridian metamorphosis meticulous mezzanine midwife mildew millennium mimic minaret "
     "mirage mischief misogyny modem molasses monologue monsoon moose morphine mosaic motif muesli mulberry mummy "
     "mundane mural mutiny nausea nectarine negligible nemesis neon nephew newt nickel nicotine nomad nostalgia "
     "notorious nougat novice nuance nutmeg oblivion obscure obsidian octave odyssey olive omen onyx opaque opium "
     "optician oracle orator oregano orthodox oscillator ostrich ozone pamphlet pancreas panorama papaya paprika "
     "papyrus parachute paradigm paralysis paranoia parchment parody parrot parsley pathos patriarchy peacock peanut "
     "pedagogy pedestal pendulum peninsula perennial perfume periscope perjury pessimism petroleum petulant phantom "
     "pheasant phoenix phosphorus picnic pilgrim pineapple pistachio pivot placenta plagiarism plankton platinum "
     "plausible plethora plumber plywood polemic polygamy pomegranate porcelain porcupine posthumous pragmatic "
     "precipice predicament preposterous prerogative primate prism procrastinate prodigy prologue propaganda "
     "prosthetic prowess prudence pseudonym puberty pulpit pyramid quagmire quarantine quartz quibble quinoa quota "
     "rabies radish raisin raspberry rationale ravine rebuke recluse rectangle referendum refugee reggae reindeer "
     "renaissance repertoire reptile resilience retina rhapsody rheumatism rhinoceros rhubarb ribbon ricochet robust "
     "rosemary rubble ruthless saffron saliva sandstone sapphire sarcasm sardine satire saxophone scaffold scapegoat "
     "schizophrenia scorpion sculptor secular segregation seismic senile serendipity serene shampoo sieve silhouette "
     "skeleton skunk sloth smuggler snorkel solidarity solstice sonar soprano souvenir soybean spatula spinach "
     "spontaneous squid stalactite stalemate stampede steroid stigma stoic stork stratosphere stubborn subtle suburb "
     "suffrage sulphur superfluous surrogate sushi sycamore symbiosis syndrome tabernacle tactile talisman "
     "tambourine tangerine tapestry tarantula tariff tattoo tempest testosterone tetanus thermos thesaurus thistle "
     "thyme thyroid tobacco toffee topaz tornado tortoise totem tranquil trapeze treason trellis trivia tsunami "
     "tuberculosis tundra tungsten turbine turmeric turnip turquoise tweezers typhoon tyranny ubiquitous ulterior "
     "umbilical unanimous undulate unicorn unilateral unprecedented upheaval urine usurp utopia vaccine vagabond "
     "vanilla vegan velocity vendetta veneer verbatim vermin vertigo vestige veto vicarious vigilant vinyl virtuoso "
     "viscous vocation vodka volatile voodoo vortex vulgar vulture waffle walnut walrus waltz wasabi watermelon "
     "weasel whimsical whisky wicker willow wisdom wolverine wombat wrath wreath wrench xylophone yacht yoga yoghurt "
     "zeal zealot zenith zephyr zinc zodiac zucchini"},
    {"function",
     "hello goodbye thanks please sorry yes no maybe ouch who whom whose which what where how that this those these "
     "there here now then again already yet still even just only almost enough more most less least much many few "
     "little own other another each every all both either neither none nobody nothing something anything everything "
     "somebody anyone everyone myself yourself himself herself itself ourselves themselves I you he she it we they "
     "me him her us them mine yours theirs the and but or if because although unless while whereas"},
    {"isa",
     "device machine instrument vehicle container garment building disease substance liquid plant animal bird fish "
     "insect mammal reptile person profession place room tool weapon piece_of_furniture unit_of_measurement language "
     "currency game sport dance musical_style theory science movement religion document law ceremony organisation "
     "group process method quality feeling state_of_mind colour shape sound food dish drink fruit vegetable herb "
     "metal mineral gas chemical_element body_part organ event period_of_time number symbol"},
    {"adjpos",
     "helpful friendly honest dangerous beautiful ugly expensive cheap reliable fragile boring exciting awful "
     "wonderful excellent terrible average disappointing perfect impressive mediocre convincing ridiculous "
     "fascinating frightening strange delightful acceptable outstanding overrated underrated brilliant"},
    {"ling",
     "noun verb adjective adverb"},
    {"file",
     "main utils config parser reader writer server client test index model handler loader cache session router "
     "schema worker queue buffer"},
};
/* clang-format on */
const size_t aq_corpus_word_count = AQ_COUNT_OF(aq_corpus_words);
