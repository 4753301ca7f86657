"""Embeddings in figures: read, put into the plane, compared with prototypes, and published."""

import numpy as np
import pytest
from drawing import HEATMAP, TSNE, fill_store, make_records, make_suite, make_tables, write_embeddings
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from clopbench.errors import UserError
from clopbench.report.document import report
from clopbench.report.figures import canvas, embeddings
from clopbench.report.figures.attachments import Attachments, Embeddings, LocalAttachments, read_embeddings
from clopbench.report.publication import arms_by_scale, publish_store, published_records
from clopbench.suite.figures import PrototypeHeatmap, TsneFigure


def test_embeddings_are_read_as_they_were_kept(tmp_path):
    path = tmp_path / "embeddings.npz"
    z_ND, y_N, prototype_KD = write_embeddings(path)
    found = read_embeddings(path)
    np.testing.assert_array_equal(found.z_ND, z_ND)
    np.testing.assert_array_equal(found.y_N, y_N)
    np.testing.assert_array_equal(found.prototype_KD, prototype_KD)
    write_embeddings(path, prototypes=False)
    assert read_embeddings(path).prototype_KD is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (None, "not an archive of arrays"),
        ({"z_ND": np.ones((3, 2))}, "holds no y_N"),
        ({"z_ND": np.ones((3, 2)), "y_N": np.arange(4)}, "z_ND must be finite [N, D] and y_N [N]"),
        ({"z_ND": np.full((3, 2), np.nan), "y_N": np.arange(3)}, "z_ND must be finite"),
        (
            {"z_ND": np.ones((3, 2)), "y_N": np.arange(3), "prototype_KD": np.ones((4, 3))},
            "prototype_KD must be finite [K, 2], not (4, 3)",
        ),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path, arrays, message):
    path = tmp_path / "0123456789abcdef.npz"
    if arrays is None:
        path.write_bytes(b"no zip file")
    else:
        np.savez(path, **arrays)
    with pytest.raises(UserError) as refused:
        read_embeddings(path)
    assert str(path) in str(refused.value)
    assert message in str(refused.value)


def test_the_start_of_tsne_is_two_principal_components(tmp_path):
    z_ND, _, _ = write_embeddings(tmp_path / "e.npz")
    ours, theirs = embeddings.start(z_ND), PCA(2, svd_solver="full").fit_transform(z_ND)
    correlation = np.corrcoef(ours.T, theirs.T)[:2, 2:]
    np.testing.assert_allclose(np.abs(correlation), np.eye(2), atol=1e-5)
    np.testing.assert_allclose(ours[:, 0].std(), 1e-4, rtol=1e-5)
    # Reflected embeddings start, and so end, at the same place.
    np.testing.assert_allclose(embeddings.start(-z_ND), ours, atol=1e-9)


def test_tsne_puts_classes_together_and_prototypes_among_their_own(tmp_path):
    write_embeddings(tmp_path / "e.npz", classes=6)
    shown, figure = read_embeddings(tmp_path / "e.npz"), TsneFigure(**TSNE)
    points = embeddings.plane(figure, shown)
    assert points.shape == (206, 2)
    nearest = cdist(points, points[:200]) + np.where(np.eye(206, 200, dtype=bool), np.inf, 0)
    labels = np.concatenate([shown.y_N, np.arange(6)])
    assert (shown.y_N[nearest.argmin(1)] == labels).mean() > 0.98
    np.testing.assert_array_equal(points, embeddings.plane(figure, shown))


def test_tsne_of_collapsed_and_of_few_embeddings_is_drawn_without_warnings():
    y_N = np.arange(8) % 2
    for z_ND in (np.tile([[1.0, 0.0, 0.0]], (8, 1)), np.eye(8)[:, :3]):
        points = embeddings.plane(TsneFigure(**TSNE), Embeddings(z_ND, y_N, None))
        assert np.isfinite(points).all()


def test_cosines_against_another_implementation(tmp_path):
    write_embeddings(tmp_path / "e.npz", classes=4)
    shown = read_embeddings(tmp_path / "e.npz")
    assert shown.prototype_KD is not None
    means = embeddings.class_means(shown)
    np.testing.assert_allclose(means[2], shown.z_ND[2::4].mean(0))
    expected = 1 - cdist(means, shown.prototype_KD, "cosine")
    np.testing.assert_allclose(embeddings.cosines(means, shown.prototype_KD), expected)
    own = embeddings.cosines(shown.prototype_KD, shown.prototype_KD)
    np.testing.assert_allclose(own, np.eye(4), atol=1e-6)


def test_a_class_without_images_leaves_its_row_empty(tmp_path):
    write_embeddings(tmp_path / "e.npz", classes=4)
    full = read_embeddings(tmp_path / "e.npz")
    kept = full.y_N != 1
    means = embeddings.class_means(Embeddings(full.z_ND[kept], full.y_N[kept], full.prototype_KD))
    assert np.isnan(means[1]).all()
    assert np.isfinite(means[[0, 2, 3]]).all()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A suite that shows embeddings, and the records and embeddings of a results folder."""
    folder = tmp_path_factory.mktemp("stored")
    suite = make_suite(folder, [TSNE, HEATMAP])
    records = make_records(suite, seeds=2)
    return suite, records, fill_store(folder / "local", records)


def test_heatmap_shows_class_means_above_prototypes(stored):
    suite, records, store = stored
    with canvas.theme():
        figure = embeddings.draw_heatmap(
            PrototypeHeatmap(**HEATMAP), make_tables(suite, records), LocalAttachments(store)
        )
    panels = [axes for axes in figure.get_axes() if axes.get_visible() and axes.get_xlabel()]
    assert [axes.get_title() for axes in panels] == [
        "CLOP, learning rate 0.1",
        "CLOP, learning rate 10",
        "",
        "",
    ]
    below = np.asarray(panels[2].collections[0].get_array()).reshape(10, 10)
    np.testing.assert_allclose(below, np.eye(10), atol=1e-6)
    assert panels[0].collections[0].get_clim() == (-1, 1)


def test_many_classes_are_not_all_coloured(tmp_path):
    suite = make_suite(tmp_path, [TSNE | {"points": {"method": "clop", "learning_rate": 10}}])
    records = make_records(suite, seeds=1)
    store = fill_store(tmp_path / "local", records)
    figure = suite.table("rates").figures[0]
    assert isinstance(figure, TsneFigure)
    tables, local = make_tables(suite, records), LocalAttachments(store)
    [(shown, _)] = embeddings.at_hand(figure, tables[0], local)
    assert shown.cell is not None
    write_embeddings(local.embeddings_path(shown.cell.id), classes=14)
    with canvas.theme():
        drawn = embeddings.draw_tsne(figure, tables, local)
    [legend] = drawn.legends
    assert [text.get_text() for text in legend.get_texts()] == [*map(str, range(10)), "others", "prototype"]
    assert "Only the first 10 of 14 classes" in embeddings.tsne_caption(figure, tables, local)


def test_publishing_takes_the_embeddings_of_declared_figures_along(stored, tmp_path):
    _, _, store = stored
    suite = make_suite(tmp_path, [HEATMAP])
    list(publish_store(suite, store))
    folder = tmp_path / "results" / "published" / "embeddings"
    wanted = {
        entry.cell(0).id: entry
        for entry in suite.benchmark("rates").entries
        if entry.coordinates in [{"method": "clop", "learning_rate": rate} for rate in ("0.1", "10")]
    }
    assert {path.stem for path in folder.iterdir()} == wanted.keys()
    for cell_id in wanted:
        source = LocalAttachments(store).embeddings_path(cell_id)
        assert (folder / f"{cell_id}.npz").read_bytes() == source.read_bytes()
    document = report(suite, arms_by_scale(published_records(suite)))
    assert "tables/rates/prototype_heatmap.png" in document.pictures
    assert "Not in figure" not in document.texts["tables/rates/README.md"]
    # One is lost: the document says so, and shows the other.
    lost = next(cell_id for cell_id, entry in wanted.items() if entry.coordinates["learning_rate"] == "10")
    (folder / f"{lost}.npz").unlink()
    text = report(suite, arms_by_scale(published_records(suite))).texts["tables/rates/README.md"]
    assert "Not in figure prototype_heatmap at scale laptop: CLOP, learning rate 10 (no embeddings).\n" in text
    # No figure shows them any more: they go.
    list(publish_store(make_suite(tmp_path, []), store))
    assert list(folder.iterdir()) == []


def test_methods_without_prototypes_are_named(stored):
    suite, records, store = stored
    figure = PrototypeHeatmap(**{**HEATMAP, "points": {"learning_rate": ["0.1"]}})
    [table] = make_tables(suite, records)
    assert embeddings.missing(figure, table, LocalAttachments(store)) == [
        "SimCLR, learning rate 0.1 (no prototypes)",
        "SupCon, learning rate 0.1 (no prototypes)",
    ]
    assert len(embeddings.missing(figure, table, Attachments(suite))) == 3
