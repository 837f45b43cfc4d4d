"""Tables and pictures with which the walkthrough notebooks look at programs, documents, training and answers.

Everything here is for reading: what is measured comes from `pbb.analysis`, and colours from `pbb.figures`. Nothing
imports torch but `loss_tokens`, which needs the tokenizer as training uses it.
"""

from pbb.notebook.views.answers import (
    against_controls,
    at_the_end,
    before_and_after,
    intervals,
    one_of_each,
    recall_against_execution,
    show,
)
from pbb.notebook.views.page import table
from pbb.notebook.views.programs import (
    contamination,
    guess_picture,
    guesses,
    kept_apart,
    length_picture,
    of_each_domain,
    one_of_each_kind,
    outputs_picture,
    parts_picture,
    program_cards,
    token_lengths,
)
from pbb.notebook.views.training import (
    loss_curve,
    loss_tokens,
    plant_leak,
    refusal,
    sample_documents,
    stages,
    training_log,
)

__all__ = [
    "against_controls",
    "at_the_end",
    "before_and_after",
    "contamination",
    "guess_picture",
    "guesses",
    "intervals",
    "kept_apart",
    "length_picture",
    "loss_curve",
    "loss_tokens",
    "of_each_domain",
    "one_of_each",
    "one_of_each_kind",
    "outputs_picture",
    "parts_picture",
    "plant_leak",
    "program_cards",
    "recall_against_execution",
    "refusal",
    "sample_documents",
    "show",
    "stages",
    "table",
    "token_lengths",
    "training_log",
]
