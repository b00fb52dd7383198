"""Lines of the shapes in which people write, in English, German, French and Spanish, made of a few words by a seed."""

# ruff: noqa: RUF001, SIM905 (typographic characters are meant; lists of words are easier to read in one piece)
from __future__ import annotations

import random
from collections.abc import Callable

WORDS = {
    "en": "the train was late again but nobody in town seemed to mind much while waiting for better news",
    "de": "gestern kam der Zug wieder viel später an und niemand wusste warum über Köln schneite",
    "fr": "hier le train est arrivé très tard mais personne ne savait pourquoi même à Orléans",
    "es": "ayer el tren llegó muy tarde pero nadie sabía por qué aunque mañana será otro día",
}
NAMES = ("Anna|O'Neil|O’Brien|Jean-Luc|Müller|José|AT&T|R&B|C#|C++|F#|McDonald|U.S.").split("|")
CLITICS = (
    "don't|it's|they've|we'll|I'm|can’t|she’d|won't've|DON’T|'tis|’em|rock 'n' roll|y'all|o'clock|"
    "dogs'|the 90's|'80s|cannot"
).split("|")
ELISIONS = ("l'été|qu’il|d'abord|j’ai|c'est|n’est|s'il|aujourd'hui|jusqu’à|lorsqu'elle|L’École").split("|")
NETWORK = (
    "@anna|@the_cat9|#tag|#MeToo2|http://x.org/a?b=1|https://a.bc.de/f_(g)#h|www.example.com/path/|"
    "example.co.uk|me.too+x@mail.example.org|u@x.io"
).split("|")
FACES = (":)|;-)|:D|:'(|<3|^^|:-/|XD|=)|o_O|😀|👍🏽|👩‍👩‍👧|🇪🇸|❤️|😂😂😂|¯\\_(ツ)_/¯").split("|")
AMOUNTS = (
    "5kg|5 kg|20€|20 €|$3.50|£1,000.50|50%|50 %|3rd|21st|3:30|7pm|7 p.m.|12/05/2020|2020-05-12|1.5|"
    ".5|5*|1980s|-3°C|+49 30 1234|10-15|4x4|#1|20-year-old|1'000|½"
).split("|")
TAGS = ("<br />|<br/>|<b>bold</b>|<a href='http://x.org/?a=b c'>here</a>|<i class='x'>so</i>|&amp;|&#39;|</p>").split(
    "|"
)
SHORT = ("e.g.|Mr. Hill|Dr. No|etc.|i.e.|z.B.|usw.|bzw.|Ph.D.|a.m.|EE.UU.|Sra. Gil|U.S.A").split("|")
QUOTED = (
    "\"{}\"|'{}'|“{}”|‘{}’|„{}“|‚{}‘|»{}«|« {} »|«{}»|({})|[{}]|*{}*|_{}_|“{},”|\"({})\"|``{}''|<{}>|/{}/|~{}~"
).split("|")
ENDS = ('.|!|?|...|…|?!|!!!!| .| !| ?||,|:|;| -|.....|.)|."|.”|!«').split("|")
JOINTS = (" ¦ ¦ ¦ ¦ ¦, ¦; ¦: ¦ - ¦ – ¦—¦--¦-¦/¦ / ¦...¦.¦,¦ & ¦<br /><br />¦’s ¦'s ¦ | ¦_¦￭¦ ▁¦!").split("¦")


def written_lines(count: int, seed: int = 0) -> list[str]:
    """So many lines; the languages take turns."""
    rng = random.Random(seed)
    languages = {language: words.split() for language, words in WORDS.items()}
    return [_line(rng, list(languages.values())[number % len(languages)]) for number in range(count)]


def _line(rng: random.Random, words: list[str]) -> str:
    kinds = [NAMES, CLITICS, ELISIONS, NETWORK, FACES, AMOUNTS, TAGS, SHORT]

    def word() -> str:
        chosen = rng.choice(words)
        return rng.choice([chosen, chosen, chosen, chosen.capitalize(), chosen.upper()])

    def phrase() -> str:
        return " ".join(word() for _ in range(rng.randint(1, 4)))

    def special() -> str:
        return rng.choice(rng.choice(kinds))

    def quoted() -> str:
        return rng.choice(QUOTED).format(rng.choice([phrase, special])())

    def question() -> str:
        return rng.choice(["¿{}?", "¡{}!", "¿¡{}!?", "{} ?", "{} !"]).format(phrase())

    makers: list[Callable[[], str]] = [phrase, phrase, special, special, quoted, question]
    line = "".join(rng.choice(makers)() + rng.choice(JOINTS) for _ in range(rng.randint(1, 5))) + phrase()
    return line + rng.choice(ENDS)
