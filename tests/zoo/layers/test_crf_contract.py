import keras
import numpy as np

from tests.contract import LayerContract, some_data
from zoo.layers import CRF

NAMES = ["O", "B-city", "I-city"]


class TestCRF(LayerContract):
    layer_class = CRF
    required = {"num_tags": 3}
    options = {
        "num_tags": 3,
        "tag_names": NAMES,
        "constrain_likelihood": True,
        "use_boundaries": False,
        "transition_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
        "transition_regularizer": keras.regularizers.L2(0.01),
    }

    def model(self):
        keras.utils.set_random_seed(0)
        logits, mask = some_data()
        x = keras.Input((None, logits.shape[-1]))
        valid = keras.Input((None,), dtype="bool")
        crf = self.make(tag_names=NAMES)
        tags, sure = crf(x, mask=valid), crf(x, mask=valid, marginals=True)
        model = keras.Model([x, valid], [tags, sure])
        generator = np.random.default_rng(1)
        for weight in model.weights:
            weight.assign(generator.normal(size=weight.shape))
        return model, [logits, mask]
