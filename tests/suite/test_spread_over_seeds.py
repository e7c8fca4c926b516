"""The table of spreads: what is known of a margin, and what is not."""

import pytest

pytestmark = pytest.mark.heavy


def row(value, seed, **more):
    from spread_over_seeds import settings_key

    from suite.catalog import spec_for

    key = settings_key(spec_for("mlp").sizes["tiny"], "train")
    about = {"model": "mlp", "data": "digits", "instructions": "AVX2", "what": "train"}
    return {**about, "seed": seed, "value": value, "key": key, **more}


def test_a_margin_is_near_only_where_its_spread_is_known():
    from spread_over_seeds import table

    (alone,) = list(table([row(80.0, 0)]))[2:]
    assert alone.endswith("| 1 | 80 | unknown | 80 | 8 | unknown |")
    (far,) = list(table([row(80.0, 0), row(84.0, 1)]))[2:]
    assert far.endswith("| 2 | 82 | 2.8 | 80 | 8 | 26.2 |")
    (near,) = list(table([row(10.0, 0), row(14.0, 1)]))[2:]
    assert near.endswith("| 2 | 12 | 2.8 | 10 | 8 | 1.4 (!) |")


def test_a_row_of_other_settings_is_not_counted():
    from spread_over_seeds import table

    assert len(list(table([row(80.0, 0, key="of before")]))) == 2


def test_a_row_of_fine_tuning_on_data_that_was_replaced_is_not_counted():
    from spread_over_seeds import is_current, settings_key

    from suite.catalog import spec_for

    key = settings_key(spec_for("bert_classifier").sizes["tiny"], "lora")
    about = {"model": "bert_classifier", "what": "lora", "key": key}
    data = ("sentences", "endings", "docstrings")
    assert [is_current({**about, "data": name}) for name in data] == [True, True, False]
