"""One parsed sentence as CoNLL-U."""


def conllu_sentence(sentence_id, doc):
    """Writes a parse in the ten columns of CoNLL-U, tied to its caption by `sent_id`.

    Args:
        sentence_id: `IMAGE#k`.
        doc: a spaCy `Doc` with dependencies; of several sentences, each has its root.

    Returns:
        A string of lines, the blank line at its end included.

    Reference: https://universaldependencies.org/format.html
    """
    lines = [f"# sent_id = {sentence_id}", f"# text = {doc.text}"]
    for token in doc:
        is_root = token.head.i == token.i
        columns = (
            str(token.i + 1),
            token.text,
            token.lemma_,
            token.pos_,
            token.tag_,
            str(token.morph),
            "0" if is_root else str(token.head.i + 1),
            "root" if is_root else token.dep_,
            "",
            "" if token.whitespace_ else "SpaceAfter=No",
        )
        lines.append("\t".join(column or "_" for column in columns))
    return "\n".join(lines) + "\n\n"
