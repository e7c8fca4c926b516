"""What a made thing depends on."""

from __future__ import annotations

from functools import partial

from suite import provenance
from suite.provenance import described, source_digest, versions, weights_of, without_records


def test_weights_from_a_folder_are_known_by_size_and_time_of_change(tmp_path):
    file = tmp_path / "net.safetensors"
    file.write_bytes(b"1234")
    first = weights_of(str(tmp_path))
    file.write_bytes(b"12345")
    assert weights_of(str(tmp_path)) != first
    assert weights_of("random") == "random"


def test_the_sources_are_the_parts_and_the_file_of_the_record():
    from suite.models import classic

    found = provenance._sources(classic.MODELS[0], None, ("nets", "spec.py"))
    assert {"suite/nets/mlp.py", "suite/spec.py", "suite.models.classic"} <= set(found)


def test_one_family_does_not_depend_on_another():
    from suite.models import classic, text_encoders

    assert text_encoders.MODELS
    assert "suite.models.text_encoders" not in provenance._sources(classic.MODELS[0], None, ())


def test_another_record_or_a_comment_in_the_same_file_changes_nothing():
    file = b"WIDTH = 2\nMODELS = (1, 2)\n"
    assert without_records(file) == without_records(b"WIDTH = 2  # wide\nMODELS = (1, 3)\n")
    assert without_records(file) != without_records(b"WIDTH = 3\nMODELS = (1, 2)\n")


def test_the_digest_changes_with_a_part_of_the_source(tmp_path, monkeypatch):
    from suite.models import classic

    monkeypatch.setattr(provenance, "SUITE", tmp_path)
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "mlp.py").write_text("a = 1")
    spec = classic.MODELS[0]
    first = source_digest(spec, None, ("nets",))
    assert first == source_digest(spec, None, ("nets",))
    (tmp_path / "nets" / "mlp.py").write_text("a = 2")
    assert first != source_digest(spec, None, ("nets",))


def test_callables_are_described_by_name_and_by_what_they_are_bound_to():
    def outer(width):
        def build():
            return width

        return build

    assert described(partial(int, base=2)) == described(partial(int, base=2))
    assert described(partial(int, base=2)) != described(partial(int, base=3))
    assert described(outer(2)) == described(outer(2)) != described(outer(3))
    assert "0x" not in repr(described({"a": [outer(1), (2.5, None)]}))


def test_versions_are_those_installed_and_absent_packages_are_left_out():
    from importlib.metadata import version

    found = versions(("pytest", "no-such-package-here"))
    assert found["pytest"] == version("pytest")
    assert set(found) == {"python", "pytest"}
