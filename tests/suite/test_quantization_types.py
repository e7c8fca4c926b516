"""Which 8-bit types a CPU gets, by its flags alone."""

from __future__ import annotations

import pytest

from suite.quantization.types import S8S8, U8S7, U8S8, chosen_types, cpu_flags, fastest

ZEN3 = "fpu sse2 ssse3 sse4_1 avx f16c avx2 fma bmi2 vaes".split()
SKYLAKE = "sse2 avx avx2 fma avx512f avx512dq avx512cd avx512bw avx512vl".split()
CASCADE_LAKE = [*SKYLAKE, "avx512_vnni"]
SAPPHIRE_RAPIDS = [*CASCADE_LAKE, "avx_vnni", "amx_bf16", "amx_tile", "amx_int8"]
ALDER_LAKE = "sse2 avx avx2 fma avx_vnni".split()


@pytest.mark.parametrize("flags", [CASCADE_LAKE, SAPPHIRE_RAPIDS, ALDER_LAKE, ["amx_int8"]])
def test_a_cpu_with_vnni_or_amx_gets_unsigned_by_signed_bytes_in_full(flags):
    types = chosen_types(flags)
    assert types is U8S8
    assert (types.activation, types.weight, types.reduce_range) == ("QUInt8", "QInt8", False)


@pytest.mark.parametrize("flags", [ZEN3, SKYLAKE])
def test_without_vnni_the_weights_get_seven_bits(flags):
    types = chosen_types(flags)
    assert types is U8S7
    assert (types.activation, types.weight, types.reduce_range) == ("QUInt8", "QInt8", True)


def test_seven_bits_cannot_saturate_the_sum_of_two_products_and_eight_can():
    assert 2 * 255 * 64 <= 2**15 - 1 < 2 * 255 * 127


def test_no_x86_cpu_gets_the_librarys_default():
    for flags in (ZEN3, SKYLAKE, CASCADE_LAKE, SAPPHIRE_RAPIDS, ALDER_LAKE):
        assert chosen_types(flags).activation == "QUInt8"


@pytest.mark.parametrize("machine", ["aarch64", "arm64", "ARM64"])
def test_arm_multiplies_signed_bytes(machine):
    assert chosen_types(["asimd", "asimddp", "i8mm"], machine) is S8S8
    assert chosen_types([], machine) is S8S8


@pytest.mark.parametrize("flags", [[], ["sse2", "avx"]])
def test_flags_that_do_not_tell_are_answered_with_nothing(flags):
    assert chosen_types(flags) is None
    assert chosen_types(flags, "riscv64") is None


def test_flags_are_read_from_the_first_cpu(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text(
        "processor\t: 0\nmodel name\t: X\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nflags\t\t: fpu\n"
    )
    assert cpu_flags(path) == {"fpu", "avx2"}
    path.write_text("processor\t: 0\nFeatures\t: fp asimd asimddp\n")
    assert cpu_flags(path) == {"fp", "asimd", "asimddp"}


def test_without_that_file_nothing_is_known(tmp_path):
    assert cpu_flags(tmp_path / "cpuinfo") == frozenset()


def test_of_equally_fast_types_the_first_is_taken():
    assert fastest({"u8s8": 1.0, "u8s7": 0.97, "u8u8": 2.0}, 0.05) == "u8s8"
    assert fastest({"u8s8": 1.0, "u8s7": 0.9, "u8u8": 0.87}, 0.05) == "u8s7"
    assert fastest({"u8s8": 1.0, "u8s7": 0.9, "u8u8": 0.5}, 0.05) == "u8u8"
