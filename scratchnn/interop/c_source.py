"""A fitted model as one C99 file for chips without a floating-point unit: whole numbers alone, no allocation.

Weights become 32-bit whole numbers, and all arithmetic is on 32-bit numbers with 64-bit sums (see ``c_runtime``).
Nothing overflows for any input, by how ``c_network`` chooses the weights. Probabilities differ from the model's by some
1e-7, values of a regression by as much of the targets' deviation.

Rows come in as whole numbers: pixels as bytes, all others as 32-bit fixed-point numbers. With how many binary places is
decided here from the spread of each feature in training, or by whoever exports; the file says so. Values of a
regression go out as 64-bit fixed-point numbers, and probabilities times 2^30.

Names of classes come from strangers: they are written as string literals with octal escapes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..checks import require_size, shown
from ..errors import ArgumentError
from .c_network import Program, block_name, exponent_of, mantissa, times
from .c_runtime import END, needed, normal_tables
from .description import describe
from .remarks import comment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import Model
    from .description import Description

_COMMON_PLACES = 18  # with as many binary places of the narrowest feature's spread, all get the same number of them
_SPREADS = 8  # log2 of how many deviations from its mean a feature may be
_UNSCALED_PLACES = 20  # of features whose spread is not known
_LONGEST_STRING = 4000  # characters: C99 promises 4095 of a literal


def _binary_places(known: Description, given: int | None) -> list[int]:
    """How many binary places each feature comes with; of pixels and of what names a row of a table, none."""
    width = known.width
    if known.factor != 1.0 or "embedding" in known.kinds:
        if given is not None:
            raise ArgumentError("fraction_bits are for features that are no pixels and no indices: those are whole")
        return [0] * width
    if given is not None:
        given = require_size("fraction_bits", given, 0, 30)
    if known.shift is None or known.divisor is None:
        return [_UNSCALED_PLACES if given is None else given] * width
    spreads = [exponent_of(d) for d in known.divisor]
    if given is None:
        most = [31 - max(exponent_of(m), spread + _SPREADS) for m, spread in zip(known.shift, spreads)]
        common = min(most)
        places = [common] * width if common >= 0 and common + min(spreads) >= _COMMON_PLACES else most
    else:
        most = [31 - max(exponent_of(m), spread) for m, spread in zip(known.shift, spreads)]
        places = [given] * width
    for number, (place, spread, room) in enumerate(zip(places, spreads, most)):
        if not -spread <= place <= room:
            told = f"feature {number}, with a mean of {known.shift[number]:g}, a deviation of {known.divisor[number]:g}"
            remedy = f"fraction_bits has to be from {max(-spread, 0)} to {room}"
            if room < max(-spread, 0) or given is None:
                remedy = "train with something taken off it that is near to its mean"
            raise ArgumentError(f"32 bits with {place} binary places cannot tell the values of {told}: {remedy}")
    return places


# --- answers -------------------------------------------------------------------------------------------------------

_CLASSES = """\
int NAME_predict_in(NAME_workspace *work, const NAME_input *features)
{
    if (run(work, features) != 0) return -1;
    return (int)largest(BLOCK, COUNT);
}

int NAME_predict_proba_in(NAME_workspace *work, const NAME_input *features, int32_t *probabilities)
{
    int32_t i;
    int best;

    if (run(work, features) != 0) return -1;
    best = (int)largest(BLOCK, COUNT);
BEFORE    for (i = 0; i < COUNT; i++) probabilities[i] = EACH;
    return best;
}"""

_TWO_CLASSES = """\
int NAME_predict_in(NAME_workspace *work, const NAME_input *features)
{
    int32_t probabilities[2];

    return NAME_predict_proba_in(work, features, probabilities);
}

int NAME_predict_proba_in(NAME_workspace *work, const NAME_input *features, int32_t *probabilities)
{
    const int32_t i = 0;

    if (run(work, features) != 0) return -1;
    probabilities[1] = EACH;
    probabilities[0] = (int32_t)(LARGEST - probabilities[1]);
    return probabilities[1] >= LARGEST / 2;
}"""

_LABELS = """\
int NAME_predict_in(NAME_workspace *work, const NAME_input *features, uint8_t *labels)
{
    int32_t i;

    if (run(work, features) != 0) return -1;
    for (i = 0; i < COUNT; i++) labels[i] = EACH >= LARGEST / 2;
    return 0;
}

int NAME_predict_proba_in(NAME_workspace *work, const NAME_input *features, int32_t *probabilities)
{
    int32_t i;

    if (run(work, features) != 0) return -1;
    for (i = 0; i < COUNT; i++) probabilities[i] = EACH;
    return 0;
}"""

_VALUES = """\
int NAME_predict_in(NAME_workspace *work, const NAME_input *features, int64_t *values)
{
    int32_t i;

    if (run(work, features) != 0) return -1;
    for (i = 0; i < COUNT; i++) values[i] = EACH;
    return 0;
}"""

_CLASS_NAME = """\
const char *NAME_class_name(int index)
{
    return index < 0 || index >= COUNT ? 0 : class_names[index];
}"""

# What is declared, with what it does.
_PREDICT = {
    "classification": (
        "The number of a class, counted from 0; -1 for features that mean nothing.",
        "int NAME_predict(const NAME_input *features);",
    ),
    "multilabel": (
        "1 for each label that is more probable than not, 0 for others. Returns 0; -1 for features that mean nothing.",
        "int NAME_predict(const NAME_input *features, uint8_t *labels);",
    ),
    "regression": (
        "The values, each times 2^PLACES. Returns 0; -1 for features that mean nothing.",
        "int NAME_predict(const NAME_input *features, int64_t *values);",
    ),
}
_PREDICT_PROBA = (
    "The same, and the probability of each, times 2^30.",
    "int NAME_predict_proba(const NAME_input *features, int32_t *probabilities);",
)
_NAMES = (
    "The name of a class in UTF-8; a null pointer for a number that no class has.",
    "const char *NAME_class_name(int index);",
)

_MAIN = """\
#ifdef SCRATCHNN_MAIN
/* To try the file on a PC, which has floating-point numbers: lines of CSV from standard input, each of them a row's
 * features and nothing else, become an answer each. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a line has: so many fields; of these, so many words; the first field that is no finite decimal number. */
struct line {
    long fields, words, wrong;
};

static NAME_input as_input(double number, int bits)
{
    const double least = LEAST, most = MOST;

    for (; bits > 0; bits--) number *= 2;
    for (; bits < 0; bits++) number /= 2;
    number += number < 0 ? -0.5 : 0.5;
    return (NAME_input)(number > least ? (number < most ? number : most) : least);
}

/* Whether a text is a number. To the C library nan, inf and 0x1p3 are. */
static int is_number(const char *text, double *number)
{
    char *end;

    *number = strtod(text, &end);
    return end != text && *end == 0;
}

/* The next character that is no blank. A line may end as those of Windows do. */
static int next_character(void)
{
    int c;

    do c = getchar();
    while (c == ' ' || c == '\\t' || c == '\\r');
    return c;
}

/* The next field of a line, without the quotes around it. Returns what ends it: a comma or semicolon, a blank behind a
 * number, the line's end or EOF. One that is too long for a number begins with a question mark then. */
static int next_field(char *text, size_t size)
{
    size_t length = 0;
    int quoted = 0, c = next_character();
    double number;

    for (text[0] = 0; c != EOF && c != '\\n' && (quoted || (c != ',' && c != ';')); c = getchar()) {
        if (c == '"' && (quoted || length == 0)) {
            quoted = !quoted;
            continue;
        }
        if (!quoted && (c == ' ' || c == '\\t' || c == '\\r') && is_number(text, &number)) {
            c = next_character();
            if (c == EOF || c == '\\n' || c == ',' || c == ';') return c;
            ungetc(c, stdin);
            return ' ';
        }
        if (c == 0 || length + 1 == size) {
            length = 0;
            c = '?';
        }
        text[length++] = (char)c;
        text[length] = 0;
    }
    return c;
}

/* Reads a line, and what numbers it has into the features, as far as there are so many. Returns what ends it. */
static int read_line(NAME_input *features, struct line *line)
{
    char text[512];
    double number;
    int end;

    line->fields = line->words = line->wrong = 0;
    do {
        const long i = line->fields;
        end = next_field(text, sizeof text);
        if (i == 0 && text[0] == 0 && (end == '\\n' || end == EOF)) return end;
        line->fields++;
        if (!is_number(text, &number)) line->words++;
        if (line->words || text[strspn(text, "+-.0123456789eE")] || number > DBL_MAX || number < -DBL_MAX) {
            if (line->wrong == 0) line->wrong = line->fields;
        } else if (i < UPPER_INPUTS) {
            features[i] = as_input(number, PLACES);
        }
    } while (end != '\\n' && end != EOF);
    return end;
}

/* Says why a line is no row of features, if it is none; returns whether it is one. */
static int is_row(const struct line *line, long number)
{
    const long width = UPPER_INPUTS;

    if (line->wrong) {
        fprintf(stderr, "line %ld: field %ld is no finite number: a row has %ld numbers, without the label's column\\n",
                number, line->wrong, width);
    } else if (line->fields != width) {
        fprintf(stderr, "line %ld: %ld numbers, a row has %ld%s\\n", number, line->fields, width,
                line->fields == width + 1 ? ": leave out the label's column" : "");
    }
    return line->wrong == 0 && line->fields == width;
}
SHOW_NAME
int main(void)
{
    static NAME_input features[UPPER_INPUTS];
    static ANSWER;
    struct line line;
    long number, lines = 0;
    int end, got, k;

    /* A byte order mark comes before the text. */
    end = getchar();
    if (end == 0xEF) end = getchar() == EOF || getchar() == EOF ? EOF : 0;
    else ungetc(end, stdin);
    for (number = 1; end != EOF; number++) {
        end = read_line(features, &line);
        if (line.fields == 0) continue;
        if (lines++ == 0 && line.words == line.fields) continue; /* the names of the columns */
        if (!is_row(&line, number)) return 2;
        got = ASK;
        if (got < 0) {
            fprintf(stderr, "line %ld: these features mean nothing\\n", number);
            return 2;
        }
TELL
        printf("\\n");
    }
    if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
    fprintf(stderr, "the answers cannot be written\\n");
    return 2;
}
#endif"""

_SHOW_NAME = """
/* A name as a field of CSV (RFC 4180). */
static void show_name(const char *name)
{
    const int quoted = strpbrk(name, ",\\"\\r\\n") != 0;

    if (quoted) putchar('"');
    for (; *name; name++) {
        if (*name == '"') putchar('"');
        putchar(*name);
    }
    if (quoted) putchar('"');
}
"""

# How each task is asked, and how its answer is told.
_ASK = {
    "classification": "NAME_predict_proba(features, answer)",
    "multilabel": "NAME_predict_proba(features, answer)",
    "regression": "NAME_predict(features, answer)",
}
_TELL = {
    "classification": """\
        show_name(NAME_class_name(got));
        for (k = 0; k < UPPER_OUTPUTS; k++) printf(",%.9f", answer[k] / 1073741824.0);""",
    "multilabel": """\
        for (k = 0; k < UPPER_OUTPUTS; k++) printf("%s%.9f", k ? "," : "", answer[k] / 1073741824.0);""",
    "regression": """\
        for (k = 0; k < UPPER_OUTPUTS; k++) {
            double value = (double)answer[k];
            for (got = VALUE_PLACES; got > 0; got--) value /= 2;
            for (; got < 0; got++) value *= 2;
            printf("%s%.9g", k ? "," : "", value);
        }""",
}


class _Places:
    """How many binary places features or values have, as the program says it: one number, or a table of them.

    ``text`` is an expression of C for those of number i.
    """

    def __init__(self, program: Program, bits: Sequence[int], what: str) -> None:
        self.define = self.declaration = ""
        if len(set(bits)) > 1:
            table = program.table(f"{program.name}_{what}_bits", bits, "int16_t", visible=True)
            self.declaration = f"extern const int16_t {table}[{len(bits)}];"
            self.text = f"{table}[i]"
        else:
            self.text = f"{program.name}_{what}_bits".upper()
            self.define = f"#define {self.text} ({bits[0]})"


def _value_places(known: Description) -> list[int]:
    """How many binary places each value of a regression has: 2^-24 of its spread, with room for 2^26 spreads."""
    scales = known.target_scale or [1.0] * known.output_size
    shifts = known.target_shift or [0.0] * known.output_size
    each = [min(24 - exponent_of(s), 60 - exponent_of(m)) for s, m in zip(scales, shifts)]
    finest = max(each)
    fits = all(finest <= min(36 - exponent_of(s), 60 - exponent_of(m)) for s, m in zip(scales, shifts))
    return [finest] * len(each) if fits else each


def _each(program: Program, places: Sequence[int]) -> str:
    """One output as it is answered, as C says it."""
    known, number = program.known, f"{block_name(program.slot)}[i]"
    if known.output == "softmax":
        program.use("softmax")
        return number
    if known.output == "exp":
        return f"{program.use('exponential')}({number}, work->exponent)"
    if known.output == "sigmoid":
        return f"(int32_t){program.use('logistic')}({number}, work->exponent)"
    if known.output == "identity":
        return f"{program.use('fixed')}({number}, work->exponent)"
    if known.target_scale is None or known.target_shift is None:
        return f"moved({number}, work->exponent - ({places[0]}))"
    scales = [mantissa(scale) for scale in known.target_scale]
    program.table("target_scale", [scale for scale, _ in scales])
    program.table("target_shift", [times(v, place) for v, place in zip(known.target_shift, places)], "int64_t")
    moves = [bits - place for (_, bits), place in zip(scales, places)]
    move = f"({moves[0]})" if len(set(moves)) == 1 else f"{program.table('target_bits', moves, 'int16_t')}[i]"
    return f"moved((int64_t){number} * target_scale[i], work->exponent + {move}) + target_shift[i]"


def string(text: str) -> str:
    """A text as a literal of C, in UTF-8: never more than that."""
    return '"' + "".join(map(_character, text.encode("utf-8", "surrogatepass"))) + '"'


def _character(byte: int) -> str:
    if chr(byte) in '"\\?':
        return "\\" + chr(byte)
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"


def _class_names(program: Program) -> None:
    """The table of the classes' names. One that is too long for a literal becomes a table of its characters."""
    names = []
    for number, value in enumerate(program.known.classes):
        data = str(value).encode("utf-8", "surrogatepass")
        program.bytes += len(data) + 1
        if len(data) > _LONGEST_STRING:
            numbers = ", ".join(str(byte if byte < 128 else byte - 256) for byte in [*data, 0])
            program.tables.append(f"static const char class{number}[] = {{ {numbers} }};")
            names.append(f"class{number}")
        else:
            names.append(string(str(value)))
    body = "".join(f"    {name},\n" for name in names)
    program.tables.append(f"static const char *const class_names[{len(names)}] = {{\n{body}}};")


def _public(known: Description) -> list[tuple[str, str]]:
    """(what it does, its declaration) of each function that can be called."""
    plain = [_PREDICT[known.task], *([] if known.task == "regression" else [_PREDICT_PROBA])]
    inside = [
        ("The same in working memory of yours, for programs with several threads.", _inside(line)) for _, line in plain
    ]
    return [*plain, *inside, *([_NAMES] if known.classes else [])]


def _inside(declaration: str) -> str:
    return declaration.replace("(const", "_in(NAME_workspace *work, const")


def _wrappers(known: Description) -> list[str]:
    """The functions that work in the memory of the file."""
    found = []
    for _, declaration in _public(known):
        if "_in(" in declaration or "class_name" in declaration:
            continue
        call = re.sub(r"const NAME_input \*|uint8_t \*|int32_t \*|int64_t \*|^int |;$", "", declaration)
        call = call.replace("(", "_in(&memory, ")
        found.append(f"{declaration[:-1]}\n{{\n    return {call};\n}}")
    return found


def _answers(program: Program, places: Sequence[int]) -> str:
    known = program.known
    before, each = "", _each(program, places)
    if known.output == "softmax":
        before = f"    softmax({block_name(program.slot)}, work->exponent, {known.output_size});\n"
    if known.output == "values":
        text = _VALUES
    elif known.task == "multilabel":
        text = _LABELS
    elif known.output_size == 1:
        text = _TWO_CLASSES
    else:
        program.use("largest")
        text = _CLASSES
    text = text.replace("BEFORE", before).replace("EACH", each).replace("BLOCK", block_name(program.slot))
    return text.replace("COUNT", str(known.output_size))


def _main(known: Description, name: str, features: _Places, values: _Places | None) -> str:
    kind = "int64_t" if known.task == "regression" else "int32_t"
    least, most = ("0.0", "255.0") if known.factor != 1.0 else ("-2147483647.0", "2147483647.0")
    outputs = f"{name.upper()}_OUTPUTS"
    return _named(
        _MAIN,
        name,
        SHOW_NAME=_SHOW_NAME if known.task == "classification" else "",
        ASK=_named(_ASK[known.task], name),
        TELL=_named(_TELL[known.task], name, VALUE_PLACES=values.text.replace("[i]", "[k]") if values else ""),
        ANSWER=f"{kind} answer[{outputs}]",
        PLACES=features.text,
        LEAST=least,
        MOST=most,
    )


def _header(program: Program, features: _Places, values: _Places | None) -> str:
    known, name = program.known, program.name
    calls = {
        "classification": f"const char *answer = {name}_class_name({name}_predict(features));",
        "multilabel": f"uint8_t labels[{known.output_size}]; {name}_predict(features, labels);",
        "regression": f"int64_t values[{known.output_size}]; {name}_predict(features, values);",
    }
    shape = " x ".join(map(str, known.input_shape))
    lines = [
        "A neural network that scratchnn has trained, in C99, for chips without a floating-point unit.",
        "",
        f"Weights: SHA-256 {known.digest}",
        *([f"It predicts: {known.label_name}"] if known.label_name else []),
        "",
        *known.summary.splitlines(),
        "",
        "It computes with whole numbers alone, allocates nothing and needs no other file. Tables take",
        f"{program.bytes} bytes, working memory {program.memory}.",
        "",
        f"    {name}_input features[{known.width}] = {{ ... }};",
        f"    {calls[known.task]}",
        "",
        _said_of_features(known, features),
        *([f"They are an image of {shape}: channel after channel, each row by row."] * (len(known.input_shape) > 1)),
        *([f"Values are fixed-point numbers as well: value i is times 2^{values.text}."] if values else []),
        "",
        'Other files need the lines from here to LARGEST; in C++, inside extern "C" { }.',
        "To try it:  cc -std=c99 -O2 -DSCRATCHNN_MAIN model.c && ./a.out < rows.csv",
        "A line of rows.csv has the features of a row alone, without the label's column.",
    ]
    if known.feature_names:
        lines += ["", "The features, in order:", *(f"    {i}: {text}" for i, text in enumerate(known.feature_names))]
    return comment(lines)


def _said_of_features(known: Description, places: _Places) -> str:
    if known.factor != 1.0:
        return "Features are pixels, 0 to 255, a byte each."
    if "embedding" in known.kinds:
        return f"Features are whole numbers from 0 to {len(known.steps[0].settings['weight']) - 1}."
    return f"Features are fixed-point numbers: feature i is its value times 2^{places.text}, rounded."


def _named(text: str, name: str, **parts: str) -> str:
    """One of the texts above with the names that were asked for, and these parts in the places that are called so.

    All of it in one go: what has been put in may itself have such a word in it, as the names of users can.
    """
    known = {"NAME": name, "UPPER": name.upper(), **parts}
    words = "|".join([r"\b(?:NAME|UPPER)(?=_)", *(rf"\b{part}\b" for part in parts)])
    return re.sub(words, lambda found: known[found[0]], text)


def _declarations(program: Program, features: _Places, values: _Places | None) -> list[str]:
    """What a program needs that calls the file."""
    known, name = program.known, program.name
    defines = [
        f"#define {name.upper()}_INPUTS {known.width}",
        f"#define {name.upper()}_OUTPUTS {max(len(known.classes), known.output_size)}",
        *(places.define for places in (features, values) if places and places.define),
    ]
    blocks = "".join(f"    int32_t block{slot}[{size}];\n" for slot, size in enumerate(program.slots.sizes))
    exponent = "    int exponent; /* of the outputs: each is number / 2^exponent */\n"
    public = "\n\n".join(f"/* {said} */\n{line}" for said, line in _public(known))
    return [
        "\n".join([*defines, "", f"typedef {'uint8_t' if known.factor != 1.0 else 'int32_t'} {name}_input;"]),
        f"typedef struct {{\n{blocks}{exponent}}} {name}_workspace;",
        *(places.declaration for places in (features, values) if places and places.declaration),
        _named(public, name, PLACES=values.text if values else ""),
    ]


def export_model(model: Model, name: str = "scratchnn", fraction_bits: int | None = None) -> bytes:
    """A fitted model as a C99 file: the same bytes for the same model.

    ``name`` begins the names of what can be called: ``NAME_predict``, ``NAME_predict_proba``, ``NAME_class_name``.
    ``fraction_bits`` is how many binary places features have that are neither pixels nor indices; by default as many
    as 32 bits have beside 256 deviations of each feature, and 20 where features are not scaled. Raises
    ``NotFittedError`` for a model that was not fitted, and ``ArgumentError`` for layers or losses of one's own and for
    weights that are beyond 2^500 or below 2^-500.
    """
    if not isinstance(name, str) or not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
        raise ArgumentError(f"name must be one that C can read, such as digits, got {shown(name)}")
    known = describe(model)
    places = _binary_places(known, fraction_bits)
    program = Program(known, name)
    if known.classes:
        _class_names(program)
    run = program.run(places)
    value_places = _value_places(known) if known.task == "regression" else []
    answers = _answers(program, value_places)
    if "gelu" in program.needed:
        program.tables.append(f"#define NORMAL_END {END}")
        for table, numbers in zip(("normal_tails", "normal_slopes"), normal_tables()):
            program.table(table, numbers)
    features = _Places(program, places, "fraction")
    values = _Places(program, value_places, "value") if value_places else None
    parts = [
        _header(program, features, values),
        "#include <stdint.h>",
        *_declarations(program, features, values),
        "/* No number of a block is larger. */\n#define LARGEST ((int64_t)1 << 30)",
        *needed(program.needed & {"window"}),
        "\n".join(program.tables),
        *needed(program.needed - {"window"}),
        run,
        _named(answers, name),
        f"static {name}_workspace memory;",
        *(_named(text, name) for text in _wrappers(known)),
        *([_named(_CLASS_NAME.replace("COUNT", str(len(known.classes))), name)] if known.classes else []),
        _main(known, name, features, values),
    ]
    return ("\n\n".join(parts) + "\n").encode("ascii")
