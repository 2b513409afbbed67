"""Recipes: how each trained model was made, to be run again with `zoo train`."""

import importlib
from collections.abc import Mapping

# Where each recipe is: a module, or one of several in it.
_PLACES = {
    "captioning_lstm_attention.flickr8k_en": "tasks.recipes.flickr8k",
    "forecasting_ind_rnn.etth1": "tasks.recipes.etth1:IND_RNN",
    "forecasting_lstm.m4_hourly": "tasks.recipes.m4_hourly",
    "forecasting_segment_gru.etth1": "tasks.recipes.etth1:SEGMENT_GRU",
    "language_model_lstm.tiny_shakespeare_chars": "tasks.recipes.tiny_shakespeare",
    "language_model_qrnn.ptb_words": "tasks.recipes.ptb_words",
    "language_model_zoneout_lstm.ptb_chars": "tasks.recipes.ptb_chars",
    "ner_lstm_crf.conll2003_en": "tasks.recipes.conll2003",
    "ner_lstm_crf.wnut17_en": "tasks.recipes.wnut17",
    "text_classification_lstm.sst2_en": "tasks.recipes.sst2",
    "text_classification_qrnn.imdb_en": "tasks.recipes.imdb",
    "translation_lstm_attention.multi30k_en_de": "tasks.recipes.multi30k",
    "translation_lstm_attention.tatoeba_en_de": "tasks.recipes.tatoeba",
}


class _Recipes(Mapping):
    """Recipes by the name of the model they make, imported on first use."""

    def __getitem__(self, name):
        module, _, attribute = _PLACES[name].partition(":")
        found = importlib.import_module(module)
        return getattr(found, attribute) if attribute else found

    def __contains__(self, name):
        return name in _PLACES

    def __iter__(self):
        return iter(_PLACES)

    def __len__(self):
        return len(_PLACES)


RECIPES = _Recipes()
