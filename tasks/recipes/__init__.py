"""Recipes: how each trained model was made, to be run again with `zoo train`."""

import importlib
from collections.abc import Mapping

_MODULES = {
    "forecasting_ind_rnn.etth1": "tasks.recipes.etth1_ind_rnn",
    "forecasting_lstm.m4_hourly": "tasks.recipes.m4_hourly",
    "forecasting_segment_gru.etth1": "tasks.recipes.etth1_segment_gru",
    "language_model_lstm.tiny_shakespeare_chars": "tasks.recipes.tiny_shakespeare",
    "ner_lstm_crf.conll2003_en": "tasks.recipes.conll2003",
    "ner_lstm_crf.wnut17_en": "tasks.recipes.wnut17",
    "text_classification_lstm.sst2_en": "tasks.recipes.sst2",
}


class _Recipes(Mapping):
    """Recipe modules by the name of the model they make, imported on first use."""

    def __getitem__(self, name):
        return importlib.import_module(_MODULES[name])

    def __contains__(self, name):
        return name in _MODULES

    def __iter__(self):
        return iter(_MODULES)

    def __len__(self):
        return len(_MODULES)


RECIPES = _Recipes()
