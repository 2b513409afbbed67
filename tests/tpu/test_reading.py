"""What programs tell of themselves, in the words of the compilers that write them."""

import subprocess
import sys

import jax
import numpy as np
import pytest

from tasks.tpu import reading

# What the compiler makes of chips that share a loop; shortened from real programs.
HLO = """HloModule jit_train, is_scheduled=true

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[]{:T(128)} parameter(0)
  ROOT %add.1 = f32[]{:T(128)} add(%a, %b)
}

%branch.1 (p: f32[13,13]) -> f32[13,13] {
  %p = f32[13,13]{1,0:T(8,128)} parameter(0)
  ROOT %all-reduce.19 = f32[13,13]{1,0:T(8,128)S(1)} all-reduce(%p), channel_id=3
}

%body.1 (carried: (s32[], f32[20,200])) -> (s32[], f32[20,200]) {
  %carried = (s32[]{:T(128)}, f32[20,200]{1,0:T(8,128)}) parameter(0)
  %all-gather-start.1 = (f32[5], f32[20]) all-gather-start(%x), channel_id=4
  ROOT %c = (s32[]{:T(128)}) conditional(%i, %u), branch_computations={%branch.1, %add}
}

ENTRY %main.1 (w: f32[20002,64]) -> f32[] {
  %w = f32[20002,64]{0,1:T(8,128)} parameter(0), metadata={op_name="s[32,999]"}
  %one = bf16[3,100]{1,0:T(8,128)(2,1)} parameter(1)
  %while.1 = (s32[]{:T(128)}, f32[20,200]{1,0:T(8,128)}) while(%t), body=%body.1
  %all-reduce.2 = f32[]{:T(128)} all-reduce(%sum), to_apply=%add
}
"""


def lowered(function, *arrays, platform="tpu"):
    given = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays]
    made = jax.jit(function).trace(*given).lower(lowering_platforms=(platform,))
    return made.as_text()


class TestCallbacks:
    @pytest.mark.parametrize("kind", ["pure_callback", "io_callback"])
    def test_finds_those_of_jax(self, kind):
        from jax.experimental import io_callback

        call = {"pure_callback": jax.pure_callback, "io_callback": io_callback}[kind]
        x = np.zeros(3, "float32")
        text = lowered(lambda x: call(lambda x: x, x, x), x, platform="cpu")
        assert reading.callbacks(text)

    @pytest.mark.parametrize(
        "line, name",
        [
            (
                '  %c = f32[] custom-call(%x), custom_call_target="xla_py_callback"',
                "xla",
            ),
            ("  %r = (f32[], u32[]) recv(%t), is_host_transfer=true", "recv"),
            ("  %f = ((f32[]), token[]) infeed(%t)", "infeed"),
            ('  %1 = "stablehlo.outfeed"(%0, %t)', "outfeed"),
        ],
    )
    def test_finds_what_talks_to_the_host(self, line, name):
        (found,) = reading.callbacks(line)
        assert found.startswith(name)

    def test_knows_other_calls(self):
        text = lowered(lambda x: jax.lax.top_k(x, 2), np.zeros(9, "float32"))
        assert not reading.callbacks(text)

    def test_knows_what_chips_say_to_each_other(self):
        line = '  %r = (f32[], u32[]) recv(%t), metadata={op_name="infeed"}'
        assert not reading.callbacks(line)


class TestDynamicShapes:
    def test_finds_a_size_that_is_open(self):
        from jax import export

        (n,) = export.symbolic_shape("n")
        x = jax.ShapeDtypeStruct((n, 2), "float32")
        made = export.export(jax.jit(lambda x: x.reshape(-1)), platforms=["tpu"])(x)
        assert "?" in reading.dynamic_shapes(made.mlir_module())

    @pytest.mark.parametrize(
        "line, what",
        [
            ("  %a = f32[2,<=32]{1,0} parameter(0)", "<="),
            ("  %s = f32[9]{0} set-dimension-size(%x, %n)", "set-dimension-size"),
            ('  custom-call(%x), custom_call_target="PadToStatic"', "PadToStatic"),
        ],
    )
    def test_finds_a_size_that_is_only_bounded(self, line, what):
        assert reading.dynamic_shapes(line) == {what}

    @pytest.mark.parametrize(
        "size, found", [("2", set()), ("1", {"set_dimension_size"})]
    )
    def test_a_size_that_is_set_to_what_it_is_stays(self, size, found):
        text = (
            f"%c_4 = stablehlo.constant dense<{size}> : tensor<i32> loc(#loc3)\n"
            "%1 = stablehlo.set_dimension_size %0, %c_4, dim = 1 : "
            "(tensor<3x2xf32>, tensor<i32>) -> tensor<3x2xf32>"
        )
        assert reading.dynamic_shapes(text) == found

    def test_a_size_that_is_computed_is_open(self):
        text = (
            "%1 = stablehlo.set_dimension_size %0, %n, dim = 0 : "
            "(tensor<3xf32>, tensor<i32>) -> tensor<?xf32, bound>"
        )
        assert "set_dimension_size" in reading.dynamic_shapes(text)

    def test_reads_past_long_constants(self):
        # Digits of wide layers' constants; a search that takes the square of their
        # number of steps would not end.
        code = (
            "from tasks.tpu.reading import read\n"
            """text = '%c = stablehlo.constant dense<"0x'\n"""
            """text += '0000003F' * 10**6 + '">'\n"""
            "print(read(text, text)['dynamic_shapes'])"
        )
        run = [sys.executable, "-c", code]
        done = subprocess.run(run, capture_output=True, text=True, timeout=120)
        assert done.stdout == "[]\n", done.stderr

    def test_knows_slices_at_places_that_are_open(self):
        text = lowered(
            lambda x, i: jax.lax.dynamic_slice(x, (i,), (2,)),
            np.zeros(9, "float32"),
            np.zeros((), "int32"),
        )
        assert "dynamic_slice" in text
        assert not reading.dynamic_shapes(text)


class TestCollectives:
    def test_are_counted(self):
        found = reading.read("", HLO)
        assert found["collectives"] == {"all-reduce": 2, "all-gather": 1}

    def test_what_is_added_up_has_a_size(self):
        assert reading.read("", HLO)["all_reduce_bytes"] == 4 * (13 * 13 + 1)

    def test_those_in_loops_are_told(self):
        assert reading.read("", HLO)["collectives_in_loops"] == 2

    def test_loops_reach_into_branches(self):
        assert reading.in_loops(reading.computations(HLO)) == {
            "body.1",
            "branch.1",
            "add",
        }


class TestPadding:
    @pytest.mark.parametrize(
        "array, real, padded",
        [
            # The innermost axis has 20,002 numbers, filled up to 20,096.
            (("f32", "20002,64", "0,1", "T(8,128)"), 20002 * 64 * 4, 20096 * 64 * 4),
            (("f32", "20,200", "1,0", "T(8,128)"), 16000, 24 * 256 * 4),
            (("bf16", "3,100", "1,0", "T(8,128)(2,1)"), 600, 8 * 128 * 2),
            (("f32", "", "", "T(128)"), 4, 512),
            (("pred", "5,2,7", "2,1,0", "T(8,128)(4,1)"), 70, 5 * 8 * 128),
            (("s64", "3", "0", ""), 24, 24),
        ],
    )
    def test_of_an_array(self, array, real, padded):
        assert reading.array_bytes(*array) == (real, padded)

    def test_is_of_arguments_and_of_what_loops_carry(self):
        real = 20002 * 64 * 4 + 600 + 4 + 16000
        padded = 20096 * 64 * 4 + 2048 + 512 + 24 * 256 * 4
        assert reading.memory_padding(HLO) == pytest.approx(1 - real / padded)

    def test_of_a_refused_program_is_none(self):
        assert reading.memory_padding("") == 0
