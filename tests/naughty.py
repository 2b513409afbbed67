"""Strings that break programs, made by kind: what people write, and what they attack.

The kinds are those of well-known lists; the strings are our own.
"""

import functools
import itertools
import sys
import unicodedata

WRITTEN = """
undefined|null|NULL|None|nil|true|FALSE|NaN|inf|-Infinity|hasOwnProperty|constructor
0|-0|1e309|1E-400|0x7fffffff|0b1|1,000.00|1.000,00|1_000|١٢٣|½|-1.0.0|2147483648|9e999
2026-02-30|24:60:61|1970-01-01T00:00:00Z|31.12.9999
'; DROP TABLE users; --|1' OR '1'='1|" or ""="|admin'--|%' AND 1=0 UNION SELECT NULL
<script>alert(1)</script>|<img src=x onerror=alert(1)>|javascript:alert(1)|<!--|]]>|&lt;
$(touch /tmp/x)|`id`|; ls -la|&& true
{{7*7}}|${7*7}|#{7*7}|<%= 7 %>|%s%s%s%n|%x%x|{0}|\\x41
../../etc/passwd|..\\..\\boot.ini|file:///etc/passwd|C:\\CON|NUL|/dev/null|~/.ssh/id_rsa
http://a.b/?c=d&e=f#g|user@example.org|ftp://[::1]:21/|@@@###|https://xn--e1aybc.example
<eos>|<pad>|<unk>|<url>|<user>|[CLS]|[MASK]|##ing|▁the|\ufffd|B-person|-DOCSTART-
'|"|''|""|"'"|’|“”|«»|`|\\|\\\\|\\n|\\u0000|\\ud800|(|)|()|[]|{}|<>|...|…|--|—|¿?|¡!|§|@|#|%|^|&
ß|ẞ|İstanbul|ıI|ﬃ|ǅ|ſ|Å|Å|K|Ω|ﬁ|Ⅷ|①|㎏|ﷺ|א֫|e\u0301|é|n\u0303o|ñ|각|각|が|が
👩\u200d👩\u200d👧\u200d👦|👍🏽|🏳️\u200d🌈|🇩🇪🇫🇷|🇩|1️⃣|☺️|☺
❤\ufe0f\u200d🔥|🫠
ʕ•ᴥ•ʔ|(╯°□°）╯︵ ┻━┻|¯\\_(ツ)_/¯
"""
UNSEEN = [
    "",
    " ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "a\r\nb\rc\nd",
    "one\x0btwo\x0cthree\x1cfour\x1dfive\x1esix\x85seven\u2028eight\u2029nine",
    "\x00",
    "a\x00b",
    "\x1b[31mred\x1b[0m",
    "\x7f",
    "".join(map(chr, range(32))),
    "".join(map(chr, range(127, 160))),
    "\ufeff",
    "\ufeffBOM",
    "\ufffe",
    "\uffff",
    "\U0010ffff",
    "\U0001fffe",
    "\ue000",
    "\u200b",
    "a\u200bb",
    "\u2060",
    "\u00ad",
    "co\u00adop",
    "\u034f",
    "\u180e",
    "\u3000",
    "\u00a0",
    " \u2003 \u205f ",
    "\u202eabc\u202c",
    "\u2067\u202e\u2066",
    "שלום (abc) עולם",
    "مرحبا 123 بالعالم",
    "\u0301",
    "\u0301\u0301",
    "Z̷̡͔̈a̸l̵g̶o̴",
    "o" + "\u0336" * 200,
    "\u200d",
    "\u200d" * 50,
    "\ufe0f",
    "\ufe0f\u20e3",
    "\u0085",
    "\ud800",
    "\udfff",
    "a\ud800b\udc00",
    "\ud83d\ude00",
    "x" * 100_000,
    " " * 100_000,
    "\n" * 10_000,
    "e" + "\u0301" * 10_000,
    "a " * 50_000,
    "😀" * 10_000,
    "(" * 10_000,
    "http://" * 2_000,
    "a.b" * 10_000,
    "'s" * 10_000,
]


@functools.cache
def strings():
    """All of them, as a tuple of distinct strings."""
    made = [*itertools.chain(*(line.split("|") for line in WRITTEN.split("\n")))]
    return tuple(dict.fromkeys([*made, *UNSEEN, *_scripts(), *_categories()]))


def _scripts():
    """A word of each script and family of signs of Unicode, alone and among ours."""
    found = {}
    for code in range(0x80, sys.maxunicode + 1):
        name = unicodedata.name(chr(code), "")
        if name:
            family = found.setdefault(name.split()[0].partition("-")[0], [])
            if len(family) < 6:
                family.append(chr(code))
    words = sorted("".join(family) for family in found.values())
    return [*words, *(f"in {word}, 3" for word in words[::3])]


def _categories():
    """Characters of each category, alone and between letters."""
    found = {}
    for code in range(sys.maxunicode + 1):
        kind = found.setdefault(unicodedata.category(chr(code)), [])
        if len(kind) < 4:
            kind.append(chr(code))
    return [text for c in itertools.chain(*found.values()) for text in (c, f"a{c}b")]
