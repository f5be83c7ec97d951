from keras_rectifiers.cli.progress import counted
from keras_rectifiers.cli.progress import epoch_line


def test_an_epoch_is_one_line():
    """The line says on which data each figure is measured, and leaves layers out."""
    logs = {
        "accuracy": 0.9,
        "loss": 0.25,
        "val_accuracy": 0.5,
        "val_loss": 1.0,
        "dead_fraction": 0.125,
        "silent_fraction": 0.5,
        "dead_fraction/first": 1.0,
        "revived": 3.0,
    }

    assert epoch_line(2, 9, logs, "test data") == (
        "epoch 2/9  training: accuracy 0.9, loss 0.25; test: accuracy 0.5, loss 1; "
        "units: 12.5% dead, 50.0% silent; revived 3"
    )


def test_without_held_out_samples_the_metrics_are_those_of_training():
    """Where nothing is held out, the metrics of training are shown."""
    line = epoch_line(1, 1, {"accuracy": 0.5}, "training data")

    assert line == "epoch 1/1  training: accuracy 0.5"


def test_counting_gives_every_item_once():
    """What is counted is given on unchanged; without a total it is left alone."""
    stream = object()

    with counted(iter("abc"), 3) as items:
        given = list(items)
    with counted(stream, None) as same:
        assert same is stream
    assert given == ["a", "b", "c"]
