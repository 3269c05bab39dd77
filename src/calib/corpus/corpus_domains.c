/* corpus_domains.c - the words of the built-in corpus, subject by subject.
 *
 * Six lists a subject, in the order of aq_corpus_part: nouns that are counted, nouns that are not, persons, verbs with
 * an object, verbs without, adjectives. Words stand near related ones, because a text takes half of its words from a
 * short stretch of a list. A space separates, an underscore is a space within. Written for this file. */
#include "calib/corpus/corpus_data.h"
#include "core/compiler.h"

/* clang-format off */
const aq_corpus_domain aq_corpus_domains[] = {
    {"everyday",
     {"table chair cupboard drawer shelf lamp carpet curtain pillow blanket mattress kettle saucepan bucket broom "
      "towel mirror basket bottle jar box bag key lock door window staircase corridor cellar attic balcony garage "
      "doorbell clock calendar envelope parcel letter notebook pencil scissors needle button zip ladder hammer "
      "screwdriver nail rope torch battery plug socket switch tap sink bathtub toilet shower radiator fridge freezer "
      "oven dishwasher vacuum_cleaner sofa armchair bookcase wardrobe hanger iron rug vase photo_frame doormat "
      "letterbox fence gate lawnmower wheelbarrow",
      "dust laundry soap furniture rubbish paint glue string cardboard wallpaper electricity heating housework "
      "comfort privacy tidiness",
      "neighbour landlord tenant plumber electrician cleaner lodger flatmate caretaker guest visitor decorator "
      "handyman babysitter householder",
      "clean wash dry mend fix move lift carry open close lock unlock paint polish sweep wipe fold hang replace "
      "unpack store borrow lend throw_away tidy",
      "creak leak drip rattle sleep rest wait knock return",
      "clean dirty tidy dusty broken spare wooden plastic comfortable narrow shabby cosy furnished empty cluttered "
      "second-hand handy household loose rusty"}},
    {"family",
     {"family household wedding birthday anniversary engagement divorce funeral christening generation relative "
      "ancestor childhood nickname surname photograph album diary promise quarrel secret reunion invitation present "
      "toy doll pram cradle playground bedtime_story memory habit tradition adoption inheritance household_budget",
      "marriage parenthood love affection trust loyalty respect patience upbringing childcare companionship gossip "
      "kindness",
      "mother father sister brother daughter son aunt uncle cousin grandfather grandchild niece nephew husband wife "
      "widow widower twin toddler teenager orphan bride groom godmother stepfather infant sibling spouse parent "
      "child fiance",
      "love hug kiss marry raise adopt miss remember forgive visit comfort feed bathe teach scold invite support "
      "protect trust introduce",
      "argue laugh cry grow_up chat quarrel smile apologise elope",
      "older younger eldest adopted newborn pregnant married single divorced loving strict proud stubborn gentle "
      "naughty spoiled caring distant beloved grown-up"}},
    {"food",
     {"recipe meal breakfast lunch dinner snack sandwich salad soup stew pie cake biscuit pancake omelette sausage "
      "steak apple pear plum peach cherry lemon orange banana strawberry onion carrot potato tomato cucumber "
      "mushroom pepper cabbage leek pumpkin bean lentil noodle dumpling oyster prawn lobster herring egg oven_tray "
      "frying_pan spoon fork knife bowl plate cup menu bakery cafe restaurant kitchen ingredient spice herb dessert "
      "leftover chopping_board",
      "bread flour butter cheese milk cream sugar salt vinegar oil rice pasta dough yeast honey jam chocolate coffee "
      "tea wine beer juice garlic ginger cinnamon parsley basil meat beef pork chicken bacon gravy mustard flavour "
      "cuisine",
      "cook chef waiter waitress baker butcher brewer diner grocer barista winemaker greengrocer food_critic "
      "pastry_chef",
      "bake boil fry roast grill chop slice peel stir mix taste season serve eat drink order knead marinate simmer "
      "steam whisk melt freeze reheat sprinkle",
      "boil rise simmer dine starve ferment thicken",
      "delicious sweet salty sour bitter spicy raw ripe stale fresh crispy tender greasy creamy juicy vegetarian "
      "homemade frozen smoked bland hungry organic savoury overcooked nutritious"}},
    {"medicine",
     {"doctor's_office hospital clinic ward patient_record prescription tablet pill capsule injection vaccine "
      "bandage wound fracture infection virus tumour symptom diagnosis disease fever cough headache allergy rash "
      "ulcer migraine stroke heart_attack operation transplant blood_test scan x-ray syringe stethoscope wheelchair "
      "ambulance pharmacy antibiotic painkiller side_effect placebo clinical_trial dose pandemic outbreak checkup "
      "appointment scar bruise cast pacemaker artery kidney lung liver",
      "asthma diabetes cancer pneumonia influenza malaria surgery anaesthesia chemotherapy hygiene immunity nausea "
      "insomnia inflammation rehabilitation obesity blood_pressure dementia physiotherapy radiology",
      "doctor nurse surgeon patient paramedic pharmacist dentist midwife physician psychiatrist radiologist "
      "paediatrician optician carer epidemiologist therapist anaesthetist medical_student",
      "treat diagnose examine prescribe cure heal inject vaccinate monitor bandage admit discharge transplant screen "
      "infect relieve prevent sterilise administer amputate",
      "recover faint cough sneeze bleed vomit relapse improve deteriorate",
      "sick ill healthy chronic acute contagious infectious malignant benign surgical clinical fatal painful swollen "
      "feverish dizzy sterile medical preventive elderly immune diabetic bacterial viral symptomatic"}},
    {"biology",
     {"cell gene chromosome protein enzyme hormone neuron muscle tissue organ skeleton bone skull spine tendon joint "
      "nerve gland membrane nucleus bacterium organism species genus mutation embryo antibody receptor microbe "
      "parasite fossil ecosystem habitat food_chain stem_cell heartbeat reflex brain stomach intestine retina lens "
      "eardrum nostril fingerprint offspring predator specimen microscope sample",
      "evolution metabolism reproduction digestion respiration heredity biodiversity blood plasma bone_marrow "
      "cartilage oxygen glucose collagen cell_division natural_selection fertilisation",
      "biologist geneticist botanist zoologist ecologist microbiologist neuroscientist anatomist naturalist "
      "lab_technician",
      "inherit secrete absorb digest regulate encode transmit inhibit activate reproduce synthesise sequence breed "
      "dissect classify observe stimulate",
      "evolve mutate divide multiply breathe die grow adapt hibernate",
      "genetic cellular molecular organic microscopic hereditary dominant recessive muscular nervous digestive "
      "aquatic multicellular embryonic evolutionary extinct living anatomical warm-blooded asexual"}},
    {"animals",
     {"dog cat kitten horse cow sheep goat pig donkey rabbit hare fox wolf bear lion tiger leopard elephant giraffe "
      "zebra monkey gorilla kangaroo whale dolphin seal shark salmon trout eel octopus crab snail worm spider beetle "
      "butterfly moth bee wasp ant mosquito lizard snake crocodile frog toad turtle eagle owl hawk sparrow crow swan "
      "duck goose chicken parrot penguin pigeon hedgehog badger otter beaver hamster puppy kennel stable nest den "
      "burrow cage aquarium zoo feather claw paw tail horn beak fur_coat antler hoof wing fin mane",
      "fur wool venom prey wildlife livestock fodder plumage migration camouflage captivity",
      "vet zookeeper shepherd hunter breeder jockey beekeeper dog_walker falconer animal_trainer "
      "wildlife_photographer",
      "feed tame hunt chase catch bite sting groom ride train milk shear stroke breed rescue track release",
      "bark growl howl purr hiss chirp roar gallop crawl swim fly hatch graze migrate hide roam",
      "wild tame furry feathered venomous nocturnal endangered domestic fierce striped spotted hungry cold-blooded "
      "carnivorous herbivorous playful stray agile horned migratory"}},
    {"plants",
     {"tree oak pine birch willow maple beech chestnut bush hedge shrub flower rose tulip daisy lily orchid "
      "sunflower poppy cactus fern vine weed seed root stem leaf branch twig trunk bud petal thorn blossom berry nut "
      "acorn garden greenhouse lawn orchard forest meadow flowerbed spade rake hoe watering_can flowerpot seedling "
      "bulb pollen_grain mushroom_cap herb_garden compost_heap pruning_saw",
      "grass moss ivy bark sap pollen nectar soil compost fertiliser mulch foliage shade pruning germination",
      "gardener florist forester botanist landscaper tree_surgeon allotment_holder nurseryman",
      "plant water prune grow pick trim graft harvest sow pollinate dig fertilise mow cultivate transplant weed",
      "bloom flower wither sprout grow germinate climb rot spread",
      "green leafy evergreen deciduous thorny fragrant wilted blooming perennial annual tropical shady overgrown "
      "hardy wild edible poisonous woody withered ornamental"}},
    {"weather",
     {"storm hurricane tornado blizzard thunderclap cloud rainbow sunrise sunset breeze gale drought flood heatwave "
      "shower puddle raindrop snowflake icicle frost_warning forecast thermometer barometer season winter summer "
      "spring autumn climate front temperature avalanche hailstone weather_station umbrella_stand sandbag mudslide "
      "monsoon downpour cold_snap",
      "rain snow hail fog mist sunshine lightning thunder wind humidity frost drizzle sleet warmth air_pressure dew "
      "slush",
      "meteorologist forecaster climatologist weather_presenter storm_chaser",
      "forecast predict drench freeze flood batter shelter measure soak destroy",
      "rain snow freeze thaw drizzle blow clear_up pour melt subside",
      "sunny cloudy rainy windy stormy foggy misty icy humid mild chilly freezing scorching damp overcast severe "
      "seasonal arctic tropical dry changeable breezy"}},
    {"geography",
     {"mountain hill valley plain plateau canyon cliff cave volcano glacier river stream waterfall lake pond swamp "
      "marsh desert oasis island peninsula coast beach bay gulf strait ocean continent border province region "
      "district village town city capital suburb map compass atlas equator hemisphere latitude longitude delta "
      "estuary reef dune ridge peak slope earthquake crater rainforest tundra savannah archipelago landmark signpost "
      "footpath",
      "terrain wilderness scenery sand gravel clay mud erosion coastline cartography altitude vegetation",
      "explorer geographer climber hiker cartographer surveyor islander villager settler nomad mountain_guide "
      "geologist",
      "explore map cross climb survey reach descend border surround settle chart erode",
      "flow erupt stretch rise erode flood wander hike descend",
      "steep rocky sandy coastal mountainous remote rural urban inland northern southern eastern western volcanic "
      "fertile barren shallow deep muddy navigable uninhabited densely_populated alpine"}},
    {"space",
     {"planet star moon comet asteroid meteor galaxy nebula orbit telescope satellite rocket spacecraft "
      "astronaut_suit launch_pad space_station probe black_hole supernova eclipse constellation observatory crater "
      "solar_panel rover mission countdown antenna lander exoplanet dwarf_planet light_year sunspot capsule booster "
      "meteorite pulsar quasar solar_system",
      "gravity_assist dark_matter radiation starlight vacuum dust interstellar_gas cosmology weightlessness "
      "antimatter",
      "astronaut astronomer cosmologist astrophysicist cosmonaut flight_controller stargazer rocket_engineer",
      "orbit launch observe explore discover detect photograph land dock illuminate",
      "orbit shine explode collapse glow drift rotate dock expand",
      "lunar solar stellar cosmic interstellar planetary orbital distant bright infrared celestial massive "
      "weightless galactic faint manned unmanned spherical"}},
    {"physics",
     {"atom electron proton neutron photon particle wave magnet laser lens prism pendulum lever pulley spring "
      "circuit resistor capacitor coil voltage current force vector field charge spectrum frequency wavelength "
      "amplitude experiment measurement equation constant law theory accelerator collider detector semiconductor "
      "superconductor lever_arm quark lattice oscillator gyroscope transformer thermocouple",
      "energy momentum velocity acceleration mass friction pressure density heat light sound magnetism radioactivity "
      "entropy relativity inertia refraction diffraction thermodynamics buoyancy viscosity torque",
      "physicist experimenter theorist laboratory_assistant engineer nuclear_scientist",
      "measure accelerate emit absorb reflect refract scatter heat cool compress charge polarise conserve amplify "
      "attract repel",
      "vibrate oscillate decay collide radiate accelerate conduct fall resonate",
      "magnetic electric nuclear optical thermal kinetic quantum radioactive elastic rigid transparent opaque "
      "conductive static dynamic linear subatomic gravitational metallic luminous"}},
    {"chemistry",
     {"molecule compound element acid alkali base salt ion solvent solution mixture catalyst reaction bond polymer "
      "crystal isotope beaker test_tube flask burner pipette filter periodic_table formula gas liquid solid metal "
      "alloy pigment detergent explosive pesticide residue precipitate reagent toxin battery_cell electrode",
      "hydrogen nitrogen carbon sulphur chlorine iron copper zinc lead mercury gold silver aluminium ammonia ethanol "
      "methane oxidation combustion distillation corrosion acidity limestone rust petrol plastic rubber",
      "chemist pharmacologist lab_assistant toxicologist apprentice perfumer",
      "dissolve mix heat distil filter oxidise neutralise dilute synthesise analyse purify evaporate extract titrate",
      "react dissolve evaporate corrode burn crystallise condense ferment bubble",
      "chemical acidic alkaline soluble insoluble volatile flammable toxic inert concentrated dilute corrosive "
      "crystalline synthetic organic inorganic colourless odourless explosive saturated"}},
    {"mathematics",
     {"number fraction decimal percentage integer prime sum product quotient remainder equation inequality theorem "
      "proof lemma axiom conjecture function variable constant polynomial matrix vector set subset graph vertex edge "
      "angle triangle square circle rectangle cube sphere cylinder cone polygon diameter radius circumference area "
      "volume curve tangent slope axis average median variance probability distribution permutation sequence series "
      "limit derivative integral logarithm exponent digit ratio diagram",
      "algebra geometry arithmetic calculus topology statistics symmetry infinity multiplication division addition "
      "subtraction combinatorics number_theory induction",
      "mathematician statistician logician geometer tutor actuary",
      "add subtract multiply divide calculate solve prove count estimate approximate integrate differentiate "
      "simplify define factorise plot",
      "converge diverge intersect vanish overlap",
      "equal finite infinite rational irrational positive negative even odd parallel perpendicular convex continuous "
      "discrete random linear quadratic exponential symmetric unique trivial abstract orthogonal proportional"}},
    {"computing",
     {"computer program variable function class method object array string pointer loop thread process kernel "
      "compiler interpreter debugger editor file folder directory database table query index server client browser "
      "packet router socket port protocol password user_account script library package module interface API "
      "framework bug patch commit branch repository pull_request test_case log_file stack heap cache queue "
      "hash_table binary_tree graph algorithm data_structure regular_expression parser tensor neural_network dataset "
      "container cluster backup firewall certificate token timestamp exception byte bit register instruction "
      "processor keyboard screen laptop hard_disk graphics_card spreadsheet website hyperlink app smartphone "
      "notification plugin configuration_file command_line",
      "software hardware source_code memory bandwidth latency encryption authentication compression recursion "
      "concurrency open-source_software metadata middleware machine_learning cloud_storage malware spam "
      "garbage_collection documentation",
      "programmer developer administrator user hacker software_engineer maintainer contributor data_scientist tester "
      "webmaster architect reviewer",
      "compile debug deploy install download upload delete copy encrypt parse sort merge refactor configure update "
      "crash execute call overwrite allocate initialise query render scan test optimise implement log",
      "crash hang fail run restart terminate scale compile overflow",
      "digital binary asynchronous concurrent recursive deprecated compatible scalable virtual remote local portable "
      "default invalid obsolete encrypted open-source read-only nested multithreaded idle verbose static mutable "
      "stateless redundant"}},
    {"law",
     {"law statute contract clause lawsuit trial verdict sentence judge's_ruling courtroom hearing appeal "
      "witness_statement testimony affidavit warrant licence permit patent trademark copyright will trust deed lease "
      "mortgage_deed settlement injunction subpoena precedent offence penalty fine prison_term bail_hearing jury "
      "tribunal supreme_court constitution amendment regulation treaty obligation liability breach plea indictment "
      "objection arbitration code_of_conduct",
      "justice_system evidence bail custody property negligence fraud libel perjury jurisdiction compensation "
      "legislation confidentiality due_process custody_law intellectual_property",
      "lawyer judge solicitor barrister attorney prosecutor defendant plaintiff witness juror notary bailiff "
      "magistrate claimant legal_adviser clerk",
      "sue prosecute acquit convict sentence appeal overrule testify sign breach enforce repeal prohibit authorise "
      "amend draft waive uphold ratify settle",
      "testify plead appeal object deliberate expire",
      "legal illegal guilty innocent liable binding void criminal civil judicial lawful statutory contractual "
      "unconstitutional valid alleged exempt mandatory confidential punitive"}},
    {"crime",
     {"crime theft robbery burglary murder assault kidnapping ransom gang weapon gun bullet alibi clue suspect_list "
      "crime_scene footprint fingerprint handcuff police_station patrol_car prison cell jail_sentence investigation "
      "interrogation arrest informant raid getaway_car safe counterfeit_note smuggling_ring hostage motive "
      "confession case detective_story missing_person stakeout surveillance_camera",
      "violence arson blackmail bribery corruption forgery vandalism forensics drug_trafficking shoplifting "
      "cybercrime surveillance parole",
      "thief burglar robber murderer detective inspector police_officer constable criminal victim bystander smuggler "
      "hostage_taker spy forger accomplice guard convict gangster hostage_negotiator",
      "arrest rob steal murder kidnap investigate interrogate handcuff smuggle forge suspect chase charge identify "
      "threaten blackmail search ambush",
      "escape confess flee vanish surrender lie",
      "armed violent dangerous stolen suspicious forged missing unsolved wanted ruthless corrupt undercover "
      "cold-blooded illegal anonymous masked"}},
    {"politics",
     {"government parliament senate congress cabinet ministry election ballot vote referendum campaign debate bill "
      "law_reform budget policy party coalition opposition majority minority poll speech manifesto embassy summit "
      "treaty sanction veto mandate constituency district council mayor's_office lobby petition protest "
      "demonstration strike scandal press_conference republic monarchy dictatorship empire federation state nation "
      "alliance tariff subsidy pension_reform immigration_bill ceasefire",
      "democracy freedom diplomacy bureaucracy citizenship nationalism liberalism socialism censorship propaganda "
      "corruption austerity foreign_policy unemployment public_opinion human_rights welfare taxation",
      "president prime_minister minister senator governor mayor ambassador diplomat voter candidate politician "
      "activist protester delegate spokesman spokeswoman chancellor civil_servant lobbyist dictator "
      "opposition_leader councillor monarch",
      "elect appoint govern veto ratify denounce oppose support nominate campaign_for negotiate abolish reform "
      "criticise impose pass propose reject defend endorse",
      "resign govern campaign protest abstain vote negotiate step_down",
      "political democratic conservative liberal radical federal municipal presidential parliamentary controversial "
      "bipartisan diplomatic authoritarian corrupt sovereign popular electoral foreign domestic left-wing right-wing "
      "independent"}},
    {"war",
     {"war battle army navy regiment battalion tank submarine warship aircraft_carrier fighter_jet helicopter "
      "missile bomb grenade rifle cannon sword shield helmet uniform trench bunker fortress barracks siege ambush "
      "invasion retreat front_line minefield convoy medal truce armistice surrender weapon checkpoint drone "
      "radar_station refugee_camp peace_treaty casualty memorial campaign occupation",
      "ammunition artillery cavalry infantry conscription camouflage reconnaissance morale military_service "
      "espionage weaponry",
      "soldier general colonel captain sergeant sailor pilot officer commander recruit veteran sniper rebel refugee "
      "prisoner_of_war medic civilian peacekeeper mercenary deserter",
      "attack defend invade bomb capture conquer besiege command recruit deploy evacuate liberate destroy shell "
      "disarm occupy",
      "retreat surrender march fight advance fall desert",
      "military armed wounded heroic hostile strategic tactical civilian naval armoured defensive enemy allied "
      "ceasefire-bound brave disciplined fallen bloody"}},
    {"history",
     {"century dynasty empire kingdom throne crown castle palace tomb pyramid temple ruin monument statue "
      "inscription manuscript scroll chronicle archive artefact excavation coin pottery_shard burial revolution "
      "uprising rebellion colony slave_trade crusade plague famine voyage expedition discovery invention trade_route "
      "guild feudal_lord aqueduct amphitheatre viking_ship coat_of_arms treaty decree legacy turning_point "
      "industrial_revolution",
      "antiquity slavery feudalism colonialism civilisation archaeology bronze ivory parchment heritage nobility "
      "independence serfdom",
      "king queen emperor empress pharaoh knight peasant slave merchant historian archaeologist explorer conqueror "
      "monk scribe prince princess duke nobleman blacksmith pilgrim gladiator chieftain colonist inventor archivist",
      "conquer rule found colonise excavate unearth overthrow crown exile inherit invent build record abolish unite "
      "plunder",
      "reign rebel flourish decline perish migrate",
      "ancient medieval prehistoric colonial imperial royal noble Roman Greek Egyptian Victorian feudal Byzantine "
      "Ottoman Viking archaeological historic legendary bygone industrial pre-war"}},
    {"religion",
     {"church cathedral chapel mosque synagogue temple monastery abbey shrine altar pulpit bell_tower prayer hymn "
      "sermon scripture psalm prophecy miracle angel demon god goddess saint soul spirit ritual ceremony baptism "
      "sacrifice pilgrimage blessing confession commandment heresy doctrine creed sect cult parable afterlife virtue "
      "sin vow rosary",
      "religion faith worship theology salvation holiness incense meditation grace karma heaven hell paradise "
      "mysticism atheism fasting",
      "priest bishop pope monk nun rabbi imam pastor prophet disciple believer theologian missionary pilgrim atheist "
      "hermit worshipper choirboy",
      "worship bless preach baptise forgive pray_for confess curse convert praise consecrate excommunicate redeem",
      "pray kneel preach repent fast believe meditate",
      "holy sacred religious divine spiritual devout pious heretical sinful pagan Christian Muslim Jewish Buddhist "
      "Hindu Catholic Protestant orthodox secular monastic eternal blessed"}},
    {"philosophy",
     {"idea concept argument premise conclusion paradox dilemma theory principle belief doubt question answer "
      "thought_experiment contradiction definition analogy fallacy virtue duty value judgement norm worldview "
      "assumption hypothesis category essence proposition intuition perspective ideal distinction counterexample",
      "truth knowledge reason logic ethics morality metaphysics consciousness existence reality free_will wisdom "
      "beauty justice happiness scepticism rationality meaning identity causality",
      "philosopher thinker sceptic scholar moralist idealist sophist logician",
      "argue doubt question refute define justify infer deduce assume reject contemplate criticise distinguish "
      "clarify presuppose",
      "reason exist doubt follow reflect think disagree",
      "moral ethical logical rational absurd abstract metaphysical empirical subjective objective contradictory "
      "plausible universal absolute relative conscious coherent profound fallacious axiomatic"}},
    {"finance",
     {"bank account loan mortgage interest_rate bond share stock dividend portfolio fund investment budget deficit "
      "surplus tax invoice_date receipt bill cheque credit_card deposit withdrawal currency exchange_rate "
      "stock_market crash recession recovery merger takeover bankruptcy_filing pension insurance_policy premium "
      "savings_account asset debt balance_sheet quarter forecast price wage salary bonus subsidy tariff coin "
      "banknote wallet cash_machine hedge_fund commodity future rating audit auction levy",
      "inflation money cash credit revenue income profit turnover wealth poverty liquidity economic_growth trade "
      "debt_relief fraud gross_domestic_product speculation bookkeeping consumer_spending",
      "banker accountant investor trader broker economist auditor shareholder creditor debtor treasurer cashier "
      "analyst taxpayer financial_adviser borrower lender",
      "invest borrow lend pay deposit withdraw earn spend save tax audit insure refund trade devalue finance owe "
      "reimburse inherit transfer",
      "rise fall recover grow collapse default shrink decline",
      "financial economic fiscal monetary bankrupt wealthy poor profitable expensive cheap overdue tax-free annual "
      "quarterly net gross fixed variable solvent taxable lucrative risky stable"}},
    {"business",
     {"company firm factory office warehouse meeting agenda deadline project contract customer_order delivery "
      "product brand advertisement logo market_share competitor supplier retailer wholesaler start-up headquarters "
      "branch department team shift promotion interview application résumé job vacancy presentation report "
      "brochure catalogue warranty complaint guarantee discount sale shop supermarket franchise trade_fair "
      "negotiation partnership board strategy target performance_review assembly_line",
      "marketing management production logistics advertising overtime leadership staff productivity e-commerce "
      "packaging customer_service quality_control outsourcing teamwork procurement",
      "manager director employee employer secretary receptionist salesman consultant entrepreneur customer client "
      "supplier worker trainee apprentice colleague boss executive chairwoman shop_assistant union_leader freelancer "
      "intern",
      "hire fire manage employ sell buy promote advertise launch manufacture negotiate deliver order supply postpone "
      "cancel organise supervise delegate merge export import",
      "expand resign retire compete succeed fail merge work",
      "commercial corporate industrial professional competitive efficient busy part-time full-time temporary "
      "permanent skilled unemployed overworked reliable innovative customer-friendly managerial bulk seasonal"}},
    {"education",
     {"school university college classroom lecture lesson exam test essay thesis dissertation homework_assignment "
      "textbook dictionary encyclopaedia exercise_book blackboard desk timetable term semester degree diploma "
      "certificate scholarship grade subject course seminar workshop library laboratory campus dormitory "
      "kindergarten playground syllabus quiz mistake spelling_test report_card graduation school_trip lecture_hall "
      "mark curriculum footnote citation bibliography",
      "education knowledge literacy learning homework discipline tuition research attendance plagiarism handwriting "
      "vocabulary revision teaching",
      "teacher pupil student professor lecturer headmaster headmistress classmate tutor librarian graduate "
      "undergraduate examiner dean researcher scholar schoolgirl schoolboy janitor supervisor",
      "teach learn study read write revise explain correct mark memorise pass fail attend enrol_in recite translate "
      "summarise cite supervise research",
      "study graduate concentrate cheat enrol learn",
      "academic educational intelligent clever lazy diligent curious literate primary secondary compulsory optional "
      "gifted studious bilingual undergraduate absent attentive scholarly elementary"}},
    {"sport",
     {"match game race tournament championship league final goal penalty corner foul referee's_whistle team squad "
      "coach's_plan stadium pitch court track pool gym medal trophy record score half-time ball bat racket net "
      "helmet glove skate ski sledge bicycle marathon sprint relay javelin hurdle high_jump boxing_ring knockout "
      "serve set tie-break injury transfer season fan_club world_cup lap finish_line playoff draw victory defeat",
      "football tennis cricket rugby basketball hockey swimming athletics cycling gymnastics wrestling rowing "
      "fencing golf training fitness stamina doping teamwork badminton chess",
      "player coach referee goalkeeper striker defender champion runner swimmer boxer cyclist athlete skier gymnast "
      "captain fan spectator opponent rival umpire goalscorer",
      "win lose kick throw catch hit score beat tackle train defend save dribble overtake defeat coach dominate miss "
      "sign",
      "win lose train sprint score compete jump swim dive cheer",
      "athletic fast fit unbeaten injured exhausted amateur professional Olympic offside winning losing agile "
      "competitive decisive narrow record-breaking two-time home away"}},
    {"music",
     {"song melody tune chord note scale rhythm beat symphony concerto sonata opera ballet aria hymn lullaby "
      "orchestra band choir concert festival album record single playlist guitar violin cello piano flute clarinet "
      "trumpet drum harp saxophone organ accordion microphone amplifier headphone loudspeaker score verse chorus "
      "lyric composer's_manuscript rehearsal encore tour stage recording studio conservatory",
      "music jazz rock folk opera_singing blues percussion harmony applause silence tempo pitch hip_hop "
      "chamber_music counterpoint",
      "musician singer composer conductor pianist violinist guitarist drummer soloist songwriter cellist organist "
      "listener busker choirmaster",
      "play sing compose conduct record perform tune rehearse hum whistle arrange improvise stream listen_to",
      "sing rehearse improvise perform applaud dance hum echo",
      "musical loud quiet melodic classical acoustic harmonious rhythmic symphonic vocal instrumental live catchy "
      "out-of-tune deaf orchestral baroque romantic jazzy mournful"}},
    {"art",
     {"painting portrait landscape sketch drawing sculpture statue fresco mosaic canvas brush easel palette frame "
      "gallery museum exhibition masterpiece watercolour engraving poster photograph camera lens studio workshop "
      "vase tapestry poem novel short_story chapter paragraph plot character narrator sonnet metaphor rhyme stanza "
      "fairy_tale legend biography memoir diary bookshop publisher's_letter page cover title library manuscript "
      "genre comic playwright's_draft essay anthology proverb",
      "art poetry literature prose fiction pottery calligraphy perspective colour texture imagination inspiration "
      "creativity irony satire abstract_art",
      "artist painter sculptor photographer poet novelist author writer critic curator collector potter illustrator "
      "publisher translator editor reader storyteller art_dealer",
      "paint draw sketch carve sculpt photograph exhibit collect write publish edit translate illustrate frame "
      "restore rhyme read admire",
      "inspire rhyme fade write paint",
      "artistic abstract surreal realistic impressionist modern contemporary poetic literary fictional lyrical "
      "tragic comic vivid colourful monochrome elegant ornate unfinished autobiographical bestselling"}},
    {"film",
     {"film movie scene script sequel trilogy trailer plot twist ending dialogue soundtrack screen cinema theatre "
      "play act stage curtain costume mask audience ticket premiere award role cast camera_angle special_effect "
      "documentary comedy tragedy thriller western musical cartoon series episode season channel remote_control "
      "studio box_office blockbuster monologue flashback close-up review stunt puppet_show",
      "acting direction suspense humour animation editing lighting science_fiction horror slapstick cinematography "
      "popcorn fame sentimentality",
      "actor actress director producer screenwriter comedian stuntman cameraman star extra villain hero heroine "
      "film-maker moviegoer viewer understudy dancer clown magician",
      "film direct watch perform rehearse cast dub edit applaud boo stage screen enjoy adapt spoil",
      "act star bore entertain dance flop",
      "funny boring predictable gripping hilarious sentimental overlong moving touching dull charming clumsy "
      "animated award-winning cheesy scary stylish heartfelt pretentious witty forgettable breathtaking shallow"}},
    {"travel",
     {"journey trip flight holiday cruise tour excursion ticket passport visa suitcase backpack airport terminal "
      "gate runway boarding_pass hotel hostel campsite tent room reservation reception souvenir postcard guidebook "
      "map train carriage platform station railway timetable bus tram taxi ferry harbour_wall port bridge tunnel "
      "motorway road crossroads roundabout traffic_light pavement traffic_jam detour bicycle_lane border_crossing "
      "customs_officer's_desk embassy itinerary layover sightseeing_tour destination delay sleeping_bag",
      "luggage traffic tourism sightseeing accommodation transport public_transport jet_lag hospitality "
      "travel_insurance backpacking",
      "traveller tourist passenger driver pilot flight_attendant conductor guide commuter pedestrian cyclist "
      "backpacker hitchhiker taxi_driver porter hotelier holidaymaker ticket_inspector",
      "book cancel catch miss board visit pack unpack drive park explore cross leave reach delay reserve photograph",
      "travel depart arrive land queue wander hitchhike commute camp",
      "foreign exotic scenic crowded delayed direct overnight return one-way luxurious budget touristy all-inclusive "
      "lost jet-lagged unforgettable adventurous international local packed"}},
    {"engineering",
     {"engine motor car truck lorry van motorcycle wheel tyre brake clutch gearbox exhaust headlight windscreen "
      "steering_wheel seat_belt pump valve pipe turbine generator crane lift conveyor_belt robot machine tool screw "
      "bolt nut gear spring bearing drill lathe saw welding_torch blueprint prototype sensor wire cable fuse "
      "transformer battery charger bridge dam tunnel pipeline scaffold tractor bulldozer drone hinge piston "
      "crankshaft hydraulic_press assembly",
      "steel machinery maintenance insulation horsepower fuel diesel lubricant welding automation manufacturing "
      "wiring concrete robotics scrap_metal",
      "engineer mechanic technician welder machinist inventor draughtsman operator inspector foreman electrician",
      "build repair design assemble install drive lubricate weld inspect replace test tighten dismantle maintain "
      "fuel measure automate",
      "stall overheat break_down rust vibrate rotate idle",
      "mechanical electrical hydraulic automatic manual faulty rusty heavy-duty fuel-efficient precise waterproof "
      "worn broken industrial electronic portable sturdy adjustable four-wheel"}},
    {"building",
     {"house flat apartment skyscraper tower cottage bungalow mansion hut barn warehouse roof wall floor ceiling "
      "foundation beam column arch dome facade brick tile plank window_frame chimney staircase lift courtyard "
      "terrace porch hall basement site scaffolding plan model square park fountain street avenue alley bridge "
      "estate lease building_permit renovation extension estate_agent's_sign skyline neighbourhood district gate "
      "stairwell",
      "architecture cement concrete plaster glass marble timber stone insulation plumbing planning_permission rent "
      "masonry real_estate housing",
      "architect builder bricklayer carpenter roofer plasterer estate_agent landlord mason town_planner glazier "
      "developer resident",
      "build demolish renovate design rent extend restore construct decorate insulate plaster lay inhabit convert",
      "collapse stand crumble overlook lean",
      "high-rise detached spacious derelict modern Gothic brick concrete wooden thatched draughty gloomy residential "
      "load-bearing tall two-storey grand sustainable historic ramshackle"}},
    {"clothing",
     {"dress skirt shirt blouse jacket coat jumper sweater cardigan vest suit tie scarf hat cap glove sock shoe boot "
      "sandal slipper belt pocket sleeve collar button zip hem seam thread needle sewing_machine fabric pattern "
      "wardrobe label designer_bag handbag purse necklace bracelet earring ring brooch watch haircut wig lipstick "
      "perfume razor comb hairbrush uniform apron raincoat pair_of_jeans catwalk fashion_show costume swimsuit",
      "cotton wool silk linen leather denim lace velvet jewellery make-up fashion embroidery knitting underwear "
      "footwear tailoring nylon",
      "tailor designer model hairdresser dressmaker shoemaker jeweller barber stylist seamstress shopkeeper",
      "wear sew knit iron wash dye button mend try_on fit tailor buy lace embroider",
      "fit shrink fade dress_up tear knit",
      "elegant fashionable shabby woollen silk striped checked sleeveless tight loose baggy waterproof torn formal "
      "casual stylish vintage handmade fitted fur-lined embroidered"}},
    {"emotions",
     {"feeling mood emotion smile tear laugh sigh frown fear worry hope dream nightmare memory wish desire "
      "regret_letter habit temper attitude personality trait impulse phobia trauma obsession compliment insult "
      "apology secret crush breakdown panic_attack therapy_session stress_test thought instinct grudge temptation "
      "relief",
      "joy happiness sadness sorrow grief anger rage envy pride shame guilt loneliness boredom anxiety excitement "
      "curiosity courage confidence empathy despair disgust surprise gratitude jealousy contentment stress "
      "depression nostalgia self-esteem motivation willpower",
      "psychologist therapist counsellor psychoanalyst optimist pessimist introvert extrovert lover stranger friend "
      "confidant",
      "feel hide express fear hate love envy comfort hurt console disappoint encourage surprise frighten annoy upset "
      "reassure insult embarrass",
      "cry laugh smile blush sigh panic worry tremble shiver sulk",
      "happy sad angry afraid anxious lonely bored excited nervous calm jealous proud ashamed cheerful miserable "
      "furious grateful confused shy confident moody sensitive depressed relieved embarrassed homesick ecstatic "
      "apathetic"}},
    {"language",
     {"word sentence phrase clause noun verb adjective adverb pronoun preposition conjunction article prefix suffix "
      "syllable vowel consonant letter alphabet accent dialect idiom proverb synonym antonym homonym pun riddle "
      "tongue_twister translation dictionary_entry grammar_book comma full_stop question_mark apostrophe hyphen "
      "bracket paragraph conversation speech tense plural loanword root script rune pronunciation_guide subtitle",
      "language grammar spelling punctuation pronunciation slang vocabulary syntax semantics phonetics intonation "
      "jargon sign_language etymology small_talk",
      "linguist translator interpreter native_speaker grammarian lexicographer learner orator bilingual_child",
      "speak translate pronounce spell say mean conjugate whisper shout interpret quote paraphrase write read "
      "misspell",
      "speak stammer mumble whisper talk listen",
      "verbal written spoken fluent bilingual literal figurative formal informal archaic colloquial ambiguous "
      "foreign native irregular grammatical phonetic monosyllabic eloquent concise"}},
    {"environment",
     {"power_station wind_turbine solar_panel nuclear_reactor oil_rig coal_mine landfill recycling_bin "
      "nature_reserve national_park rainforest coral_reef glacier carbon_footprint emission greenhouse_gas oil_spill "
      "ice_cap sea_level habitat endangered_species water_supply sewage_plant fossil_fuel electric_car heat_pump "
      "grid hydroelectric_dam pipeline conservation_project climate_summit eco-label plastic_bag",
      "pollution energy coal oil natural_gas recycling conservation deforestation global_warming sustainability "
      "waste renewable_energy overfishing smog biomass uranium",
      "environmentalist conservationist ranger campaigner climate_scientist miner energy_adviser volunteer",
      "pollute recycle protect conserve waste burn emit reduce generate contaminate restore reuse preserve ban",
      "disappear recover warm melt rot shrink",
      "renewable sustainable polluted endangered environmental ecological carbon-neutral toxic natural green harmful "
      "biodegradable solar fossil global untouched disposable radioactive"}},
    {"farming",
     {"farm field barn tractor plough harvest crop orchard vineyard pasture herd flock silo scarecrow hen_house "
      "stable fence haystack irrigation_canal greenhouse market_stall seed_bank combine_harvester beehive pitchfork "
      "furrow milking_machine pigsty cattle_market wheat_field windmill water_mill",
      "wheat barley maize rye oats hay straw manure livestock cattle poultry irrigation agriculture fertiliser "
      "topsoil crop_rotation soya",
      "farmer farmhand shepherd milkmaid winegrower cattle_dealer agronomist fruit_picker miller smallholder",
      "plough sow harvest milk graze irrigate fertilise breed rear thresh feed gather store spray",
      "graze ripen harvest rot multiply",
      "agricultural fertile arable ripe organic free-range barren harvested pesticide-free rural muddy intensive "
      "seasonal drought-resistant"}},
    {"sea",
     {"ship boat yacht ferry canoe kayak raft sailing_boat trawler tanker submarine lighthouse buoy anchor mast sail "
      "rudder deck cabin hull oar paddle life_jacket lifeboat compass chart tide wave current harbour_master port "
      "dock pier jetty shore beach reef shipwreck treasure_chest cargo fishing_net voyage whirlpool iceberg seashell "
      "starfish jellyfish seagull coral island",
      "seawater salt_water seaweed plankton navigation fishing surf sailing cargo_space driftwood foam seasickness",
      "sailor captain fisherman diver navigator pirate lifeguard coastguard shipbuilder mermaid stowaway skipper",
      "sail row steer anchor navigate board load unload sink rescue launch moor salvage",
      "sink float drift sail capsize drown dive set_sail",
      "maritime naval seaworthy stormy calm offshore sunken salty nautical tidal seasick ocean-going moored wrecked "
      "choppy"}},
    {"media",
     {"newspaper magazine headline article column interview editorial broadcast radio_station television_channel "
      "news_bulletin podcast blog post tweet comment website press_release reporter's_notebook caption cartoon "
      "crossword front_page deadline source rumour survey opinion_poll advertisement subscription obituary leak "
      "correction live_stream hashtag viral_video fact_check letter_to_the_editor weather_report exclusive",
      "journalism news publicity censorship gossip misinformation press_freedom coverage social_media clickbait "
      "broadcasting",
      "journalist reporter editor columnist presenter blogger photographer correspondent newsreader publisher "
      "influencer whistleblower cartoonist press_officer",
      "report publish broadcast interview quote print leak deny confirm cover share censor post retract",
      "report comment blog broadcast",
      "breaking anonymous viral independent biased sensational daily weekly exclusive reliable controversial "
      "misleading front-page local tabloid unconfirmed live"}},
    {"materials",
     {"hand finger thumb wrist elbow shoulder arm leg knee ankle foot toe head face forehead cheek chin jaw lip "
      "tooth tongue neck throat chest hip waist back ear eye eyebrow eyelash nose hair beard moustache wrinkle "
      "freckle fist palm heel calf thigh rib lap gesture posture grip step stride wink nod shrug yawn hiccup footstep",
      "skin sweat breath spit strength balance eyesight hearing touch fatigue thirst hunger sleep body_language",
      "masseur dancer acrobat pedestrian passer-by bodybuilder beginner left-hander",
      "touch grab push pull squeeze scratch rub point_at hold drop shake stretch bend lift",
      "stand sit kneel lie stretch yawn nod stumble limp breathe blink jump",
      "tall short slim muscular bald bearded barefoot left-handed pale tanned wrinkled strong weak tired sleepy "
      "thirsty sweaty clumsy graceful"}},
    {"shopping",
     {"market stall till receipt trolley shopping_list bargain voucher price_tag shelf counter queue checkout refund "
      "exchange gift_card department_store fishmonger's pharmacy_counter hardware_store florist's_shop toy_shop "
      "bookshop newsagent jeweller's butcher's_counter corner_shop mall escalator car_park loyalty_card coupon "
      "sample parcel_locker pack dozen kilo litre bunch packet tin tube carton",
      "shopping stock change wrapping_paper merchandise window-shopping tax cash_on_delivery",
      "shopper shopkeeper customer cashier shop_assistant delivery_driver security_guard bargain_hunter greengrocer "
      "fishmonger",
      "buy sell return exchange wrap weigh order compare reserve recommend unwrap deliver choose",
      "queue haggle browse pay",
      "cheap expensive discounted sold-out half-price reasonable overpriced free second-hand brand-new out-of-stock "
      "affordable faulty genuine fake exclusive"}},
    {"games",
     {"game toy puzzle jigsaw board_game card deck dice chessboard pawn knight bishop rook queen_sacrifice checkmate "
      "riddle quiz crossword video_game console joystick level high_score avatar quest dungeon dragon wizard's_staff "
      "spell potion magic_wand treasure_map sword_fight kite marble yo-yo swing slide seesaw sandcastle balloon "
      "party costume prize raffle lottery_ticket bet casino roulette_wheel slot_machine poker_hand joker hobby "
      "stamp_collection model_railway",
      "fun luck magic gambling hide-and-seek poker bridge origami role-playing cheating entertainment",
      "player gamer wizard witch dealer opponent winner loser collector gambler puppeteer elf dwarf giant fairy "
      "ghost vampire zombie",
      "play win lose roll shuffle deal solve bet guess collect assemble hide seek cast bluff",
      "cheat win lose gamble hide bluff",
      "playful lucky unlucky magical tricky addictive multiplayer two-player educational enchanted haunted "
      "mysterious cursed fictional festive"}},
    {"time",
     {"second minute hour day week fortnight month year decade century millennium moment instant while period era "
      "age epoch phase interval deadline schedule calendar diary date appointment delay pause break beginning middle "
      "end turning_point morning afternoon evening night midnight noon dawn dusk weekend holiday anniversary "
      "birthday clock watch alarm_clock stopwatch hourglass sundial rhythm cycle generation lifetime future past "
      "present",
      "time punctuality patience history speed duration daylight overtime eternity",
      "latecomer early_riser night_owl watchmaker timekeeper contemporary successor predecessor",
      "spend waste save postpone schedule repeat interrupt begin finish delay extend shorten remember forget",
      "pass elapse last end begin tick recur",
      "early late recent former current future past annual monthly daily eternal temporary brief sudden gradual "
      "punctual overdue simultaneous permanent endless previous"}},
    {"abstract",
     {"thing way world life state society system value name case fact place use kind problem solution reason result "
      "cause effect purpose aim goal plan idea suggestion decision choice option chance opportunity risk danger "
      "advantage disadvantage difference similarity change increase decrease improvement example exception rule "
      "condition requirement standard level degree amount quantity part whole piece half quarter majority rest side "
      "edge corner centre top bottom surface layer line row column point dot spot mark sign symbol shape form size "
      "length width height weight depth distance gap hole crack limit boundary structure system pattern method "
      "technique process stage step detail feature property quality aspect factor relation connection link category "
      "type kind class list group collection pair team crowd member leader role task duty job mistake accident "
      "success failure",
      "work power time money labour information advice progress experience importance influence power control order "
      "chaos quality variety complexity simplicity stability flexibility attention effort help",
      "person man woman boy girl adult beginner expert member leader volunteer participant stranger owner witness "
      "friend enemy partner assistant somebody_else",
      "get use take give see know call set put mean find lose use need want make keep change help show choose try "
      "improve increase reduce compare accept refuse avoid solve create describe explain notice ignore consider "
      "affect require include contain suggest follow lead support control examine produce replace separate combine",
      "happen appear disappear change work help fail succeed continue stop wait matter vary begin",
      "new social own free so-called well-known long-term self-made non-existent up-to-date old-fashioned "
      "high-quality full-scale first-class non-profit state-owned co-operative middle-aged one-sided good bad big "
      "small large great important different similar possible impossible necessary useful useless easy difficult "
      "simple complex strange normal usual rare common special general particular certain clear obvious real false "
      "main minor major high low strong weak quick slow new old young modern hot cold warm hard soft heavy light "
      "full empty safe dangerous free busy ready final whole"}},
};
/* clang-format on */
const size_t aq_corpus_domain_count = AQ_COUNT_OF(aq_corpus_domains);
