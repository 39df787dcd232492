"""Search for good arguments: every combination of a grid, or random ones, each judged by k-fold cross-validation.

    result = grid_search(X, y, {"hidden_size": [20, 50], "lr": [0.03, 0.1, 0.3]}, fit={"epochs": 20})
    print(result)                       # a table, the best first
    result.model.predict(X_new)         # the best arguments, fitted to all rows

Any argument of ``Model`` and of ``Model.fit`` can be searched; they are told apart by their names. The fits can be
spread over any ``concurrent.futures.Executor``. Processes may begin by importing the script that started them, which
must not search once more then:

    if __name__ == "__main__":
        with ProcessPoolExecutor() as executor:
            result = grid_search(X, y, grid, executor=executor)

Folds, candidates and weights are drawn from the seed alone and results are put together in order, so that they are the
same whatever the number of workers.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from itertools import product
from random import Random
from typing import Any, Union

from . import linalg
from .checks import meant, require_known, require_number, require_size, shortened, shown
from .elementary import exp, log
from .errors import ArgumentError, DataError
from .executors import require_executor
from .model import Model
from .preprocessing.labels import as_labels, as_targets, find_classes, outputs_for
from .preprocessing.rows import as_rows, listed_values
from .shuffle import rows_by_label, shuffle

Parameters = dict[str, Any]
Build = Callable[..., Model]
Draw = Callable[[Random], Any]
Progress = Callable[[int, int, Parameters, Union[float, None]], Any]
Outcome = tuple[Union[float, None], float, str]
"""(measure or None if the fit failed, seconds, what went wrong)."""

MEASURES = ("score", "loss")
_BY_ROW = ("sample_weight",)  # arguments of fit with one entry a row: a fold gets its part
_UNCHANGED = (*_BY_ROW, "validation_data")  # arguments that no fit changes, and too large to copy for each
_DRAWS_PER_TRY = 50  # before a space counts as exhausted
_LONGEST = 30  # characters of a value in a table
_FOR_WORKERS = (
    "an executor must be running; processes need a build that is a module's own function, arguments that can be "
    'pickled, and in a script: if __name__ == "__main__"'
)


# --- what comes out ----------------------------------------------------------------------------------------


class SearchRow:
    """One candidate: ``parameters``, ``values`` (the measure of each fold), their ``mean`` and ``deviation`` (standard
    deviation between folds), ``seconds`` (mean time of a fit), and ``error``, which is "" unless a fit failed."""

    def __init__(self, parameters: Parameters, outcomes: Sequence[Outcome]) -> None:
        self.parameters = parameters
        self.error = next((error for _, _, error in outcomes if error), "")
        self.values = [] if self.error else [value for value, _, _ in outcomes if value is not None]
        self.mean = linalg.mean(self.values) if self.values else math.nan
        self.deviation = linalg.standard_deviation(self.values) if self.values else math.nan
        self.seconds = linalg.mean([seconds for _, seconds, _ in outcomes])

    def __repr__(self) -> str:
        found = f"failed: {self.error}" if self.error else f"{_number(self.mean)} ± {_number(self.deviation)}"
        return f"SearchRow({self.parameters!r}, {found})"


class SearchResult:
    """What a search found. ``str(result)`` is a table.

    rows: a ``SearchRow`` for each candidate, the best first, those that failed last
    measure: "score" (the more the better) or "loss" (the less the better)
    model: a model with the best arguments, fitted to all rows; None if that fit failed or the search was stopped
    stopped: what ended the search before its time (Ctrl-C, an executor that broke), in words, or ""; candidates are
        only there with all their folds
    refit_error: why the best could not be fitted to all rows, or ""
    """

    def __init__(self, rows: Sequence[SearchRow], measure: str, stopped: str = "") -> None:
        sign = -1.0 if measure == "score" else 1.0
        # Rows come in the order of the candidates, and sorting keeps that among equals.
        self.rows = sorted(rows, key=lambda row: (bool(row.error), 0.0 if row.error else sign * row.mean))
        self.measure = measure
        self.stopped = stopped
        self.model: Model | None = None
        self.refit_error = ""

    @property
    def interrupted(self) -> bool:
        """Whether something ended the search before its time."""
        return bool(self.stopped)

    @property
    def best(self) -> SearchRow:
        """The row of the best candidate."""
        return self.rows[0]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[SearchRow]:
        return iter(self.rows)

    def table(self) -> str:
        """All rows as text: arguments, mean and deviation of the measure over the folds, seconds a fit."""
        names = list(dict.fromkeys(name for row in self.rows for name in row.parameters))
        lines = [[*names, self.measure, "deviation", "seconds"]]
        for row in self.rows:
            found = ["failed", "", ""] if row.error else [_number(row.mean), _number(row.deviation)]
            lines.append([*(_text(row.parameters[name]) for name in names), *found[:2], f"{row.seconds:.2f}"])
        widths = [max(map(len, column)) for column in zip(*lines)]
        table = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in lines]
        notes = [f"failed: {_described(row.parameters)}: {row.error}" for row in self.rows if row.error]
        notes += [self.stopped] * bool(self.stopped)
        notes += [f"the best could not be fitted to all rows: {self.refit_error}"] * bool(self.refit_error)
        return "\n".join([table[0], "-" * len(table[0]), *table[1:], *notes])

    __str__ = table

    def _repr_html_(self) -> str:
        """What a notebook shows: the table."""
        from .reports.displays import search

        return search(self)

    def __repr__(self) -> str:
        return f"SearchResult({len(self.rows)} candidates, best: {self.best!r})"


def _number(value: float) -> str:
    return f"{value:.4f}" if value == 0.0 or 0.001 <= abs(value) < 1000.0 else f"{value:.3g}"


def _text(value: Any) -> str:
    return shortened(f"{value:.5g}" if isinstance(value, float) else " ".join(str(value).split()), _LONGEST)


def _described(parameters: Parameters) -> str:
    return ", ".join(f"{name}={_text(value)}" for name, value in parameters.items()) or "no arguments"


# --- candidates --------------------------------------------------------------------------------------------


def uniform(low: float, high: float) -> Draw:
    """For ``random_search``: numbers from ``low`` to ``high``, all equally likely."""
    first = require_number("low", low, -math.inf)
    last = require_number("high", high, first)

    def draw(rng: Random) -> float:
        share = rng.random()
        return _within(first, first * (1.0 - share) + last * share, last)  # last - first could be infinite

    return draw


def log_uniform(low: float, high: float) -> Draw:
    """For ``random_search``: numbers from ``low`` to ``high``, each power of ten equally likely; good for rates."""
    first = require_number("low", low, 0.0, above=True)
    last = require_number("high", high, first)
    start, end = log(first), log(last)
    return lambda rng: _within(first, exp(start + (end - start) * rng.random()), last)


def _within(low: float, value: float, high: float) -> float:
    return min(max(low, value), high)  # rounding could bring it outside


def whole(low: int, high: int) -> Draw:
    """For ``random_search``: whole numbers from ``low`` to ``high``, both included, all equally likely."""
    first = require_size("low", low, None)
    last = require_size("high", high, first)
    return lambda rng: first + rng.randrange(last - first + 1)


def _choices(name: str, values: Any) -> list[Any]:
    """The values of a grid or space for one name, as a list."""
    if isinstance(values, (set, frozenset)):
        raise ArgumentError(f"{name} needs a list of values to try, got a set: its order changes from run to run")
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__iter__"):
        raise ArgumentError(f"{name} needs a list of values to try, got {shown(values)}")
    listed = list(values)
    if not listed:
        raise ArgumentError(f"{name} has no values to try")
    return listed


class _Drawn(list[Parameters]):
    """Candidates that ``random_search`` has drawn and ``grid_search`` is to try."""


def _grid(grid: Any) -> list[Parameters]:
    if isinstance(grid, _Drawn):
        return grid
    if not isinstance(grid, Mapping):
        raise ArgumentError(f"a dict of name: values is needed, got {type(grid).__name__}")
    return [dict(zip(grid, values)) for values in product(*(_choices(name, values) for name, values in grid.items()))]


def _drawn(space: Mapping[str, Any], tries: int, rng: Random) -> list[Parameters]:
    """``tries`` different candidates, or as many as there are."""
    for name, values in space.items():
        if any(values is draw for draw in (uniform, log_uniform, whole)):
            raise ArgumentError(f"{name}: {values.__name__} needs a range, as in {values.__name__}(low, high)")
    lists = {name: _choices(name, values) for name, values in space.items() if not callable(values)}
    if len(lists) == len(space) and math.prod(map(len, lists.values())) <= tries:
        return _grid(lists)
    candidates: list[Parameters] = []
    for _ in range(tries * _DRAWS_PER_TRY):
        candidate = {
            name: lists[name][rng.randrange(len(lists[name]))] if name in lists else draw(rng)
            for name, draw in space.items()
        }
        if not any(_same(candidate, other) for other in candidates):
            candidates.append(candidate)
        if len(candidates) == tries:
            break
    return candidates


def _same(candidate: Parameters, other: Parameters) -> bool:
    try:
        return candidate == other
    except ValueError:  # of two arrays, which do not say yes or no
        return False


# --- folds -------------------------------------------------------------------------------------------------


def fold_indices(count: int, folds: int, rng: Random, labels: Sequence[Any] | None = None) -> list[list[int]]:
    """``folds`` lists of row numbers that hold each of ``count`` rows once, in lengths that differ by 1 at most.

    With ``labels`` (one a row) each class is spread over the folds just as evenly. Raises ``ValueError`` for more folds
    than rows, ``DataError`` for a class of a single row: held out, it could not be learned.
    """
    if not 2 <= require_size("folds", folds) <= count:
        raise ArgumentError(f"folds must be from 2 to the number of rows, {count}, got {folds}")
    groups = rows_by_label(labels or [None] * count)
    dealt: list[int] = []
    for label in sorted(groups):
        if labels and len(groups[label]) < 2:
            raise DataError(f"class {label!r} has a single row: cross-validation needs at least two of each class")
        shuffle(groups[label], rng=rng)
        dealt += groups[label]
    return [sorted(dealt[fold::folds]) for fold in range(folds)]


# --- one fit: what an executor runs ------------------------------------------------------------------------


def _own(name: str, value: Any) -> Any:
    """A copy for one fit. An engine that is a module cannot be copied, and need not be."""
    try:
        return copy.deepcopy(value)
    except TypeError as error:
        raise ArgumentError(f"{name} cannot be copied for each fit ({error}): make it inside build") from None


def _built(build: Build, settings: Parameters) -> Model:
    """A new model. Layers and losses among the arguments are copied, or one fit would go on from another's weights."""
    model = build(**{name: _own(name, value) for name, value in settings.items()})
    if not isinstance(model, Model):
        raise ArgumentError(f"build must return a Model, got {type(model).__name__}")
    return model


def _fitted(build: Build, settings: Parameters, fit: Parameters, X: Sequence[Any], y: Sequence[Any]) -> Model:
    # Optimizers, schedules and callbacks remember things: each fit gets its own.
    own = {name: value if name in _UNCHANGED else _own(name, value) for name, value in fit.items()}
    model = _built(build, settings)
    model.fit(X, y, **own)
    return model


def _run_fold(
    X: Sequence[Any],
    y: Sequence[Any],
    held_out: Sequence[int],
    build: Build,
    settings: Parameters,
    fit: Parameters,
    measure: str,
) -> Outcome:
    """Fit to all rows but those held out, and measure on these. Not a method: workers are sent a function's name."""
    start = time.perf_counter()
    value, error = math.nan, ""
    left_out = set(held_out)
    training = [i for i in range(len(X)) if i not in left_out]
    try:
        for name in _BY_ROW:
            if fit.get(name) is not None:
                fit = {**fit, name: [fit[name][i] for i in training]}
        model = _fitted(build, settings, fit, [X[i] for i in training], [y[i] for i in training])
        held = [X[i] for i in held_out], [y[i] for i in held_out]
        value = model.score(*held) if measure == "score" else model.evaluate(*held)[0]
        if not math.isfinite(value):
            error = f"the {measure} on held-out rows is {value}"
    except Exception as problem:  # whatever it is, other candidates may do better
        error = _worded(problem)
    return None if error else value, time.perf_counter() - start, error


class _Lent:
    """Stands for an argument of fit that is lent to workers, as rows are."""

    def __init__(self, number: int) -> None:
        self.number = number


def _run_lent_fold(
    lent: tuple[Sequence[Any], Sequence[Any], list[Any]],
    held_out: Sequence[int],
    build: Build,
    settings: Parameters,
    fit: Parameters,
    measure: str,
) -> Outcome:
    """The same with what was lent: all rows, their labels, and large arguments of fit."""
    X, y, large = lent
    fit = {name: large[value.number] if type(value) is _Lent else value for name, value in fit.items()}
    return _run_fold(X, y, held_out, build, settings, fit, measure)


def _worded(problem: BaseException | None) -> str:
    return " ".join(f"{type(problem).__name__}: {problem}".split())  # on one line, as a table has it


# --- which argument is whose -------------------------------------------------------------------------------


class _Names:
    """Tells arguments of ``Model`` (or of a function that builds one) from those of ``fit``, by their names."""

    def __init__(self, build: Build) -> None:
        self.builder = getattr(build, "__name__", type(build).__name__)
        self.of_build, self.takes_any = _argument_names(build)
        self.of_fit = [name for name in _argument_names(Model.fit)[0] if name not in ("self", "X", "y")]

    def for_fit(self, name: str) -> bool:
        """Whether ``fit`` gets the argument; a name that both know is the builder's."""
        return name in self.of_fit and name not in self.of_build

    def check(self, searched: Sequence[str], model: Parameters, fit: Parameters) -> None:
        """``ValueError`` for a name that nobody knows, that is in the wrong dict, or is both searched and fixed."""
        of_build = [name for name in searched if not self.for_fit(name)] + list(model)
        unknown = [name for name in of_build if name not in self.of_build and not self.takes_any]
        unknown += [name for name in fit if name not in self.of_fit]
        if unknown:
            for_build, for_fit = ", ".join(self.of_build), ", ".join(self.of_fit)
            known = f"known for {self.builder} are {for_build}; known for fit are {for_fit}"
            hint = meant(unknown[0], [*self.of_build, *self.of_fit])
            raise ArgumentError(f"unknown argument {shown(unknown[0])}: {known}{hint}")
        fixed = [name for name in searched if name in model or name in fit]
        if fixed:
            raise ArgumentError(f"{fixed[0]!r} is searched and must not be fixed as well")


def _argument_names(function: Callable[..., Any]) -> tuple[list[str], bool]:
    """The names of a function's arguments, and whether it takes any others as well."""
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # something written in C, such as dict
        raise ArgumentError(f"build must be a function that returns a Model, got {shown(function)}") from None
    named = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return named, any(p.kind == p.VAR_KEYWORD for p in parameters)


# --- the search --------------------------------------------------------------------------------------------


def _lightened(fit: Parameters, large: list[Any]) -> Parameters:
    """Arguments of fit with ``_Lent`` for what is large, which goes into that list, once each."""
    light = dict(fit)
    for name in _UNCHANGED:
        value = fit.get(name)
        if value is not None:
            number = next((k for k, other in enumerate(large) if other is value), len(large))
            large[number:] = large[number:] or [value]
            light[name] = _Lent(number)
    return light


class _ExecutorFailed(Exception):
    """An executor that does not run all jobs; the message says why."""


class _Search:
    """What all fits of a search have in common, checked when it is made; ``run`` does the work."""

    def __init__(
        self,
        candidates: list[Parameters],
        model: Mapping[str, Any] | None,
        fit: Mapping[str, Any] | None,
        build: Build | None,
        measure: str,
    ) -> None:
        require_known("measure", measure, MEASURES)
        for name, arguments in (("model", model), ("fit", fit)):
            if arguments is not None and not isinstance(arguments, Mapping):
                raise ArgumentError(f"{name} must be a dict of arguments, got {type(arguments).__name__}")
        if build is not None and not callable(build):
            raise ArgumentError(f"build must be a function that makes a model, got {type(build).__name__}")
        self.candidates = candidates
        self.build: Build = build or Model
        self.names = _Names(self.build)
        self.model_arguments, self.fit_arguments = dict(model or {}), dict(fit or {})
        self.names.check(list(candidates[0]), self.model_arguments, self.fit_arguments)
        self.measure = measure

    def take(self, X: Any, y: Any, folds: int, seed: int) -> None:
        """Check the data, split them into folds, and fill in the arguments of ``Model`` that follow from them."""
        require_size("seed", seed, 0)
        self.X = as_rows(X, "X")
        labels = None
        if self._task() != "classification":
            y = listed_values(y, "y", "numbers")
            outputs = outputs_for(y, classes=False) or 1
            self.y: Sequence[Any] = as_targets(y, outputs, "y", len(self.X))
        else:
            self.y = labels = as_labels(y, "y", len(self.X))
            outputs = len(find_classes(labels))
        if self.build is Model:
            known = {"input_size": len(self.X[0]), "output_size": outputs, "seed": seed}
            self.model_arguments = {**known, **self.model_arguments}
        self.folds = fold_indices(len(self.X), folds, Random(f"folds {seed}"), labels)
        if labels is None and self.measure == "score" and len(self.folds[-1]) < 2:
            raise ArgumentError(f"R² needs two rows in every fold: take fewer folds than {folds}, or measure='loss'")
        self._take_weights()

    def _take_weights(self) -> None:
        """Make what has an entry a row a plain list: a pandas Series looks up labels, a generator is good for once."""
        listed: dict[int, list[float]] = {}  # by id, as candidates share them
        for name in _BY_ROW:
            for arguments in [self.fit_arguments, *self.candidates * self.names.for_fit(name)]:
                given = arguments.get(name)
                if given is None:
                    continue
                if id(given) not in listed:
                    listed[id(given)] = [weight for (weight,) in as_targets(given, 1, name, len(self.X))]
                arguments[name] = listed[id(given)]

    def _task(self) -> str:
        if self.build is Model:
            return str(self.model_arguments.get("task", "classification"))
        problem: Exception | None = None
        for candidate in self.candidates:
            try:
                return str(_built(self.build, self._settings(candidate)[0]).task)
            except Exception as error:
                problem = problem or error
        raise ArgumentError(f"{self.names.builder} built no model: {_worded(problem)}") from problem

    def _settings(self, candidate: Parameters) -> tuple[Parameters, Parameters]:
        """(arguments of the builder, arguments of fit) for one candidate."""
        model, fit = dict(self.model_arguments), dict(self.fit_arguments)
        for name, value in candidate.items():
            (fit if self.names.for_fit(name) else model)[name] = value
        return model, fit

    def run(self, executor: Any, progress: Progress | bool | None) -> SearchResult:
        """Cross-validate all candidates, then fit the best to all rows."""
        if executor is not None:
            require_executor(executor)
        from .progress import step_listener

        total = len(self.candidates) * len(self.folds)
        outcomes: dict[int, Outcome] = {}
        ended: BaseException | None = None
        tell, close = step_listener(progress, "fit", _progress_words)
        running = self._outcomes(executor)
        try:
            for number, outcome in running:
                outcomes[number] = outcome
                if tell:
                    tell(len(outcomes), total, self.candidates[number // len(self.folds)], outcome[0])
        except (KeyboardInterrupt, _ExecutorFailed) as problem:
            ended = problem
        finally:
            running.close()
            close()
        rows = self._rows(outcomes)
        if all(row.error for row in rows):
            self._give_up(rows, ended)
        result = SearchResult(rows, self.measure, self._stopped(rows, ended))
        if ended is None:
            self._refit(result)
        return result

    def _outcomes(self, executor: Any) -> Generator[tuple[int, Outcome], None, None]:
        """(number of the job, what came out) as they are done; jobs are numbered candidate by candidate. Raises
        ``_ExecutorFailed`` after the last of them if not all jobs could be run."""
        jobs = [
            (held_out, self.build, *self._settings(candidate), self.measure)
            for candidate in self.candidates
            for held_out in self.folds
        ]
        if executor is None:
            yield from ((number, _run_fold(self.X, self.y, *job)) for number, job in enumerate(jobs))
            return
        from concurrent.futures import BrokenExecutor, CancelledError

        from .lending import Lending

        large: list[Any] = []
        jobs = [(*job[:3], _lightened(job[3], large), *job[4:]) for job in jobs]
        with Lending(executor, (self.X, self.y, large), _run_lent_fold, jobs) as lending:
            failure: Exception | None = None
            for number, future in lending.done():
                try:
                    outcome = lending.result_of(future)
                except (BrokenExecutor, CancelledError) as problem:  # others may be done, and are not lost with it
                    failure = failure or problem
                    continue
                except Exception as problem:  # _run_fold raises nothing: the job has not reached a worker
                    outcome = None, 0.0, f"{_worded(problem)} ({_FOR_WORKERS})"
                yield number, outcome
        failure = lending.failure or failure
        if failure is not None:
            raise _ExecutorFailed(f"the executor failed with {_worded(failure)}") from failure

    def _rows(self, outcomes: dict[int, Outcome]) -> list[SearchRow]:
        """A row for each candidate that has all its folds."""
        rows, folds = [], len(self.folds)
        for number, candidate in enumerate(self.candidates):
            jobs = range(number * folds, (number + 1) * folds)
            if all(job in outcomes for job in jobs):
                rows.append(SearchRow(candidate, [outcomes[job] for job in jobs]))
        return rows

    def _give_up(self, rows: Sequence[SearchRow], ended: BaseException | None) -> None:
        if isinstance(ended, KeyboardInterrupt):
            raise ended
        if ended is not None:
            failed = f"; {len(rows)} failed before, the first with {rows[0].error}" if rows else ""
            raise RuntimeError(f"no candidate was finished: {ended} ({_FOR_WORKERS}){failed}") from ended
        first = rows[0]
        raise ArgumentError(
            f"all {len(rows)} candidates failed, the first ({_described(first.parameters)}) with {first.error}"
        )

    def _stopped(self, rows: Sequence[SearchRow], ended: BaseException | None) -> str:
        """What ended the search before its time, in words."""
        if ended is None:
            return ""
        if len(rows) == len(self.candidates):
            return "interrupted before the best was fitted to all rows"
        what = "interrupted" if isinstance(ended, KeyboardInterrupt) else ended
        return f"candidates that were not finished are left out: {what}"

    def _refit(self, result: SearchResult) -> None:
        settings, fit = self._settings(result.best.parameters)
        try:
            result.model = _fitted(self.build, settings, fit, self.X, self.y)
        except KeyboardInterrupt:
            result.stopped = "interrupted while the best was fitted to all rows"
        except Exception as error:  # hours of results are not to be lost with it
            result.refit_error = _worded(error)


def _progress_words(parameters: Parameters, value: float | None) -> str:
    return f"{_described(parameters)}: {'failed' if value is None else _number(value)}"


def grid_search(
    X: Any,
    y: Any,
    grid: Mapping[str, Any],
    *,
    model: Mapping[str, Any] | None = None,
    fit: Mapping[str, Any] | None = None,
    build: Build | None = None,
    folds: int = 5,
    seed: int = 0,
    measure: str = "score",
    executor: Any = None,
    progress: Progress | bool | None = None,
) -> SearchResult:
    """Cross-validate a model for each combination of values in ``grid`` on rows ``X`` and labels ``y``.

    grid: {argument of ``Model`` or of ``fit``: list of values to try}
    model, fit: {argument: value} for those that stay the same. ``input_size`` and ``output_size`` follow from the data,
        and the model's ``seed`` is the search's, unless given. A ``sample_weight`` is split like the rows.
    build: instead of ``Model``, a function that is given all arguments that it names (the others are for ``fit``) and
        returns a ``Model``, of layers of your own for example, which it makes anew each time
    folds: into how many folds the rows are split; each is held out once while a model learns the others. Classes are
        spread evenly over them.
    seed: decides which row is in which fold, and the starting weights
    measure: "score" (accuracy, or R² for regression) or "loss"
    executor: any ``concurrent.futures.Executor``; each fit is a job of its own. Processes are sent the rows once, and
        ``build`` by its name, so it must be a module's own function. In a script, see to the guard at the top of this
        module.
    progress: True shows progress on standard error; a function is called after each fit with the number of fits done,
        of all fits, the arguments of this one and its measure (None if it failed)

    Returns a ``SearchResult``: a table, and the best model fitted to all rows. A candidate whose fit raises or gives no
    finite number is put last as failed. Ctrl-C ends the search, as does an executor that breaks, and the result holds
    what was done by then, if any candidate was. Raises ``DataError`` for data that cannot be used, ``ValueError`` for
    arguments that make no sense, and if all candidates fail, ``RuntimeError`` for an executor that runs nothing.
    """
    search = _Search(_grid(grid), model, fit, build, measure)
    search.take(X, y, folds, seed)
    return search.run(executor, progress)


def random_search(
    X: Any, y: Any, space: Mapping[str, Any], *, tries: int = 20, seed: int = 0, **options: Any
) -> SearchResult:
    """Like ``grid_search``, with ``tries`` different candidates drawn at random, or as many as there are.

    ``space`` has for each argument a list of values to choose from, or a function that draws one from a generator
    (``random.Random``), such as ``uniform(0.0, 0.5)``, ``log_uniform(1e-3, 1.0)`` or ``whole(10, 100)`` of this module;
    a pair (0.0, 0.5) is a list of two values. With many arguments, few of which matter, this finds better values than
    a grid of as many candidates (Bergstra and Bengio, Journal of Machine Learning Research 13, 2012). ``options`` are
    those of ``grid_search``: ``model``, ``fit``, ``build``, ``folds``, ``measure``, ``executor`` and ``progress``.
    """
    if not isinstance(space, Mapping):
        raise ArgumentError(f"a dict of name: values is needed, got {type(space).__name__}")
    rng = Random(f"candidates {require_size('seed', seed, 0)}")
    drawn: Any = _Drawn(_drawn(space, require_size("tries", tries), rng))
    return grid_search(X, y, drawn, seed=seed, **options)
