"""Tables and pictures with which the walkthrough notebooks look at programs, training and answers.

Everything here is for reading: what is measured comes from `pbb.analysis`, and colours from `pbb.figures`. Nothing
imports torch but `training.loss_tokens`, which needs the tokenizer as training uses it.
"""

from pbb.notebook.views import answers, programs, training

__all__ = ["answers", "programs", "training"]
