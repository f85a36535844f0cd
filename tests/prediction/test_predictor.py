"""What a loaded export answers, apart from its network."""

import pytest

from kseg.prediction.predictor import ExportPredictor


@pytest.mark.once("torch")
def test_what_an_export_leaves_out_is_not_asked_for():
    loaded = ExportPredictor("models/1", "instance", ["nucleus"], [(255, 0, 0)], 3, "mask_ap")
    loaded.tasks, loaded.told = "kseg.deployment.saved_model", {"min_score": 0.5, "threshold": 0.4}
    assert loaded.chosen(min_score=0.7) == {"min_score": 0.7, "threshold": 0.4}
    assert loaded.chosen() == loaded.told
    for ask in (loaded.chosen, loaded.check_options):
        with pytest.raises(
            ValueError, match=r"min_score=0.1: expected at least 0.5.*min_score=0.0"
        ):
            ask(min_score=0.1)
    with pytest.raises(ValueError, match="tile=64"):
        loaded.check_options(tile=64)
