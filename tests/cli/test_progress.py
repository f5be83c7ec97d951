from keras_rectifiers.cli.progress import counted
from keras_rectifiers.cli.progress import epoch_line


def test_an_epoch_is_one_line():
    """The line has the loss, what was held out, and the units, and no layers."""
    logs = {
        "accuracy": 0.9,
        "loss": 0.25,
        "val_accuracy": 0.5,
        "val_loss": 1.0,
        "dead_fraction": 0.125,
        "silent_fraction": 0.5,
        "dead_fraction/first": 1.0,
    }

    assert epoch_line(2, 9, logs) == (
        "epoch 2/9  loss 0.25  val_accuracy 0.5  val_loss 1  dead 12.5%  silent 50.0%"
    )


def test_without_held_out_samples_the_metrics_are_those_of_training():
    """Where nothing is held out, the metrics of training are shown."""
    assert epoch_line(1, 1, {"accuracy": 0.5}) == "epoch 1/1  accuracy 0.5"


def test_counting_gives_every_item_once():
    """What is counted is given on unchanged; without a total it is left alone."""
    stream = object()

    with counted(iter("abc"), 3) as items:
        given = list(items)
    with counted(stream, None) as same:
        assert same is stream
    assert given == ["a", "b", "c"]
