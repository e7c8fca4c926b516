"""Which nodes of a fleet may stand in for each other."""

import pytest
from fleet_twin import facts

from bench.fleet.errors import FleetError
from bench.fleet.kinds import Kind, chosen_kinds, kinds_of


def test_nodes_with_one_label_and_one_fingerprint_are_one_kind():
    kinds, left_out = kinds_of(
        [facts("a", label="amx"), facts("b", label="amx"), facts("c", label="arm")]
    )
    assert [(kind.name, len(kind.nodes)) for kind in kinds] == [("amx", 2), ("arm", 1)]
    assert left_out == ()


def test_a_node_that_has_the_label_of_another_machine_is_left_out_and_told_why():
    nodes = [
        facts("a", label="amx"),
        facts("b", label="amx"),
        facts("c", label="amx", fingerprint="123"),
    ]
    (kind,), left_out = kinds_of(nodes)
    assert [node.node for node in kind.nodes] == ["a", "b"]
    assert [node.node for node, _ in left_out] == ["c"]
    assert "another machine (fingerprint 123" in left_out[0][1]


def test_nodes_without_a_label_are_a_kind_for_each_fingerprint():
    kinds, _ = kinds_of([facts("a"), facts("b", fingerprint="123"), facts("c")])
    assert sorted(len(kind.nodes) for kind in kinds) == [1, 2]
    assert len({kind.name for kind in kinds}) == 2
    assert all(len({node.fingerprint for node in kind.nodes}) == 1 for kind in kinds)


def test_a_node_that_cannot_be_prepared_is_left_out_with_its_reason():
    kinds, left_out = kinds_of([facts("a", problem="torch cannot be imported there"), facts("b")])
    assert len(kinds) == 1
    assert left_out[0][1] == "torch cannot be imported there"


def test_a_label_that_is_no_name_is_refused():
    kinds, left_out = kinds_of([facts("a", label="a/../b")])
    assert kinds == ()
    assert "expected letters" in left_out[0][1]


def test_kinds_are_chosen_by_name():
    kinds = [Kind(name="amx", nodes=(facts("a"),)), Kind(name="arm", nodes=(facts("b"),))]
    assert [kind.name for kind in chosen_kinds(kinds, "all")] == ["amx", "arm"]
    assert [kind.name for kind in chosen_kinds(kinds, "arm")] == ["arm"]


def test_a_kind_that_is_not_there_is_an_error_with_those_that_are():
    kinds = [Kind(name="xeon-amx", nodes=(facts("a"),))]
    with pytest.raises(FleetError, match=r"--fleet-kinds xeon-amy: no such kind.*xeon-amx"):
        chosen_kinds(kinds, "xeon-amy")
