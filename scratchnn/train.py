"""Trains a network from the command line: ``python -m scratchnn.train [CSV] [--test CSV]``.

Without a file it learns the handwritten digits that come with the package. This door reads arguments and prints;
learning is ``Model``'s work, reading files that of ``datasets``. What the run is about goes to standard output, how
far it has come to standard error.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from . import cli, defaults
from .checks import shown_path
from .errors import ArgumentError
from .escapes import printable
from .progress import TrainingProgress
from .saving.atomic import check_writable, same_file
from .training.interruption import Interruption

TEST_FRACTION = 0.2
ABOUT_MODEL = ("hidden", "activation", "dropout", "scaling", "regression", "seed")
ABOUT_CSV = (*cli.CSV_FORMAT, "regression")
OF_FIT = (  # options that ``Model.fit`` takes as they are
    *("epochs", "lr", "batch_size", "optimizer", "momentum", "nesterov", "weight_decay", "schedule", "clip_norm"),
    *("class_weight", "checkpoint", "checkpoint_every", "resume", "workers"),
)
MOST_SHOWN = 12  # rows that ``--show`` writes a line for
EARLY_STOPPING_FRACTION = 0.1
"""What early stopping sets aside of the training rows where ``--validation-split`` does not say."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for bad input, 130 after Ctrl-C."""
    return cli.run(_train, arguments)


def _train(arguments: Sequence[str] | None) -> int:
    options = _parse(arguments)
    _check_names(options)

    inputs = [*cli.input_files(options.csv), *cli.input_files(options.test)]
    for written in (options.save, options.checkpoint, options.report):
        if written:
            cli.spare_inputs(written, *inputs)
            if written != options.save:  # what goes on may take the place of what it began with
                cli.spare_inputs(written, options.start)
            check_writable(written)
    begun = _begun_model(options)
    training, validation, test = _read(options, begun)
    for note in _notes(options, training):
        cli.complain(f"note: {note}")
    chatty = not (options.quiet or options.json)
    if chatty:
        cli.say(_folded(_describe_data(options, training, validation, test)))
    model = begun or _build(options, training)
    before = _before(options, begun)
    if chatty:
        cli.say(model.summary())
    with Interruption(sigterm=True) as interruption:
        history = _fit(options, model, training, validation, interruption)
        _save(options, model)
    if interruption.asked:
        return _interrupted(options, interruption.asked)
    try:
        results = _results(options, model, history, training, test)
        if options.report:
            _report(options, model, results, (training, validation, test), before)
    except KeyboardInterrupt:
        return _interrupted(options)
    if options.json:
        import json

        cli.say(json.dumps(_without_nan(results), allow_nan=False))
    else:
        cli.say(_folded(_describe_results(options, results, test)))
        if options.show:
            cli.show(_drawn(options, model, history, test))
    warning = _warning(results)
    if warning:
        cli.complain(f"{warning}; a smaller --lr may help")
    return 0


def _before(options: argparse.Namespace, begun: Any) -> str:
    """What a report says that the run began with, if that was a model."""
    if begun is None or not options.report:
        return ""
    from .layers.weights import digest

    return (
        f"It goes on with the model that {_shown(options.start)} held before, whose weights had the SHA-256 "
        f"{digest(begun.network)}."
    )


def _save(options: argparse.Namespace, model: Any) -> None:
    """Save the model; where that fails, say where what was learned is all the same."""
    try:
        model.save(options.save)
    except OSError:
        if options.checkpoint and os.path.exists(options.checkpoint):
            cli.complain(f"what was learned is in {options.checkpoint}: --resume and another --save get it from there")
        raise


def _interrupted(options: argparse.Namespace, number: int = signal.SIGINT) -> int:
    unwritten = " (no report is written)" if options.report else ""
    cli.tell_interruption(f"interrupted: what was learned so far is saved in {options.save}{unwritten}")
    if options.checkpoint and os.path.exists(options.checkpoint):  # not if its disk was full
        cli.complain("go on from there with the same command and --resume")
    return cli.KILLED_BY + number


# Arguments


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    from .datasets.csv_dialect import LABEL_RULE

    parser = cli.Parser(
        prog=cli.spelled("train"),
        description="Train a neural network on a CSV file, or on handwritten digits if no file is given.",
    )
    _add_data(parser)
    parser.add_csv_format(LABEL_RULE)
    _add_network(parser)
    _add_training(parser)
    _add_output(parser)
    options = parser.parse_args(arguments)
    # The same without defaults: what was really said about the network, which a model to go on from may contradict.
    options.said = parser.parse_args(arguments, argparse.Namespace(**dict.fromkeys(ABOUT_MODEL)))
    options.typed = list(sys.argv[1:] if arguments is None else arguments)
    _check_together(parser, options)
    return options


def _add_data(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    group.add_argument(
        "csv",
        metavar="CSV",
        nargs="?",
        help="rows to learn from, - for standard input, or a folder with MNIST's files; default: the digits shipped",
    )
    group.add_argument("--test", metavar="CSV", help="rows to test on; default: a stratified fifth is held out")
    group.add_argument(
        "--test-fraction",
        metavar="FRACTION",
        type=cli.number(above=0, below=1),
        help=f"part of the rows to hold out for the test ({TEST_FRACTION:g})",
    )
    group.add_argument("--regression", action="store_true", help="learn a number instead of a class")
    group.add_argument("--scaling", default="auto", help="of the features: auto (default), pixels, standard or none")
    group.add_argument("--class-weight", choices=["balanced"], help="balanced: rare classes count as much")
    group.add_argument(
        "--validation-split",
        metavar="FRACTION",
        type=cli.number(at_least=0, below=1),
        help="part of the training rows to measure every epoch with, not to learn from",
    )


def _add_network(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("network")
    group.add_argument(
        "--hidden",
        metavar="SIZES",
        type=_sizes,
        default=[defaults.HIDDEN_SIZE],
        help=f"neurons in each hidden layer ({defaults.HIDDEN_SIZE}), such as 128,64; none for no hidden layer",
    )
    group.add_argument(
        "--activation", default="relu", help="relu (default), leaky_relu, tanh, sigmoid, gelu, silu, elu or softplus"
    )
    group.add_argument(
        "--dropout",
        metavar="RATE",
        type=cli.number(at_least=0, below=1),
        default=0.0,
        help="part of the hidden neurons to leave out at random while training",
    )
    group.add_argument("--from", dest="start", metavar="MODEL", help="go on with a saved model, not a new network")
    group.add_argument(
        "--max-work", metavar="N", type=cli.whole_number(at_least=1), help="multiply-adds a row that it may take"
    )
    group.add_argument(
        "--engine", help="what computes: lanes (fast, the default), linalg (readable), or the library numpy or torch"
    )


def _add_training(parser: argparse.ArgumentParser) -> None:
    positive = cli.number(above=0)
    count = cli.whole_number(at_least=1)
    group = parser.add_argument_group("training")
    rates, epochs = defaults.LEARNING_RATES, defaults.EPOCHS
    group.add_argument("--epochs", metavar="N", type=count, default=epochs, help=f"times to see every row ({epochs})")
    group.add_argument(
        "--batch-size",
        metavar="N",
        type=_word_or(count, full=None),
        default=defaults.AUTO,
        help=f"rows a step ({defaults.BATCH_SIZE}, fewer on small tables), or full",
    )
    group.add_argument("--optimizer", default="sgd", help=f"sgd (default), {_listed(*list(rates)[1:])}")
    usual = [f"{rate:g} for {name}" for name, rate in rates.items()]
    group.add_argument("--lr", metavar="RATE", type=positive, help=f"learning rate: {', '.join(usual)}")
    group.add_argument(
        "--momentum",
        metavar="M",
        type=cli.number(at_least=0, below=1),
        help=f"of sgd ({defaults.MOMENTUM}) and rmsprop (0)",
    )
    group.add_argument("--nesterov", action="store_true", help="Nesterov's momentum")
    group.add_argument(
        "--weight-decay", metavar="D", type=cli.number(at_least=0), help="pulls weights to 0 (0, of adamw 0.01)"
    )
    group.add_argument(
        "--schedule",
        choices=["cosine", "step", "plateau", "warmup", "onecycle", "none"],
        default=defaults.SCHEDULE,
        help=f"how the learning rate goes ({defaults.SCHEDULE})",
    )
    group.add_argument(
        "--clip-norm",
        metavar="NORM",
        type=_word_or(positive, none=None),
        default=defaults.AUTO,
        help=f"largest norm of a gradient, or none; {defaults.CLIP_NORM:g} for regression and for more than "
        f"{defaults.SHALLOW} layers with weights, none otherwise",
    )
    group.add_argument(
        "--early-stopping",
        metavar="PATIENCE",
        nargs="?",
        type=_patience,
        const=10,
        help="set a tenth of the rows aside (or --validation-split), stop when their loss has not fallen for PATIENCE "
        "epochs (10), and save the best epoch",
    )
    group.add_argument(
        "--workers",
        metavar="N",
        type=cli.whole_number(at_least=1),
        help="processes that train together, to the same weights; for large networks and batches",
    )
    group.add_argument(
        "--seed", metavar="N", type=cli.whole_number(at_least=0), default=0, help="same seed, same result (0)"
    )


def _add_output(parser: cli.Parser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--save", metavar="FILE", default="model.pkl", help="where the model goes (model.pkl)")
    group.add_argument("--checkpoint", metavar="FILE", help="write after every epoch where the run stands")
    group.add_argument(
        "--checkpoint-every", metavar="N", type=cli.whole_number(at_least=1), help="and after every N batches as well"
    )
    group.add_argument("--resume", action="store_true", help="go on from the checkpoint, if there is one yet")
    group.add_argument("--quiet", action="store_true", help="no progress, nothing but the results")
    group.add_argument(
        "--metrics",
        action="store_true",
        help="say more of the test rows: of each class, the confusion matrix; of numbers, their errors",
    )
    group.add_argument(
        "--show",
        action="store_true",
        help="draw how the loss went, the confusion matrix, and the most confident mistakes",
    )
    group.add_argument("--report", metavar="FILE", help="write a page on the run and its test rows, as HTML")
    group.add_argument("--json", action="store_true", help="the results as one JSON object on standard output")
    parser.add_version()


def _listed(*names: str) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _sizes(text: str) -> list[int]:
    """Sizes of hidden layers."""
    if text.strip().lower() == "none":
        return []
    try:
        sizes = [int(size) for size in text.split(",")]
    except ValueError:
        sizes = [0]
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"must be sizes such as 100 or 128,64, or none; got {text!r}")
    return sizes


def _word_or(read: Callable[[str], Any], **words: Any) -> Callable[[str], Any]:
    """A reader of numbers that knows some words as well: these, and the one for what is recommended."""
    known = {defaults.AUTO: defaults.AUTO, **words}
    return lambda text: known[text] if text in known else read(text)


def _patience(text: str) -> int:
    try:
        return cli.whole_number(at_least=1)(text)
    except argparse.ArgumentTypeError as error:
        hint = "; put the data file before the option" if os.path.exists(text) else ""
        raise argparse.ArgumentTypeError(f"{error}{hint}") from None


def _check_together(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """What is wrong with the options as a whole, found before any file is read."""
    if options.csv is None:
        told = _told(options, "test", "test_fraction", *ABOUT_CSV)
        if told:
            parser.error(f"{told} is about a CSV file, and none was given to learn from")
    if options.test is not None and options.test_fraction is not None:
        parser.error("--test-fraction holds out rows of the training file, and --test names another file to test on")
    if options.csv == options.test == "-":
        parser.error("standard input cannot hold both the rows to learn from and those to test on")
    optimizer = options.optimizer.lower()
    if optimizer in ("adam", "adamw", "adagrad") and options.momentum:
        parser.error(f"--momentum belongs to --optimizer sgd and rmsprop, not to {optimizer}")
    if optimizer in ("adam", "adamw", "adagrad", "rmsprop") and options.nesterov:
        parser.error(f"--nesterov belongs to --optimizer sgd, not to {optimizer}")
    if options.nesterov and options.momentum == 0:
        parser.error("--nesterov needs a --momentum above 0")
    if options.early_stopping and options.validation_split == 0:
        parser.error("--early-stopping watches rows that are set aside: it needs a --validation-split above 0")
    if options.checkpoint is None and (options.resume or options.checkpoint_every):
        parser.error("--resume and --checkpoint-every need --checkpoint FILE")
    if options.checkpoint is not None and same_file(options.save, options.checkpoint):
        parser.error("--save and --checkpoint name one file, and each needs a file of its own")
    if options.show and options.json:
        parser.error("--show draws for people, and --json writes for programs: leave one of them out")
    if options.report is not None:
        from .reports.naming import check_name

        check_name(options.report)
        for name in ("save", "checkpoint"):
            other = getattr(options, name)
            if other is not None and same_file(options.report, other):
                parser.error(f"--report and --{name} name one file, and each needs a file of its own")
    if options.regression and options.class_weight:
        parser.error("--class-weight is for classes, and --regression has none")


def _told(options: argparse.Namespace, *names: str) -> str:
    """The first of some options that was given, or ""."""
    for name in names:
        value = getattr(options, name)
        if value is not None and not (name == "regression" and value is False):
            return f"--{name.replace('_', '-')}"
    return ""


def _check_names(options: argparse.Namespace) -> None:
    """What can be chosen by name is known to the library alone; asked here so that nobody waits for the answer."""
    from .checks import chosen
    from .engines.finding import ENGINES
    from .layers.architecture import ACTIVATIONS
    from .optim import OPTIMIZERS
    from .preprocessing.scaling import Scaling

    choices = {"activation": ACTIVATIONS, "engine": ENGINES, "optimizer": OPTIMIZERS, "scaling": Scaling.KINDS}
    for option, known in choices.items():
        if getattr(options, option) is not None:
            setattr(options, option, chosen(option, getattr(options, option), known))


# Data, network, training


def _begun_model(options: argparse.Namespace) -> Any:
    """The model to go on from, or None; the options become those that it was made with."""
    if options.start is None:
        return None
    from .engines.finding import DEFAULT_ENGINE
    from .model import Model

    model = Model.load(options.start, engine=options.engine or DEFAULT_ENGINE, max_work=options.max_work)
    said = options.said
    for name, value in _facts(model).items():
        told = None if getattr(said, name) is None else getattr(options, name)
        if told not in (None, value) and not (name == "scaling" and told == model.schema.scaling_kind):
            there = f"{name} {_spelled(value)}" if value is not None else f"layers that --{name} cannot describe"
            raise ArgumentError(
                f"--{name} {_spelled(told)}: the model in {shown_path(options.start)} has {there}; leave the option "
                "out, or train a new model without --from"
            )
    options.regression = model.task == "regression"
    if said.regression and not options.regression:
        raise ArgumentError(f"--regression: the model in {shown_path(options.start)} tells classes apart")
    if said.seed is None:
        options.seed = model.seed or 0  # so that the rows held out are those that it has not learned from
    else:
        model.reseed(options.seed)
    return model


def _facts(model: Any) -> dict[str, Any]:
    """What the options would say about a network; None for what they cannot."""
    from .layers.architecture import ACTIVATIONS
    from .layers.linear import Dropout, Linear

    layers = list(model.network.in_line())
    names = {kind: name for name, kind in ACTIVATIONS.items()}
    perceptron = all(isinstance(layer, (Linear, Dropout)) or type(layer) in names for layer in layers)
    sizes = [layer.outputs for layer in layers if isinstance(layer, Linear)][:-1]
    activations = {names[type(layer)] for layer in layers if type(layer) in names}
    rates = {layer.rate for layer in layers if isinstance(layer, Dropout)} or {0.0}
    scaling = model.schema.scaling_kind if model.scaling is None else model.scaling.kind
    return {
        "hidden": sizes if perceptron else None,
        "activation": activations.pop() if perceptron and len(activations) == 1 else None,
        "dropout": rates.pop() if perceptron and len(rates) == 1 else None,
        "scaling": scaling,
    }


def _spelled(value: Any) -> str:
    """A value as an option has it."""
    return (",".join(map(str, value)) or "none") if isinstance(value, list) else str(value)


def _read(options: argparse.Namespace, begun: Any) -> tuple[Any, Any, Any]:
    """The rows to learn from, to validate with (None if not asked for) and to test on."""
    from .datasets.dataset import images_in, load_digits, load_images

    if options.csv is None:
        training, test = load_digits()
    else:
        training, test = _load(options, options.csv, begun and begun.schema), None
        if options.test is not None:
            test = _load(options, options.test, training, test=True)
        elif options.test_fraction is None and os.path.isdir(options.csv):
            images = images_in(options.csv, test=True)
            test = load_images(images, like=training) if images else None
        if test is None:
            training, test = _split(options, training, options.test_fraction or TEST_FRACTION)
    fraction = options.validation_split
    if fraction is None:
        fraction = EARLY_STOPPING_FRACTION if options.early_stopping else 0.0
    if not fraction:
        return training, None, test
    training, validation = _split(options, training, fraction)
    return training, validation, test


def _load(options: argparse.Namespace, path: str, like: Any = None, test: bool = False) -> Any:
    """The rows of a CSV file, of standard input, or of IDX files, in which they are to be tested on or not."""
    from .datasets.dataset import images_in, load_csv, load_images

    images = images_in(path, test=test) or images_in(path)
    if images is None:
        return load_csv(
            cli.standard_input() if path == "-" else path,
            regression=options.regression,
            like=like,
            **cli.csv_format(options),
        )
    told = _told(options, *ABOUT_CSV)
    if told:
        raise ArgumentError(f"{told} is about CSV files, and {path} holds images with labels in a file of their own")
    return load_images(images, like=like)


def _notes(options: argparse.Namespace, training: Any) -> list[str]:
    """What a reader of the data should know before it is learned from, though it may be meant."""
    from .datasets.csv_dialect import LABEL_NAMES, is_number, is_whole_number

    classes = training.classes
    if options.regression:
        named = training.label_name is not None and training.label_name.lower() in LABEL_NAMES
        if options.label is None and not named:
            column = _label_column(training)
            return [f"the number to be predicted is taken from {column}; --label takes another by its name or position"]
        return []
    texts = [str(name) for name in classes]
    many = 10 * len(classes) > len(training) and (len(classes) > 20 or 2 * len(classes) > len(training))
    whole = all(map(is_whole_number, texts))
    decimal = not whole and all(is_number(text) and any(map(str.isdigit, text)) for text in texts)
    if not decimal and not (whole and many):
        return []
    kind = "decimal numbers" if decimal else "whole numbers"
    return [
        f"{_label_column(training)} holds {len(classes)} different {kind}, each now a class of its own; this looks "
        "like numbers to be predicted, which --regression does"
    ]


def _split(options: argparse.Namespace, data: Any, fraction: float) -> tuple[Any, Any]:
    """Two parts of the rows, none of them empty; ``DataError`` where the labels leave nothing for the second."""
    from .datasets.dataset import require_repeated

    if not options.regression:
        hint = "; to predict numbers add --regression, and name their column with --label"
        require_repeated(data.y, f"{data.source}, {_label_column(data)}: ", hint)
    parts: tuple[Any, Any] = data.split(test_fraction=fraction, seed=options.seed, stratify=not options.regression)
    return parts


def _build(options: argparse.Namespace, training: Any) -> Any:
    from .engines.finding import DEFAULT_ENGINE
    from .model import Model

    return Model(
        len(training.X[0]),
        options.hidden,
        1 if options.regression else len(training.classes),
        activation=options.activation,
        dropout=options.dropout,
        task="regression" if options.regression else "classification",
        scaling=options.scaling,
        engine=options.engine or DEFAULT_ENGINE,
        seed=options.seed,
    )


def _fit(options: argparse.Namespace, model: Any, training: Any, validation: Any, interruption: Interruption) -> Any:
    from .training.callbacks import EarlyStopping

    progress = TrainingProgress(ending=False)
    callbacks: list[Any] = [interruption] if options.quiet else [progress, interruption]
    if options.early_stopping:
        callbacks.append(EarlyStopping(patience=options.early_stopping))
    try:
        with _warnings_as_lines(progress):
            return model.fit(
                training.X,
                training.y,
                columns=training,
                validation_data=None if validation is None else (validation.X, validation.y),
                callbacks=callbacks,
                **{name: getattr(options, name) for name in OF_FIT},
            )
    finally:
        progress.close()


@contextmanager
def _warnings_as_lines(progress: Any) -> Iterator[None]:
    """What the library warns of, such as a checkpoint that cannot be written, is a line between those of progress."""
    import warnings

    def show(message: Warning | str, *where: object) -> None:
        progress.close()
        cli.complain(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show  # type: ignore[assignment]
        yield


# Results


def _results(options: argparse.Namespace, model: Any, history: Any, training: Any, test: Any) -> dict[str, Any]:
    """Everything there is to say about the run, as plain data."""
    results: dict[str, Any] = {
        "data": str(training.source),
        "test_data": str(test.source),
        "training_rows": len(training),
        "test_rows": len(test),
        "features": len(training.X[0]),
        "classes": list(training.classes),
        "label": training.label_position if training.label_name is None else training.label_name,
        "parameters": model.parameter_count,
        "epochs": len(history.loss),
        "stopped_early": len(history.loss) < options.epochs,
        "best_epoch": history.best_epoch,
        "seconds": round(sum(history.seconds), 3),
    }
    for name, data in (("train", training), ("test", test)):
        loss, accuracy = model.evaluate(data.X, data.y)
        if options.regression:
            results[f"{name}_mean_squared_error"] = loss
            results[f"{name}_r2"] = model.score(data.X, data.y) if len(set(data.y)) > 1 else None
        else:
            results[f"{name}_loss"] = loss
            results[f"{name}_accuracy"] = accuracy
    if options.metrics:
        results["metrics"] = _metrics(model, test)
    results.update(
        history={name: list(values) for name, values in vars(history).items()}, seed=options.seed, model=options.save
    )
    return results


def _metrics(model: Any, test: Any) -> dict[str, Any]:
    """All metrics of the rows to test on."""
    from .metrics import summary

    if not model.classes:
        return summary.of_numbers(test.y, model.predict(test.X))
    predictions, probabilities = model.predict_with_proba(test.X)
    return summary.of_classes(test.y, predictions, probabilities, model.classes)


def _describe_metrics(options: argparse.Namespace, found: dict[str, Any]) -> list[str]:
    from .metrics import summary

    if options.regression:
        return [f"test {line}" for line in summary.described_numbers(found)]
    first, second, *lines = summary.described_classes(found, cli.width_of(sys.stdout))
    return [f"test {first}", f"test {second}", *lines, ""]


def _report(options: argparse.Namespace, model: Any, results: dict[str, Any], data: Any, before: str) -> None:
    """Write the report: on the run, and on the rows to test on."""
    import shlex

    from .reports.report import write_report

    training, validation, test = data
    held_out = " (held out)" if test.source == training.source else f" of {_shown(test.source)}"
    facts = [("file", _shown(training.source)), ("rows to learn from", f"{len(training):,}")]
    if validation is not None:
        facts.append(("rows to validate with", f"{len(validation):,}"))
    facts += [("rows to test on", f"{len(test):,}{held_out}"), ("label", _label_column(training))]
    if options.regression:
        fit = results["train_r2"]
        key = [] if fit is None else [("R² of training rows", f"{fit:.4f}")]
    else:
        key = [("accuracy on training rows", f"{results['train_accuracy']:.1%}")]
    typed = [word for word in options.typed if word != "--resume"]
    command = f"{cli.spelled('train')} {shlex.join(typed)}".strip()
    write_report(model, test.X, test.y, options.report, command=command, data=facts, key=key, before=before)


def _drawn(options: argparse.Namespace, model: Any, history: Any, test: Any) -> Iterator[str]:
    """Lines for ``--show``: curves, the confusion matrix, and mistakes."""
    from .drawings import loss_lines
    from .terminal import look_of

    look = look_of(sys.stdout)
    yield ""
    yield from loss_lines(history, look)
    if options.regression:
        yield from _drawn_errors(model, test, look)
        return
    from .metrics import summary
    from .metrics.classification import confusions
    from .preprocessing.labels import class_numbers

    predictions, probabilities = model.predict_with_proba(test.X)
    if not options.metrics and len(model.classes) <= summary.MOST_IN_A_MATRIX:
        names = [summary.name_of(name) for name in model.classes]
        matrix = summary.confusion_lines(confusions(test.y, predictions, model.classes), names, look.width)
        yield from ["", "confusion matrix (rows: true, columns: predicted)", *matrix] if matrix else []
    true, guesses = (class_numbers(labels, model.classes) for labels in (test.y, predictions))
    yield from _drawn_mistakes(model, test, true, guesses, probabilities, look)


def _drawn_mistakes(model: Any, test: Any, true: Any, guesses: Any, probabilities: Any, look: Any) -> Iterator[str]:
    from .drawings import Caption
    from .reports.mistakes import confident, percent

    found = confident(true, guesses, probabilities, len(test))
    yield ""
    if not found:
        yield "no row to test on was taken for another class"
        return
    yield f"the most confident of {len(found):,} mistake{'s' * (len(found) != 1)}"
    classes = model.classes
    captions = {
        m.row: Caption(f"{classes[m.predicted]}, true {classes[m.true]}: {percent(m.weight)}", True) for m in found
    }
    yield from _drawn_rows(model, test, captions, look)


def _drawn_errors(model: Any, test: Any, look: Any) -> Iterator[str]:
    from .drawings import Caption
    from .reports.mistakes import largest_errors

    predictions = model.predict(test.X)
    found = largest_errors([[label] for label in test.y], [[guess] for guess in predictions], [1.0], MOST_SHOWN)
    captions = {m.row: Caption(f"{m.predicted[1]:.5g}, true {m.true[1]:.5g}") for m in found}
    yield from ["", "the largest errors"]
    yield from _drawn_rows(model, test, captions, look)


def _drawn_rows(model: Any, test: Any, captions: dict[int, Any], look: Any) -> Iterator[str]:
    """The first of some rows, by their places: as many images as a screen has room for, or lines."""
    from .drawings import Gallery

    gallery = Gallery(model.schema, look, model.feature_names)
    yield ""
    shown = list(captions)[: gallery.room(test.X[next(iter(captions))], MOST_SHOWN)]
    yield from gallery.lines([test.X[place] for place in shown], [captions[place] for place in shown], shown)


def _folded(text: str) -> str:
    """The text with lines too long for a terminal broken between words; a command, to be copied, stays whole."""
    if sys.stdout is None or not sys.stdout.isatty():
        return text
    import shutil
    import textwrap

    fold = textwrap.TextWrapper(
        shutil.get_terminal_size().columns, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    ).fill
    return "\n".join(line if line.startswith("try it: ") else fold(line) for line in text.split("\n"))


def _describe_data(options: argparse.Namespace, training: Any, validation: Any, test: Any) -> str:
    rows = f"{len(training):,} rows to learn from"
    if validation is not None:
        rows += f", {len(validation):,} to validate with"
    rows += f", {len(test):,} to test on" + (" (held out)" if test.source == training.source else "")
    lines = [printable(_shown(training.source)), f"  {rows}", f"  {len(training.X[0]):,} features"]
    if options.regression:
        lines[-1] += f", to predict the number {printable(training.label_name or 'in the label column')}"
    else:
        lines[-1] += f", {len(training.classes)} classes: {cli.few(training.classes)}"
    lines.append(f"  label: {_label_column(training)}")
    return "\n".join(lines) + "\n"


def _label_column(data: Any) -> str:
    """The label's column as messages about files call it: counted from 1, with its name if it has one."""
    if data.label_position is None:
        return "in the file beside the images"
    name = "" if data.label_name is None else f" ({data.label_name!r})"
    return f"column {data.label_position + 1}{name}"


def _describe_results(options: argparse.Namespace, results: dict[str, Any], test: Any) -> str:
    lines = []
    for name in ("train", "test"):
        if options.regression:
            error, fit = results[f"{name}_mean_squared_error"], results[f"{name}_r2"]
            lines.append(f"{name} mean squared error: {error:.6g}" + ("" if fit is None else f" (R2 {fit:.4f})"))
        else:
            lines.append(f"{name} accuracy: {results[f'{name}_accuracy']:.2%}")
    if options.metrics:
        lines += _describe_metrics(options, results["metrics"])
    lines.append(f"model saved in {printable(options.save)}")
    if options.report:
        lines.append(f"report written to {printable(options.report)}")
    if not options.quiet:
        lines = ["", *_describe_run(options, results), *lines]
        import shlex

        rows = _shown(test.source) if os.path.exists(test.source) else "-"  # standard input is no file
        files = shlex.join([options.save, rows])
        lines.append(f"try it: {cli.spelled('predict')} {printable(files)}")
    return "\n".join(lines)


def _describe_run(options: argparse.Namespace, results: dict[str, Any]) -> list[str]:
    """Lines on how long it learned, why it stopped, and with validation rows on its best epoch."""
    count, best = results["epochs"], results["best_epoch"]
    asked_for = f" of {options.epochs}" if results["stopped_early"] else ""
    plural = "" if options.epochs == 1 else "s"
    lines = [f"learned for {count}{asked_for} epoch{plural} in {results['seconds']:.1f} seconds"]
    if results["stopped_early"] and options.early_stopping:
        plural = "" if options.early_stopping == 1 else "s"
        lines.append(f"stopped early: no lower validation loss for {options.early_stopping} epoch{plural}")
    if best is not None:
        loss, accuracy = results["history"]["validation_loss"], results["history"]["validation_accuracy"]
        measured = f"validation loss {loss[best - 1]:.4g}"
        measured += f", accuracy {accuracy[best - 1]:.1%}" if accuracy else ""
        kept = "that" if options.early_stopping else "the last"
        note = "" if best == count else f"; {kept} one is saved"
        lines.append(f"best epoch: {best} ({measured}){note}")
    return lines


def _warning(results: dict[str, Any]) -> str:
    """What is odd about the loss of a network that has not learned, or ""."""
    began = results["history"]["loss"][0]
    ended = results["train_loss" if results["classes"] else "train_mean_squared_error"]
    guessing = math.log(len(results["classes"]) or 1)  # the cross-entropy of giving all classes the same probability
    if guessing and ended > 2 * guessing:
        return f"the loss ended at {ended:.3g}, far above the {guessing:.2f} of guessing"
    return f"the loss ended higher, at {ended:.3g}, than it began, at {began:.3g}" if ended > began else ""


def _shown(path: str) -> str:
    """A path as short as it can be and still be typed: from here, for a file below this folder. What is no path, as
    "standard input", stays as it is."""
    if not os.path.exists(path):
        return path
    path = os.path.abspath(path)
    below = os.path.join(os.getcwd(), "")
    return path[len(below) :] if path.startswith(below) else path


def _without_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    raise SystemExit(main())
