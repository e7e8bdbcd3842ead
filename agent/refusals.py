"""Whether an answer says that it does not know, in the languages that most people ask in."""

from __future__ import annotations

import re

_CITATION = re.compile(r"\[[\d\s,]+\]")
_FOLDED = str.maketrans("\u2018\u2019\u201c\u201d\u2010\u2011\u2012\u2013\u2014\u2212\u00a0", "''\"\"------ ")
_NEAR = r"\b[^.?!]{0,60}\b"

_NOT = r"(?:n't|\s+not)(?: (?:currently|yet|really|actually))?"
_SOURCES = r"(?:documents?|documentation|results?|passages?|sources?|information|data|pages?|texts?)"
_ENGLISH = (
    # Who answers does not know,
    rf"\b(?:I|we) (?:do|did|could|can|would){_NOT} (?:be able to )?(?:know|find|say|tell|answer|see|confirm|provide"
    r"|have (?:\w+ ){0,3}(?:information|details?|answers?|data|documents?|records?))\b"
    r"|\b(?:can't|cannot|unable to|could not|couldn't|not able to) (?:find|answer|say|tell|confirm|determine)\b"
    r"|\b(?:I|we)(?:'m| am|'re| are) not (?:sure|certain|aware)\b"
    r"|\b(?:I|we) (?:lack|have no) (?:\w+ ){0,2}"
    r"(?:information|details?|answers?|data|documents?|records?|idea|way)\b"
    # or what it answers from does not hold the answer.
    rf"|\b{_SOURCES}{_NEAR}"
    rf"(?:do|does|did){_NOT} (?:say|mention|state|specify|contain|include|hold|cover|tell|describe|list|give)\b"
    rf"|\b(?:is|are|was|were){_NOT} (?:mentioned|stated|specified|documented|described|covered|known"
    rf"|(?:to be )?found\b(?! (?:in|at|on)\b(?! (?:\w+ ){{0,2}}{_SOURCES}))"
    r"|(?:given |listed )?in (?:the|our|my) (?:documents?|documentation|results?|data))\b"
    r"|\bno (?:\w+ )?(?:mention|records?)\b|\bno (?:\w+ )?(?:information|details?)\b"
    r"(?! (?:is|are|was|were|has|have|needs?|must|can|will)\b(?! (?:been )?(?:found|given|available|provided|listed)))"
    rf"|\bnothing (?:about|on (?:this|that)|(?:in|on) (?:\w+ ){{0,2}}{_SOURCES}"
    r"|that (?:answers|says|mentions|tells|covers))\b|\b(?:find|found|see) nothing\b|\bnowhere\b"
)
_GERMAN = (
    r"\bwei(?:ß|ss) (?:ich |es |das |dies |leider )*nicht\b|\bwissen (?:wir |es |das |leider )*nicht\b"
    rf"|\b(?:kann|können|konnte|konnten){_NEAR}nicht (?:sagen|beantworten|finden|bestätigen|feststellen)\b"
    r"|\bkeine (?:\w+ )?(?:Informationen?|Angaben?|Hinweise?|Details|Auskunft)\b|\bnichts (?:über|zu|darüber|dazu)\b"
    rf"|\b(?:Dokument\w*|Unterlagen|Quellen?|Ergebniss\w*|Textstellen?){_NEAR}(?:nicht|nichts|keine?n?)\b"
)
_FRENCH = (
    rf"\bne (?:le )?(?:sais|savons) pas\b|\bj'ignore\b|\bne (?:peux|pouvons|peut){_NEAR}(?:répondre|dire|trouver)\b"
    r"|\b(?:aucune|pas d') ?(?:\w+ )?informations?\b|\bn'(?:ai|avons) (?:pas|rien) trouvé\b"
    rf"|\b(?:documents?|documentation|sources?|résultats?|passages?){_NEAR}"
    r"(?:ne|n') ?(?:disent|dit|mentionnent?|précisent?|contiennent|contient|indiquent?)\b"
)
_SPANISH = (
    r"\bno (?:lo )?(?:sé|sabemos)\b|\bno (?:puedo|podemos|puede) (?:responder|decir|encontrar|confirmar)"
    r"|\b(?:ninguna|no (?:hay|tengo|tenemos)) (?:\w+ )?información\b|\bno (?:encuentro|encontramos|he encontrado)\b"
    rf"|\b(?:documentos?|documentación|fuentes?|resultados?){_NEAR}"
    r"no (?:dicen?|mencionan?|contienen?|indican?|especifican?)\b"
)
_ITALIAN = (
    r"\bnon (?:lo )?(?:so|sappiamo)\b|\bnon (?:posso|possiamo) (?:rispondere|dire|trovare|confermare)"
    r"|\b(?:nessuna|non (?:ho|abbiamo|ci sono)) (?:\w+ )?informazion[ei]\b|\bnon (?:ho|abbiamo) trovato\b"
    rf"|\b(?:document[oi]|documentazione|font[ei]|risultat[oi]){_NEAR}"
    r"non (?:dicono|dice|menziona(?:no)?|contengono|contiene|indica(?:no)?|specifica(?:no)?)\b"
)
_DUTCH = (
    r"\bweet (?:ik )?(?:het |dat )?(?:helaas )?niet\b|\bweten (?:we |wij |het |dat )*niet\b"
    r"|\bgeen (?:\w+ )?informatie\b"
    rf"|\b(?:kan|kunnen|kon|konden){_NEAR}niet (?:zeggen|beantwoorden|vinden|bevestigen)\b"
    rf"|\b(?:documenten?|bronnen|resultaten){_NEAR}(?:niets|(?:noemen|vermelden|zeggen|bevatten){_NEAR}(?:niet|geen))\b"
)
_PORTUGUESE = (
    r"\bnão (?:o )?(?:sei|sabemos)\b"
    r"|\bnão (?:posso|podemos|consigo|conseguimos) (?:responder|dizer|encontrar|confirmar)"
    r"|\b(?:nenhuma|não (?:há|tenho|temos)) (?:\w+ )?informaç(?:ão|ões)\b|\bnão encontr(?:ei|amos)\b"
    rf"|\b(?:documentos?|documentação|fontes?|resultados?){_NEAR}"
    r"não (?:diz|dizem|mencionam?|contêm|contém|indicam?|especificam?)\b"
)
_REFUSES = f"{_ENGLISH}|{_GERMAN}|{_FRENCH}|{_SPANISH}|{_ITALIAN}|{_DUTCH}|{_PORTUGUESE}"


def folded(text: str) -> str:
    """Return a text with one kind of quote, dash and space, and without citations."""
    return " ".join(_CITATION.sub("", text.translate(_FOLDED)).split())


def refuses(answer: str) -> bool:
    """Whether an answer says that it does not know.

    Args:
        answer: text in English, German, French, Spanish, Italian, Dutch or Portuguese.
    """
    # Compiled when it is first used: that takes a while, and every start would pay for it.
    return bool(re.search(_REFUSES, folded(answer), re.IGNORECASE))
