"""Faults that the layers beside the LSTM, and the scans they run on, could have."""

from tests.fault import Fault

LAYERS, OPS = "tests/zoo/layers/", "tests/zoo/ops/"
SCAN = OPS + "test_linear_scan.py"
QRNN = LAYERS + "test_qrnn.py::"
IND_RNN = LAYERS + "test_ind_rnn.py::"
NTM = (
    OPS + "test_ntm.py",
    LAYERS + "test_ntm.py::test_a_feed_forward_controller_equals_the_equation",
)
CELL = LAYERS + "test_attention_cell.py::"
BAHDANAU = LAYERS + "test_bahdanau_attention.py::"
CONNECTIONS = LAYERS + "test_stack.py::TestConnections"


def fault(place, old, new, *tests):
    return Fault(place, old, new, tests)


LAYER_FAULTS = {
    "linear scan: the adjoint drops what it carries": fault(
        "zoo.ops.linear_scan:_adjoint", "inputs[1] + state[0]", "inputs[1]", SCAN
    ),
    "linear scan: the parallel adjoint has the decay of its own step": fault(
        "zoo.ops.linear_scan:_adjoint",
        "shift(a, ops.zeros_like(a[0]), not reverse)",
        "a",
        SCAN,
    ),
    "linear scan: a masked step decays": fault(
        "zoo.ops.linear_scan:linear_scan", "ops.where(valid, a, 1)", "a", SCAN
    ),
    "linear scan: a reset keeps the state": fault(
        "zoo.ops.linear_scan:linear_scan", "reset is not None", "False", SCAN
    ),
    "checkpointed scan: gradients of weights are those of one step": fault(
        "zoo.ops.checkpointed_scan:_adjoint",
        "(a + b for a, b in sums)",
        "(b for _, b in sums)",
        OPS + "test_checkpointed_scan.py",
    ),
    "bulk scan: gradients of vectors are those of one step": fault(
        "zoo.ops.bulk_scan:_adjoint",
        "[a + b for a, b in",
        "[b for _, b in",
        OPS + "test_bulk_scan.py",
    ),
    "GRU: the reset gate acts after the product": fault(
        "zoo.ops.gru:_gates_before",
        "candidate_product(zr[:, n:] * fed)",
        "zr[:, n:] * candidate_product(fed)",
        LAYERS + "test_gru.py::TestResetBefore",
    ),
    "GRU: the candidate's bias passes the reset gate by": fault(
        "zoo.ops.gru:_gates_after",
        "zr[:, n:] * inner",
        'zr[:, n:] * u[:, 2 * n :] + given["candidate_bias"]',
        LAYERS + "test_gru.py::TestZoneout",
    ),
    "IndRNN: the bound is not applied": fault(
        "zoo.layers.ind_rnn:IndRNN.scan",
        "bound=self.recurrent_bound",
        "bound=None",
        IND_RNN + "TestBound",
    ),
    "IndRNN: weights beyond the bound get a gradient": fault(
        "zoo.ops.ind_rnn:ind_rnn",
        "clipped == recurrent_kernel",
        "clipped == clipped",
        OPS + "test_ind_rnn.py",
    ),
    "QRNN: the mask is ignored": fault(
        "zoo.layers.qrnn:QRNN.scan",
        "linear_scan(f, b, c0, mask=mask",
        "linear_scan(f, b, c0, mask=None",
        QRNN + "TestQRNN",
    ),
    "QRNN: the window sees masked steps": fault(
        "zoo.ops.qrnn:_neighbours",
        "hold(x, mask, first",
        "hold(x, None, first",
        QRNN + "TestQRNN",
    ),
    "QRNN: the window of a split sequence is lost": fault(
        "zoo.layers.qrnn:QRNN._unpack",
        "ops.split(rest[0]",
        "ops.split(ops.zeros_like(rest[0])",
        QRNN + "TestQRNN",
    ),
    "QRNN: zoneout at inference is that of dropout": fault(
        "zoo.layers.qrnn:QRNN._gates",
        "f + self.zoneout * (1 - f)",
        "(1 - self.zoneout) * f",
        QRNN + "TestQRNN",
    ),
    "QRNN: zoneout rescales what it leaves": fault(
        "zoo.layers.qrnn:QRNN._gates",
        "ops.where(kept, 1, f)",
        "ops.where(kept, 1, f * (1 - self.zoneout))",
        QRNN + "TestPooling",
    ),
    "MinLSTM: the gates do not sum to one": fault(
        "zoo.layers.min_lstm:MinLSTM.scan",
        "ops.sigmoid(more),",
        "ops.sigmoid(f),",
        LAYERS + "test_min_lstm.py::TestMinLSTM",
    ),
    "MinGRU: the gate is the other way round": fault(
        "zoo.layers.min_gru:MinGRU.scan",
        "ops.sigmoid(-z)",
        "ops.sigmoid(z)",
        LAYERS + "test_min_gru.py::TestMinGRU",
    ),
    "RGLRU: inputs are not scaled by the decay": fault(
        "zoo.layers.rglru:RGLRU.scan",
        "ops.sqrt(rest) * (i * x)",
        "i * x",
        LAYERS + "test_rglru.py::TestRGLRU",
    ),
    "NTM: shifts go the other way": fault(
        "zoo.ops.ntm:circular_shift",
        "count - 1 - k : count - 1 - k + slots",
        "k : k + slots",
        *NTM,
    ),
    "NTM: heads read what has just been written": fault(
        "zoo.ops.ntm_step:ntm_step",
        "weighting[:, :n] @ whole",
        "weighting[:, :n] @ (cells + machine.initial_memory)",
        *NTM,
    ),
    "NTM: heads erase what was just added": fault(
        "zoo.ops.ntm:change", "memory * erased", "(memory + added) * erased", *NTM
    ),
    "NTM: masked steps write": fault(
        "zoo.ops.ntm_step:ntm_step",
        "return tuple(ops.where(valid, a, b)",
        "return new[:1] + tuple(ops.where(valid, a, b)",
        *NTM,
    ),
    "attention: the mask is ignored": fault(
        "zoo.ops.attention:masked_softmax",
        "mask is None",
        "True",
        BAHDANAU + "TestBahdanauAttention",
    ),
    "attention: a row of padding alone looks everywhere": fault(
        "zoo.ops.attention:masked_softmax",
        "ops.where(mask, exponentials, ops.zeros_like(exponentials))",
        "exponentials",
        BAHDANAU + "TestBahdanauAttention",
    ),
    "attention: padding is multiplied away, so NaN stays": fault(
        "zoo.layers.attention:Attention.clean",
        "ops.where(mask, x, ops.zeros_like(x))",
        "x * ops.cast(mask, x.dtype)",
        BAHDANAU + "TestBahdanauAttention",
    ),
    "attention: coverage is that of the last step": fault(
        "zoo.layers.attention:Attention.next_alignments",
        "alignment + weights",
        "weights",
        BAHDANAU + "TestCoverage",
    ),
    "AttentionCell: a masked step changes the attentional vector": fault(
        "zoo.layers.attention_step:AttentionStep.__call__",
        '_hold(mask, tanh(multiply("output_kernel", joined)), before)',
        'tanh(multiply("output_kernel", joined))',
        CELL + "TestAfter",
    ),
    "AttentionCell: a masked step changes the alignments": fault(
        "zoo.layers.attention_step:AttentionStep.__call__",
        "[_hold(mask, *pair) for pair in zip(later, alignments, strict=True)]",
        "list(later)",
        CELL + "TestAnyCellReverse",
    ),
    "AttentionCell: each step of a cell draws the same": fault(
        "zoo.layers.cell_steps:CellStep._seeds",
        'keras.random.randint((time, 2), 0, 2**31 - 1, "int32", self.generator)',
        "ops.repeat(keras.random.randint((1, 2), 0, 2**31 - 1, "
        '"int32", self.generator), time, 0)',
        CELL + "TestNoise",
    ),
    "Stack: residual connections are lost": fault(
        "zoo.layers.between:_Connection.call",
        "joined = inputs + outputs",
        "joined = outputs",
        CONNECTIONS,
    ),
    "Stack: the gate of highways is the other way round": fault(
        "zoo.layers.between:_Connection.call",
        "inputs + transform * (outputs - inputs)",
        "outputs + transform * (inputs - outputs)",
        CONNECTIONS,
    ),
    "Stack: dropout draws anew at every step": fault(
        "zoo.layers.stack:Stack._drop",
        "ops.expand_dims(mask, 1)",
        "ops.reshape(dropout_mask(self.dropout, (shape[0] * shape[1], shape[-1]), "
        "self.seed_generator, x.dtype), shape)",
        LAYERS + "test_stack.py::TestDropout",
    ),
    "dropout: what is kept is not made larger": fault(
        "zoo.ops.dropout:dropout_mask",
        "1 / (1 - rate) if rate < 1 else 0",
        "1",
        OPS + "test_dropout.py",
    ),
    "Hierarchical: a sentence without words is read": fault(
        "zoo.layers.hierarchical:Hierarchical.call",
        "mask=known",
        "mask=None",
        LAYERS + "test_hierarchical.py::TestHierarchical",
    ),
    "SequenceBatchNormalization: padding counts": fault(
        "zoo.layers.sequence_batch_normalization:SequenceBatchNormalization._of_batch",
        "ops.sum(ops.cast(valid, self._wide))",
        "ops.sum(ops.ones_like(ops.cast(valid, self._wide)))",
        LAYERS + "test_sequence_batch_normalization.py::TestTraining",
    ),
}
