"""Words of noisy text: tokenizer with offsets, windows, word shapes.

The conventions are those of the Penn Treebank and of the tweet corpora WNUT-17 and
BTC: contractions part (`It|'s`, `do|n't`), users, hashtags, links and emoticons stay
whole. Every pattern reads its token once (possessive repeats, bounded look-ahead), so
time grows with the length of the text, whatever the text.
"""

import re
import unicodedata

CASINGS = (
    "pad",
    "lower",
    "title",
    "upper",
    "mixed",
    "number",
    "alphanumeric",
    "punctuation",
    "user",
    "hashtag",
    "url",
    "other",
)
_CASING_IDS = {name: index for index, name in enumerate(CASINGS)}

# Marks are no word characters for `re`, yet Hindi or decomposed Latin words hold
# them. All lie in the first two planes and in the variation selectors.
_MARKS = "".join(
    chr(code)
    for block in (range(0x300, 0x20000), range(0xE0100, 0xE01F0))
    for code in block
    if unicodedata.category(chr(code))[0] == "M"
)
_JOINERS = "\u00ad\u200b-\u200d\u2060\ufeff"  # invisible, inside words
_HAN = "\u2e80-\u2fdf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LETTER = rf"[^\W{_HAN}]"
_EXTEND = f"[{_MARKS}{_JOINERS}]"
_WORD = f"{_LETTER}++(?:{_EXTEND}++{_LETTER}*+)*+"
_PICTURE = (
    "[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d"
    "\u3297\u3299\u00a9\u00ae\u203c\u2049\u2122\u2139\U0001f000-\U0001f1e5"
    "\U0001f200-\U0001faff]"
)
_EMOJI = f"{_PICTURE}[\ufe00-\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*+"
_SPACE = "\\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
_TRAILING = "\\s.,;:!?)\\]}>\"'»”’"  # ends a sentence rather than a link

_PATTERNS = (
    # Most words, before anything slower is tried: no other pattern fits them.
    r"[A-Za-z0-9]++(?=[\s;!?)]|,\s|\Z)",
    # Links, also the ones that Twitter cut short, and addresses.
    rf"(?i:https?)://\S*[^{_TRAILING}]",
    r"https?:/{0,2}\S?…",
    rf"www\.\S*[^{_TRAILING}]",
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}(?!\w)",
    r"(?:[a-z0-9-]{1,63}\.){1,4}(?:com|org|net|edu|gov|ly|co|io|me|tv|uk|de|us|gl)"
    rf"(?:/\S*[^{_TRAILING}]|(?![\w-]|\.\w))",
    rf"@{_WORD}",
    rf"[#＃]{_WORD}",
    r"&(?:amp|lt|gt|quot|apos|nbsp|\#[0-9]{1,7});",
    # Emoticons and hearts.
    r"(?:(?<![\w])|(?<=[^\W\d]))[<>]?[:;=]['’]?[-~o^]?(?:[()\[\]{}|\\*]++|/(?![/\w]))",
    r"(?<!\w)[<>]?[:;=xX]['’]?[-~o^]?[dDpPoO03sS](?!\w)",
    r"[(][-~]?[:;=](?![\w()-])",
    r"</?3++(?!\w)",
    r"(?<!\w)(?:\^[_.-]?\^|-[_.]+-|[><][_.]+[<>]|[oO0uUtT][_.][oO0uUtT](?!\w)|\._\.)",
    r"¯\\_+\(ツ\)_+/¯",
    # Words that hold punctuation.
    r"(?i:mr|mrs|ms|dr|jr|sr|st|prof|gen|gov|sen|rep|lt|col|sgt|capt|vs|inc|ltd|corp"
    r"|etc|mt|ft|feb|aug|sept|oct|nov|dec)\.(?!\w)",
    rf"[^\W\d_](?:\.[^\W\d_])++(?!\w)\.?(?:-{_WORD})?",
    r"[A-HJ-Z]\.(?=\s?[A-Z])",  # initials; "I." ends a sentence
    r"(?i:anti|ex|mid|multi|non|post|pre|pro|semi)-(?=\s)",
    r"[A-Z]{1,3}\$(?![A-Za-z])",
    r"[wW]/o?(?!\w)",
    r"['’](?i:s|m|re|ve|ll|d|em|tis|twas|cause|til|n)(?!\w)",
    rf"(?P<word>{_WORD}(?:(?:['’\-‐‑·]|(?<=\d)[.,:/](?=\d)|(?<=[A-Z])&(?=[A-Z])"
    r"|(?<=[A-Za-z])\$(?=[A-Za-z]))"
    rf"(?={_LETTER}){_WORD})*+)",
    r"[.,]\d++(?:[.,]\d++)*+(?!\w)",
    # Symbols: emoji with joiners, flags, keycaps, runs, single ones.
    f"(?:{_EMOJI})(?:\u200d{_EMOJI})*+",
    "[\U0001f1e6-\U0001f1ff]{2}",
    "[#*]\ufe0f?\u20e3",
    r"[!?]++|\.\.++|…++|--++|__++|==++|~~++|\*\*++|>>++|<<++|::++|''|``|//++",
    f"[^{_SPACE}]{_EXTEND}*+",
)
_TOKEN = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS))
_CONTRACTION = re.compile(r"(?i)(?<=.)(?:n['’]t|['’](?:s|m|re|ve|ll|d|em))\Z")


def tokenize(text):
    """Splits text into tokens with their places.

    White space, control characters and invisible marks of direction belong to no
    token; all else does. Chinese characters are tokens each, emoji sequences are one.

    Args:
        text: string; anything goes, lone surrogates too.

    Returns:
        List of `(token, start, end)` in order: `text[start:end] == token`, never
        empty, never overlapping.

    Raises:
        TypeError: if `text` is not a string.
    """
    if not isinstance(text, str):
        raise TypeError(f"Expected a string, got {type(text).__name__}.")
    tokens = []
    for match in _TOKEN.finditer(text):
        token, start, end = match[0], match.start(), match.end()
        # Links and emoticons may hold quotes, too, and stay whole.
        if match.lastgroup == "word" and ("'" in token or "’" in token):
            # The last characters decide; a token may be as long as the text.
            tail = _CONTRACTION.search(token, max(0, len(token) - 4))
            if tail and token[tail.start() - 1].isalnum():
                cut = start + tail.start()
                tokens.append((text[start:cut], start, cut))
                token, start = tail[0], cut
        tokens.append((token, start, end))
    return tokens


_ENDS = frozenset(".!?…。！？｡؟।")


def sentences(tokens, max_length):
    """Cuts a long text into windows, after ends of sentences where there are any.

    Args:
        tokens: list of strings.
        max_length: positive int, most tokens in a window.

    Returns:
        List of `(start, end)`, `end` exclusive, that cover all tokens in order. One
        window if the text is short enough, none if it is empty.

    Raises:
        ValueError: if `max_length` is not positive.
    """
    if max_length < 1:
        raise ValueError(f"max_length must be positive, got {max_length}.")
    windows = []
    start = 0
    while len(tokens) - start > max_length:
        end = start + max_length
        for position in range(end, start, -1):
            # Nothing but such characters: "U.S." and "J." are inside a sentence.
            if _ENDS.issuperset(tokens[position - 1]):
                end = position
                break
        windows.append((start, end))
        start = end
    if start < len(tokens):
        windows.append((start, len(tokens)))
    return windows


_URL = re.compile(r"(?i)https?:|www\.\w|\S+\.(?:com|org|net|edu|gov|ly|io)(?:/|\Z)")


def casing(token):
    """Returns the shape of a token as an index into `CASINGS`, never 0 ("pad")."""
    return _CASING_IDS[_shape(token)]


def _shape(token):
    if token[:1] in "@#＃" and token[1:2].isalnum():
        return "user" if token[0] == "@" else "hashtag"
    if _URL.match(token):
        return "url"
    letters = "".join(filter(str.isalpha, token))
    if any(map(str.isdigit, token)):
        return "alphanumeric" if letters else "number"
    if not letters:
        punctuation = token and all(
            unicodedata.category(c)[0] == "P" or c in "$+<=>^`|~" for c in token
        )
        return "punctuation" if punctuation else "other"
    if not any(c.isupper() or c.islower() or c.istitle() for c in letters):
        return "other"  # a script without case
    if letters.islower():
        return "lower"
    if not letters[0].islower() and (len(letters) == 1 or letters[1:].islower()):
        return "title"
    return "upper" if letters.isupper() else "mixed"


_DIGIT = re.compile(r"\d")
_QUOTES = str.maketrans("‘’‛´`“”„«»", "'''''" + '"""""')


def normalize(token):
    """Returns the form in which a token is looked up in a vocabulary of words.

    Lower case, digits as 0, straight quotes; links as `"<url>"`, users as `"<user>"`.
    """
    shape = _shape(token)
    if shape == "url":
        return "<url>"
    if shape == "user":
        return "<user>"
    return _DIGIT.sub("0", token.lower()).translate(_QUOTES)
