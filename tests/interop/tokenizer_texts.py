"""Texts to tokenize: made up by a seeded generator, kind by kind, so that every run sees the same."""
import pathlib
import random

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Where the letters of the world's scripts are: first and last code point.
SCRIPTS = [(0x41, 0x7A), (0xC0, 0x24F), (0x250, 0x2AF), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x587), (0x5D0, 0x5EA),
           (0x620, 0x6FF), (0x710, 0x74F), (0x780, 0x7B1), (0x7C0, 0x7FA), (0x800, 0x83E), (0x840, 0x85E),
           (0x8A0, 0x8FF), (0x900, 0x97F), (0x980, 0x9FE), (0xA01, 0xA76), (0xA81, 0xAFF), (0xB01, 0xB77),
           (0xB82, 0xBFA), (0xC00, 0xC7F), (0xC80, 0xCF3), (0xD00, 0xD7F), (0xD81, 0xDF4), (0xE01, 0xE5B),
           (0xE81, 0xEDF), (0xF00, 0xFDA), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1200, 0x139F), (0x13A0, 0x13FD),
           (0x1400, 0x167F), (0x1680, 0x169C), (0x16A0, 0x16F8), (0x1700, 0x1773), (0x1780, 0x17F9), (0x1800, 0x18AA),
           (0x18B0, 0x18F5), (0x1900, 0x194F), (0x1950, 0x1974), (0x1980, 0x19DF), (0x1A00, 0x1A1F), (0x1A20, 0x1AAD),
           (0x1B00, 0x1B7E), (0x1B80, 0x1BBF), (0x1BC0, 0x1BFF), (0x1C00, 0x1C4F), (0x1C50, 0x1C7F), (0x1C80, 0x1C8A),
           (0x1C90, 0x1CBF), (0x1CD0, 0x1CFA), (0x1D00, 0x1DBF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFE), (0x2C00, 0x2C5F),
           (0x2C60, 0x2C7F), (0x2C80, 0x2CFF), (0x2D00, 0x2D2D), (0x2D30, 0x2D7F), (0x2DE0, 0x2DFF), (0x3041, 0x309F),
           (0x30A0, 0x30FF), (0x3105, 0x312F), (0xA000, 0xA4C6), (0xA4D0, 0xA4FF), (0xA500, 0xA62B), (0xA640, 0xA69F),
           (0xA6A0, 0xA6F7), (0xA720, 0xA7FF), (0xA800, 0xA82C), (0xA840, 0xA877), (0xA880, 0xA8D9), (0xA8E0, 0xA8FF),
           (0xA900, 0xA92F), (0xA930, 0xA95F), (0xA980, 0xA9DF), (0xAA00, 0xAA5F), (0xAA80, 0xAADF), (0xAAE0, 0xAAF6),
           (0xAB30, 0xAB6B), (0xAB70, 0xABBF), (0xABC0, 0xABF9), (0xFB00, 0xFB4F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF),
           (0xFF00, 0xFFEF), (0x10000, 0x100FA), (0x10280, 0x1031F), (0x10330, 0x1034A), (0x10400, 0x1044F),
           (0x104B0, 0x104FB), (0x10570, 0x105F3), (0x10800, 0x1085F), (0x10900, 0x1093F), (0x10A00, 0x10AE6),
           (0x10C80, 0x10CFF), (0x10D00, 0x10D8F), (0x10E80, 0x10FFF), (0x11000, 0x1107F), (0x11080, 0x110CD),
           (0x11100, 0x1114F), (0x11180, 0x111DF), (0x11200, 0x1124F), (0x11280, 0x112F9), (0x11300, 0x1137F),
           (0x11380, 0x113E2), (0x11400, 0x114D9), (0x11580, 0x116CF), (0x11700, 0x1174F), (0x11800, 0x1183B),
           (0x118A0, 0x118FF), (0x11900, 0x119E4), (0x11A00, 0x11AFF), (0x11C00, 0x11CB6), (0x11D00, 0x11DA9),
           (0x11EE0, 0x11F5A), (0x12000, 0x12543), (0x13000, 0x13455), (0x16800, 0x16A38), (0x16AC0, 0x16B77),
           (0x16D40, 0x16D79), (0x16E40, 0x16ED3), (0x16F00, 0x16FF1), (0x17000, 0x17100), (0x1BC00, 0x1BC9F),
           (0x1D100, 0x1D1E8), (0x1D400, 0x1D7FF), (0x1DF00, 0x1DF2A), (0x1E000, 0x1E14F), (0x1E290, 0x1E2FF),
           (0x1E4D0, 0x1E5FF), (0x1E800, 0x1E8D6), (0x1E900, 0x1E95F), (0x1EE00, 0x1EEF1)]
IDEOGRAPHS = [(0x2E80, 0x2FDF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF),
              (0x2A700, 0x2EBE0), (0x2F800, 0x2FA1F), (0x30000, 0x323AF)]
MARKS = [(0x300, 0x36F), (0x483, 0x489), (0x591, 0x5C7), (0x610, 0x65F), (0x6D6, 0x6ED), (0x7EB, 0x7F3),
         (0x816, 0x82D), (0x898, 0x8FF), (0x93C, 0x94D), (0x1AB0, 0x1AEB), (0x1B34, 0x1B44), (0x1DC0, 0x1DFF),
         (0x20D0, 0x20F0), (0x302A, 0x302F), (0x3099, 0x309A), (0xA8E0, 0xA8F1), (0xFE20, 0xFE2F), (0x10A0D, 0x10A3F),
         (0x10F46, 0x10F50), (0x16FF0, 0x16FF1), (0x1D165, 0x1D1AD), (0x1E000, 0x1E02A), (0x1E944, 0x1E94A)]
SPACES = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u180e\u2000\u2003\u2007\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
CASES = ("İıIiſßẞŒœﬀﬁﬂﬃﬄﬅﬆKÅΩΣςσǄǅǆǇǈǉŉǰΐΰևẖẗẘẙẚẞὒἂᾂᾲᾳᾴᾶᾷᾼΆϴꟋꟌꞮⱥȺⱿẞ𐐀𐐨𞤀𞤢Ⓐⓐ№℡㎏½²①ªº"
         "ÀÉÎÕÜàéîõüÇçŠšŽžØøŁłĐđÞþÆæåÅâêôûřůěčďťňąęśźżőű")
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡§«¶·»¿;·՚֊־׀׃׆׳״؉،؍؛؝؞؟٪٭۔।॥॰෴฿๏၊᙭᜵᠀‐‑–—―‖‘’“”„†•‰′※‼⁇⁏⁓⁞⁽₍⌈〈❨⟦⦃⧘⸀⸃⸗⸺⹃⹒、。〃〈《「『【〔〖〘〚〜〝〰〽゠・꓾꘍꛲꡴﴾︐︙︰︵﹉﹏﹐！＂＃（），－．／：；＜？＠［＼］＿｛｝～｡｢･𐄀𐎟𑁇𑇉𑗁𖩮𞥞$+<=>^`|~©®°±´¸×÷€₿∀∑√∞→"
EMOJI = ["😀", "👍", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "🇺🇸", "1️⃣", "#️⃣", "❤️", "❤", "☺︎", "🧑🏿‍🚀", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🫠", "🪿", "©️", "™", "🤷🏻‍♀️", "👁️‍🗨️"]
SPECIALS = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "[cls]", "[ SEP ]", "[MASK", "MASK]", "[[MASK]]", "[PAD][PAD]", "[unused5]",
            "##ing", "##", "[ＭＡＳＫ]", "[MA\u200bSK]", "[MASK]ing", "un[MASK]able"]
PLAIN = "the quick brown fox jumps over a lazy dog while embeddings of sentences are compared".split()


def real_lines():
    """Lines that people wrote: the documentation and the sources of this project."""
    files = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.[ch]"), *ROOT.glob("tests/**/*.py")])
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line.strip()]


class Texts:
    def __init__(self, seed, words):
        """words: the vocabulary's tokens, to be put together in other ways."""
        self.rng = random.Random(seed)
        self.words = words
        self.lines = real_lines()
        self.kinds = [self.scripts, self.scripts, self.anything, self.assigned_planes, self.emoji, self.marks, self.controls,
                      self.ideographs, self.hangul, self.cases, self.punctuation, self.specials, self.spaces, self.long_words,
                      self.real, self.real, self.real, self.pieces, self.pieces, self.mixture, self.mixture]

    def from_range(self, ranges, count):
        first, last = self.rng.choice(ranges)
        return "".join(chr(self.rng.randint(first, last)) for _ in range(count))

    def scripts(self):
        script = [self.rng.choice(SCRIPTS)]
        return " ".join(self.from_range(script, self.rng.randint(1, 9)) for _ in range(self.rng.randint(1, 12)))

    def anything(self):
        """Any code point of any plane."""
        found = (self.rng.randrange(0x110000) for _ in range(self.rng.randint(1, 40)))
        return "".join(chr(c) for c in found if not 0xD800 <= c < 0xE000)

    def assigned_planes(self):
        """The first two planes, with ASCII between so that words form."""
        return "".join(chr(c) for c in (self.rng.randrange(0x20000) for _ in range(self.rng.randint(1, 20)))
                       if not 0xD800 <= c < 0xE000 for c in (c, self.rng.choice((c, 0x61, 0x20, 0x301))))

    def emoji(self):
        return "".join(self.rng.choice(EMOJI + PLAIN + [" ", " ", "\ufe0f", "\u200d"]) for _ in range(self.rng.randint(1, 12)))

    def marks(self):
        def one():
            base = self.rng.choice(["a", "e", "Z", "é", "ü", "ắ", "ك", "क", "か", "각", "中", "1", " ", ""])
            return base + "".join(self.from_range(MARKS, 1) for _ in range(self.rng.choice((0, 1, 1, 2, 3, 8, 40))))
        return "".join(one() for _ in range(self.rng.randint(1, 10)))

    def controls(self):
        odd = [*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), "\xad", "\u200b", "\u200e", "\u202e", "\u2066", "\ufeff", "\ufffd",
               "\ufffe", "\uffff", "\ue000", "\U000e0041", "\U000f0000", "\U0010ffff", "\u0600", "\u06dd", "\u08e2", "\U000110bd"]
        return "".join(self.rng.choice(odd) if self.rng.random() < 0.4 else self.rng.choice("abcXYZ 12.") for _ in range(self.rng.randint(1, 40)))

    def ideographs(self):
        return "".join(self.from_range(IDEOGRAPHS + [(0x3040, 0x30FF), (0x41, 0x5A), (0x3000, 0x303F)], self.rng.randint(1, 4))
                       for _ in range(self.rng.randint(1, 10)))

    def hangul(self):
        return "".join(self.from_range([(0xAC00, 0xD7A3), (0xAC00, 0xD7A3), (0x1100, 0x11FF), (0x3131, 0x318E), (0xA960, 0xA97C),
                                        (0xD7B0, 0xD7FB), (0x20, 0x20)], self.rng.randint(1, 5)) for _ in range(self.rng.randint(1, 12)))

    def cases(self):
        return "".join(self.rng.choice(CASES + CASES + "aAbB \u0307\u0130") for _ in range(self.rng.randint(1, 30)))

    def punctuation(self):
        return "".join(self.rng.choice(PUNCTUATION) if self.rng.random() < 0.5 else self.rng.choice(PLAIN + [" "])
                       for _ in range(self.rng.randint(1, 25)))

    def specials(self):
        return "".join(self.rng.choice(SPECIALS) if self.rng.random() < 0.5 else self.rng.choice(PLAIN + [" ", "  ", "\n", "é"])
                       for _ in range(self.rng.randint(1, 10)))

    def spaces(self):
        return "".join(self.rng.choice(SPACES) if self.rng.random() < 0.5 else self.rng.choice(PLAIN) for _ in range(self.rng.randint(1, 25)))

    def long_words(self):
        letter = self.rng.choice(["a", "e\u0301", "É", "ß", "д", "가", "x\u200d", "ﬁ", "𝒳", "un"])
        length = self.rng.choice((1, 49, 50, 51, 95, 98, 99, 100, 101, 102, 105, 199, 200, 201, 1000))
        return self.rng.choice(("", "so ")) + letter * length + self.rng.choice(("", "!", " end", "\u0301"))

    def real(self):
        at = self.rng.randrange(len(self.lines))
        return "\n".join(self.lines[at:at + self.rng.choice((1, 1, 1, 2, 5))])

    def pieces(self):
        """Tokens of the vocabulary run together, so that every piece is met in the middle of words."""
        def word():
            return "".join(self.rng.choice(self.words).removeprefix("##") for _ in range(self.rng.choice((1, 1, 1, 2, 2, 3, 4))))
        text = " ".join(word() for _ in range(self.rng.randint(1, 15)))
        return self.rng.choice((text, text, text.upper(), text.title()))

    def mixture(self):
        return self.rng.choice((" ", "", ", ", "\n")).join(self.rng.choice(self.kinds[:-2])() for _ in range(self.rng.randint(2, 4)))

    def take(self, count):
        for i in range(count):
            yield self.kinds[i % len(self.kinds)]()

    def long_lines(self, count, length=100_000):
        """Lines of 100,000 characters and more: mixtures; one word; only spaces; only marks; no space at all."""
        for i in range(count):
            if i % 4 == 3:
                once = self.rng.choice(["a", " ", "\u0301\u0327", "中", "é", "!", "\u302e\u302a\u0323", "가", "x.", "\x00"])
                yield once * (length // len(once) + 1)
                continue
            parts, size = [], 0
            while size < length:
                parts.append(self.rng.choice(self.kinds)())
                size += len(parts[-1]) + 1
            yield " ".join(parts)

    def broken(self, count):
        """UTF-8 that is not: bytes changed, lost, put in, cut off."""
        for _ in range(count):
            data = bytearray(self.rng.choice(self.kinds)().encode())
            for _ in range(self.rng.randint(1, 4)):
                at = self.rng.randrange(len(data) + 1)
                what = self.rng.randrange(4)
                if what == 0:
                    data[at:at + 1] = b""
                elif what == 1:
                    data[at:at + 1] = bytes([self.rng.randrange(128, 256)])
                elif what == 2:
                    data[at:at] = self.rng.choice([b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe0\x80\xaf", b"\xf0\x9f\x98",
                                                   b"\xe4\xb8", b"\xff", b"\x80", b"\xf8\x88\x80\x80\x80"])
                else:
                    data = data[:at]
            yield bytes(data)
