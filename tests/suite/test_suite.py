"""What lies in a suite's folders and is a declaration, and what is not."""

from checkout import suite_of


def test_only_files_at_the_top_of_tables_are_declarations(tmp_path):
    """A table's folder is made by the report, whatever stands in it."""
    suite = suite_of(tmp_path, "table7", "theory")
    assert suite.table_names() == ["table7", "theory"]
    for folder in ("table7", "theory_old", "named_like.yaml"):
        (tmp_path / "tables" / folder).mkdir()
        (tmp_path / "tables" / folder / "inner.yaml").write_text("title: no declaration\n")
    assert suite.table_names() == ["table7", "theory"]
