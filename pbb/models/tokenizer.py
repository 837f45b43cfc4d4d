"""The tiny models' tokenizer: byte-level BPE over plain Python and plain English, digits single.

Three choices keep documents short and numbers legible to a small model: a digit is always one token of its own
and carries no space; the space goes with the word or the operator beside it; a capitalised word is cut after its
third letter, so that a nonsense name such as ``Blorp`` is two tokens, drawn from few.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

PAD, BEGIN, USER, ASSISTANT, END = "<|pad|>", "<|begin|>", "<|user|>", "<|assistant|>", "<|end|>"
VOCABULARY = 1024
_OPENED = "|".join("'" + r"\p{Ll}" * letters for letters in range(8))  # a lookbehind has to have a length
PIECES = "|".join(
    (
        rf"(?<={_OPENED})\p{{Ll}}(?=\p{{Ll}}{{0,7}}')",  # a letter of a quoted word, which programs take apart
        r"\p{Lu}\p{Ll}{0,2}",  # the head of a capitalised word
        r"(?<=\p{Lu}\p{Ll}{2})\p{Ll}+",  # and its tail
        r" ?\p{Ll}{2,} ?",  # a word, with its spaces
        r"\p{L}",
        r"\p{N}",
        r" [^\s\p{L}\p{N}]+ ",  # a spaced operator
        r"[^\s\p{L}\p{N}]+(?: (?![^\s\p{L}\p{N}]))?",
        r"\n *",
        r"\s",
    )
)
_MARK = "\ufdd0"  # a code point that no text has: put before what is spelled like a special token
CHAT_TEMPLATE = (
    f"{BEGIN}{{% for message in messages %}}"
    f"{{% if message['role'] == 'user' %}}{USER}{{{{ message['content'] }}}}"
    f"{{% else %}}{ASSISTANT}{{{{ message['content'] }}}}{END}{{% endif %}}"
    f"{{% endfor %}}{{% if add_generation_prompt %}}{ASSISTANT}{{% endif %}}"
)
# Words beyond the base data, so that programs of other kinds are not spelled letter by letter.
EXTRA_TEXT = """
def f(items, text, n): for i in range(len(items)): while True: if not a and b or c: elif else: break continue
return None True False append(pop(insert(sorted(reversed(enumerate(zip(sum(len(str(int(list(dict(set(tuple(
.join( .split( .lower() .upper() .isalpha() .append( .pop() ord(chr( ' ' "" [] {} [::-1] [0] [-1] [i + 1] += -= *=
// ** == != <= >= in is not and or total count result left right start end value values number numbers string word
words letter letters character list empty first last next previous index position length largest smallest sum
product difference even odd prime digit digits reverse sort remove insert replace repeat until each every from to
with without of the a an and then otherwise whether equal greater less than between shift encode decode cipher
alphabet vowel consonant grammar rule symbol sequence starts ends contains calls itself apply combine function
""".strip().split("\n")


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Return a tokenizer of `VOCABULARY` tokens trained on `texts`, with the chat template set."""
    tokenizer = Tokenizer(models.BPE())
    pieces = pre_tokenizers.Split(Regex(PIECES), behavior="isolated")
    of_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pieces, of_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, BEGIN, USER, ASSISTANT, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, *EXTRA_TEXT * 20], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=BEGIN, eos_token=END, padding_side="left"
    )
    fast.add_special_tokens({"additional_special_tokens": [USER, ASSISTANT]})
    fast.chat_template = CHAT_TEMPLATE
    return fast


@functools.lru_cache(maxsize=8)
def _special(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    tokens = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    longest_first = sorted(tokens | set(tokenizer.all_special_tokens), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def render_chat(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict[str, str]], add_generation_prompt: bool = False
) -> str:
    """Return a conversation in the chat template's text, for `encode_rendered`.

    What the contents spell like a special token is marked, so that it can be told from the template's own.
    """
    spelled = _special(tokenizer)
    marked = [
        {**message, "content": spelled.sub(lambda found: _MARK + found[0], message["content"].replace(_MARK, ""))}
        for message in messages
    ]
    return tokenizer.apply_chat_template(marked, add_generation_prompt=add_generation_prompt, tokenize=False)


def encode_rendered(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of texts of `render_chat`; special tokens are the template's only.

    What a content spells like one is encoded as ordinary text, as with ``split_special_tokens=True``; all else as
    the tokenizer does it, to the last id. The tokenizer has to give offsets, as those of `tokenizers` do.
    """
    if not texts:
        return []
    encoded = tokenizer([text.replace(_MARK, "") for text in texts], add_special_tokens=False)["input_ids"]
    return [_unspecial(tokenizer, t) if _MARK in t else ids for t, ids in zip(texts, encoded, strict=True)]


def _unspecial(tokenizer: PreTrainedTokenizerBase, marked: str) -> list[int]:
    marks = set(itertools.accumulate(map(len, marked.split(_MARK)[:-1])))
    text = marked.replace(_MARK, "")
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = []
    for token, (start, end) in zip(found["input_ids"], found["offset_mapping"], strict=True):
        if marks.isdisjoint(range(start, end)):
            ids.append(token)
        else:
            ids += tokenizer(text[start:end], add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return ids
