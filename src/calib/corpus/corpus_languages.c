/* corpus_languages.c - sentences of the built-in corpus in languages other than English, as rules.
 *
 * Subjects, verbs and the rest are made to go with each other in any combination. Written for this file. */
#include "calib/corpus/corpus_data.h"
#include "core/compiler.h"

/* clang-format off */
const aq_corpus_list aq_corpus_languages[] = {
    {"de",
     "^@deS @deV @deE.|^@deS @deV @deE.|^@deT @deV2 @deS2 @deE.|^warum @deV2 @deS2 @deE?|^@deW|^wir haben @deE "
     "gesehen."},
    {"deS",
     "der Lehrer|die Ärztin|mein Bruder|das Kind|unsere Nachbarin|der alte Mann|die Regierung|eine junge Frau|der "
     "Hund|die Firma|niemand|der Verein|die Polizei|ein Fremder|sie|er"},
    {"deS2",
     "der Lehrer|die Ärztin|mein Bruder|das Kind|die Nachbarin|der Minister|die Mannschaft|man|sie|er"},
    {"deV",
     "sucht|kauft|verkauft|findet|vergisst|beschreibt|besucht|repariert|verliert|braucht|kennt|erwartet|zeigt|"
     "bezahlt|gewinnt|liest"},
    {"deV2",
     "sucht|kauft|findet|vergisst|braucht|verliert|erwartet|zeigt|gewinnt|verlangt"},
    {"deE",
     "ein neues Fahrrad|den Schlüssel im Garten|die Rechnung nicht|das Spiel am Sonntag|einen Brief aus Hamburg|die "
     "Lösung der Aufgabe|keine Antwort|ein Zimmer mit Bad|den Zug nach München|die Kartoffeln auf dem Markt|mehr "
     "Geld für Schulen|die Geschichte der Stadt|den Unterschied zwischen Wetter und Klima|das Fenster in der Küche|"
     "jeden Morgen die Zeitung"},
    {"deT",
     "gestern|heute|am Abend|im Winter|nach dem Essen|trotzdem|leider|seit drei Jahren"},
    {"deW",
     "Straßenbahn|Wissenschaft|Geduld|langsam|vergessen|Krankenhaus|Freiheit|gemütlich|Schmetterling|verstehen|"
     "Haltestelle|Wirtschaftswachstum"},
    {"fr",
     "^@frS @frV @frE.|^@frT, @frS @frV @frE.|^@frS ne @frV pas @frE.|^est-ce que @frS @frV @frE ?|^@frW"},
    {"frS",
     "le professeur|la voisine|mon frère|l'enfant|le médecin|la ministre|une étudiante|le boulanger|l'équipe|"
     "tout le monde|elle|on|le vieux pêcheur|notre directrice"},
    {"frV",
     "cherche|achète|oublie|raconte|regarde|prépare|perd|trouve|répare|attend|comprend|vend|visite|mange"},
    {"frE",
     "une nouvelle voiture|la clé du jardin|le dîner du dimanche|des pommes au marché|l'histoire de la ville|la "
     "réponse à cette question|un billet pour Lyon|les règles du jeu|le prix du pain|une lettre de sa mère|le "
     "train de huit heures|cette vieille chanson|un appartement près de la gare"},
    {"frT",
     "hier soir|ce matin|pendant l'hiver|malheureusement|d'habitude|depuis longtemps|au printemps"},
    {"frW",
     "bibliothèque|bonheur|lentement|parapluie|chercher|fromage|vérité|orage|aujourd'hui|informatique"},
    {"es",
     "^@esS @esV @esE.|^@esT, @esS @esV @esE.|^@esS no @esV @esE.|¿^por qué @esV @esS @esE?|^@esW"},
    {"esS",
     "el profesor|la médica|mi hermano|el niño|la vecina|el gobierno|una joven|el cocinero|el equipo|nadie|la "
     "empresa|el pescador"},
    {"esV",
     "busca|compra|olvida|encuentra|vende|necesita|espera|prepara|pierde|visita|conoce|describe"},
    {"esE",
     "una casa nueva|la llave del coche|el partido del domingo|las naranjas en el mercado|la historia del pueblo|una "
     "respuesta clara|el tren a Sevilla|los libros de la biblioteca|el precio de la luz|una carta de su abuela|la "
     "cena para seis personas|otro trabajo en la ciudad"},
    {"esT",
     "ayer|esta mañana|en verano|por desgracia|desde hace años|a menudo|después de comer"},
    {"esW",
     "biblioteca|felicidad|despacio|paraguas|recordar|queso|verdad|tormenta|ordenador|desarrollo"},
    {"it",
     "^@itS @itV @itE.|^@itT @itS @itV @itE.|^@itS non @itV @itE.|^perché @itS @itV @itE?|^@itW"},
    {"itS",
     "il professore|la dottoressa|mio fratello|il bambino|la vicina|il governo|una ragazza|il cuoco|la squadra|"
     "nessuno"},
    {"itV",
     "cerca|compra|dimentica|trova|vende|aspetta|prepara|perde|visita|racconta"},
    {"itE",
     "una casa nuova|la chiave della macchina|la partita di domenica|le arance al mercato|la storia della città|una "
     "risposta chiara|il treno per Torino|il prezzo del pane|una lettera della nonna|la cena per sei persone"},
    {"itT",
     "ieri|stamattina|d'estate|purtroppo|di solito|dopo pranzo"},
    {"itW",
     "biblioteca|felicità|lentamente|ombrello|ricordare|formaggio|temporale|sviluppo"},
    {"pt",
     "^@ptS @ptV @ptE.|^@ptT, @ptS @ptV @ptE.|^@ptS não @ptV @ptE.|^@ptW"},
    {"ptS",
     "o professor|a médica|meu irmão|a criança|a vizinha|o governo|uma jovem|o cozinheiro|a equipe|ninguém"},
    {"ptV",
     "procura|compra|esquece|encontra|vende|espera|prepara|perde|visita|conhece"},
    {"ptE",
     "uma casa nova|a chave do carro|o jogo de domingo|as laranjas no mercado|a história da cidade|uma resposta "
     "clara|o trem para o Porto|o preço da energia|uma carta da avó|o jantar para seis pessoas"},
    {"ptT",
     "ontem|hoje de manhã|no verão|infelizmente|muitas vezes|depois do almoço"},
    {"ptW",
     "biblioteca|saudade|devagar|lembrar|queijo|verdade|tempestade|computador"},
    {"nl",
     "^@nlS @nlV @nlE.|^@nlT @nlV @nlS @nlE.|^waarom @nlV @nlS @nlE?|^@nlW"},
    {"nlS",
     "de leraar|de dokter|mijn broer|het kind|de buurvrouw|de regering|een jonge vrouw|de bakker|niemand|het bedrijf"},
    {"nlV",
     "zoekt|koopt|vergeet|vindt|verkoopt|verwacht|verliest|bezoekt|kent|leest"},
    {"nlE",
     "een nieuwe fiets|de sleutel van de schuur|de wedstrijd van zondag|geen antwoord|de trein naar Utrecht|het "
     "verhaal van de stad|de prijs van brood|een brief van oma|meer geld voor scholen"},
    {"nlT",
     "gisteren|vanavond|in de winter|helaas|meestal|na het eten"},
    {"nlW",
     "bibliotheek|geluk|langzaam|paraplu|onthouden|ziekenhuis|vlinder"},
    {"ru",
     "^@ruS @ruV @ruE.|^@ruT @ruS @ruV @ruE.|Почему @ruS @ruV @ruE?|@ruW"},
    {"ruS",
     "учитель|мой брат|старый врач|ребёнок|наш сосед|директор|"
     "молодой инженер|никто не"},
    {"ruV",
     "ищет|покупает|продаёт|забывает|читает|знает|теряет|ждёт"},
    {"ruE",
     "новую книгу|ключ от дома|письмо из Москвы|ответ на вопрос|"
     "билет на поезд|историю города|хлеб и молоко|решение задачи"},
    {"ruT",
     "вчера|сегодня утром|зимой|к сожалению|иногда|после обеда"},
    {"ruW",
     "библиотека|счастье|медленно|помнить|больница|погода|"
     "правительство"},
    {"zh",
     "@zhS@zhV@zhE。|@zhT，@zhS@zhV@zhE。|@zhS为什么@zhV@zhE？|@zhW"},
    {"zhS",
     "老师|我的朋友|那个孩子|医生|政府|这家公司|我们|邻居|她|他"},
    {"zhV",
     "喜欢|需要|买了|忘记了|正在找|知道|介绍了|卖掉了"},
    {"zhE",
     "一本新书|那把钥匙|明天的比赛|去北京的火车票|城市的历史|苹果和面包|"
     "这个问题的答案|一封信|更多的时间"},
    {"zhT",
     "昨天晚上|今天早上|冬天|可惜|去年|吃饭以后"},
    {"zhW",
     "图书馆|幸福|天气|记得|医院|经济发展|蝴蝶"},
    {"ja",
     "@jaS@jaE@jaV。|@jaT、@jaS@jaE@jaV。|@jaW"},
    {"jaS",
     "先生は|友達は|子供が|医者は|私たちは|会社は|母は|隣の人が"},
    {"jaE",
     "新しい本を|部屋の鍵を|日曜日の試合を|東京行きの切符を|町の歴史を|"
     "りんごとパンを|質問の答えを|手紙を"},
    {"jaV",
     "買いました|探しています|忘れました|知っています|見つけた|読んでいます|"
     "待っている|なくしました"},
    {"jaT",
     "昨日|今朝|冬には|残念ながら|去年|食事の後で"},
    {"jaW",
     "図書館|幸せ|ゆっくり|天気|病院|コンピューター|ちょうちょ"},
    {"ar",
     "@arV @arS @arE.|@arT @arV @arS @arE.|@arW"},
    {"arS",
     "المعلم|الطبيب|أخي|الطفل|الجار|المدير|الصديق"},
    {"arV",
     "يبحث|يتحدث|يكتب|يقرأ|يسأل"},
    {"arE",
     "عن الكتاب الجديد|عن تاريخ المدينة|عن مفتاح البيت|عن الطقس|عن "
     "سعر الخبز|في المدرسة كل يوم|مع الجيران"},
    {"arT",
     "أمس|اليوم|في الشتاء|أحيانا"},
    {"arW",
     "مكتبة|سعادة|مستشفى|حكومة|قلم"},
    {"misc",
     "^bugün hava çok güzel, @trE.|^dzisiaj @plE.|^idag @svE.|오늘은 @koE.|^σήμερα @elE.|आज @hiE।"},
    {"trE",
     "pazara gidiyoruz|kitap okuyorum|çocuklar okulda|tren gecikti|evde kalacağız"},
    {"plE",
     "pada deszcz|nauczyciel szuka klucza|idziemy na rynek|pociąg się spóźnia|czytam nową książkę"},
    {"svE",
     "regnar det|köper hon bröd|läser barnen en bok|är tåget försenat|går vi till marknaden"},
    {"koE",
     "날씨가 좋습니다|책을 읽고 있어요|시장에 갑니다|기차가 늦었습니다|친구를 "
     "만났어요"},
    {"elE",
     "βρέχει|διαβάζω ένα βιβλίο|πάμε στην αγορά|το τρένο άργησε|"
     "έχει καλό καιρό"},
    {"hiE",
     "मौसम अच्छा है|मैं किताब पढ़ रहा हूँ|हम "
     "बाज़ार जा रहे हैं|ट्रेन देर से आई"},
    {"lang1",
     "@de|@de|@de|@fr|@fr|@fr|@es|@es|@es|@it|@it|@pt|@pt|@nl|@nl|@ru|@zh|@ja|@ar|@misc"},
    {"euro",
     "@de @de|@fr @fr|@es @es|@it @it|@pt @pt|@nl @nl|@ru @ru|@zh@zh"},
};
/* clang-format on */
const size_t aq_corpus_language_count = AQ_COUNT_OF(aq_corpus_languages);
