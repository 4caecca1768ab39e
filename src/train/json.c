/* The JSON reader: recursive descent over bytes that end with a sentinel check, values in an
 * arena. */
#include "train/json.h"
#include "base/context.h"
#include <string.h>

/* The depth bounds the recursion, the count the arena: a header of 100 MB could hold 50 million. */
enum { MAX_DEPTH = 16, MAX_VALUES = 1 << 20 };

struct reader {
    dpr__arena *arena;
    const char *name;
    const uint8_t *text;
    size_t at, n;
    unsigned depth;
    size_t n_values;
};

static dpr_status bad(const struct reader *reader, const char *what) {
    return DPR_FAIL(reader->arena->context, DPR_E_FORMAT, "%s: JSON, byte %zu: %s", reader->name,
                    reader->at, what);
}

/* The next byte; 0 at the end (a NUL in the text is refused wherever it stands). */
static uint8_t peek(const struct reader *reader) {
    return reader->at < reader->n ? reader->text[reader->at] : 0;
}

static void skip_space(struct reader *reader) {
    while (peek(reader) == ' ' || peek(reader) == '\t' || peek(reader) == '\n' ||
           peek(reader) == '\r')
        reader->at++;
}

/* ---- strings ---- */

static size_t utf8_encode(uint32_t point, char *out) {
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | (point >> 6));
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | (point >> 12));
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (point >> 18));
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

/* Bytes of the well-formed UTF-8 sequence (RFC 3629) at `s`, of which n ≥ 1 are there; 0 for
 * none. */
static size_t utf8_length(const uint8_t *s, size_t n) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (length <= 1)
        return length;
    if (s[0] > 0xF4 || length > n)
        return 0;
    uint32_t point = s[0] & (0xFFU >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (s[i] & 0x3F);
    }
    bool surrogate = point >= 0xD800 && point < 0xE000;
    return point < least[length] || point > 0x10FFFF || surrogate ? 0 : length;
}

/* Four hex digits at the reader's place. */
static bool read_hex4(struct reader *reader, uint32_t *out) {
    *out = 0;
    for (int i = 0; i < 4; i++, reader->at++) {
        uint8_t c = peek(reader);
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (c | 0x20) - 'a' + 10;
        else
            return false;
        *out = *out << 4 | digit;
    }
    return true;
}

/* What follows the backslash; a pair of surrogates is one character. */
static dpr_status read_escape(struct reader *reader, char *out, size_t *length) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint8_t c = peek(reader);
    reader->at++;
    const char *found = c == 0 ? NULL : strchr(from, c);
    if (found != NULL) {
        out[(*length)++] = to[found - from];
        return DPR_OK;
    }
    uint32_t point, low;
    if (c != 'u' || !read_hex4(reader, &point))
        return bad(reader, "bad escape in a string");
    if (point >= 0xD800 && point < 0xDC00) {
        if (peek(reader) != '\\' || reader->at + 1 >= reader->n ||
            reader->text[reader->at + 1] != 'u')
            return bad(reader, "half a surrogate pair in a string");
        reader->at += 2;
        if (!read_hex4(reader, &low) || low < 0xDC00 || low > 0xDFFF)
            return bad(reader, "half a surrogate pair in a string");
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    } else if (point >= 0xDC00 && point < 0xE000) {
        return bad(reader, "half a surrogate pair in a string");
    }
    if (point == 0)
        return bad(reader, "NUL in a string");
    *length += utf8_encode(point, out + *length);
    return DPR_OK;
}

/* The string whose opening quote is next. An escape is never shorter than what it stands for, so
 * the distance to the closing quote is room enough. */
static dpr_status read_string(struct reader *reader, const char **out) {
    size_t end = ++reader->at;
    while (end < reader->n && reader->text[end] != '"')
        end += reader->text[end] == '\\' ? 2 : 1;
    if (end >= reader->n)
        return bad(reader, "a string without an end");
    char *string = dpr__arena_allocate(reader->arena, end - reader->at + 1);
    if (string == NULL)
        return DPR_E_MEMORY;
    size_t length = 0;
    while (reader->at < end) {
        const uint8_t *s = reader->text + reader->at;
        size_t step = utf8_length(s, end - reader->at);
        if (*s == '\\') {
            reader->at++;
            DPR_TRY(read_escape(reader, string, &length));
            continue;
        }
        if (*s < 0x20 || step == 0)
            return bad(reader, *s < 0x20 ? "a control character in a string"
                                         : "bytes that are no UTF-8 in a string");
        memcpy(string + length, s, step);
        length += step;
        reader->at += step;
    }
    reader->at++;
    *out = string;
    return DPR_OK;
}

/* ---- the other values ---- */

static bool skip_digits(struct reader *reader) {
    size_t from = reader->at;
    while (peek(reader) >= '0' && peek(reader) <= '9')
        reader->at++;
    return reader->at > from;
}

/* Checks the grammar and keeps the digits: whoever asks decides whether it is a u64 or a double. */
static dpr_status read_number(struct reader *reader, const char **out) {
    size_t from = reader->at;
    if (peek(reader) == '-')
        reader->at++;
    if (peek(reader) == '0')
        reader->at++;
    else if (!skip_digits(reader))
        return bad(reader, "neither a value nor a number");
    if (peek(reader) == '.') {
        reader->at++;
        if (!skip_digits(reader))
            return bad(reader, "a number without digits after its point");
    }
    if ((peek(reader) | 0x20) == 'e') {
        reader->at++;
        if (peek(reader) == '+' || peek(reader) == '-')
            reader->at++;
        if (!skip_digits(reader))
            return bad(reader, "a number without digits in its exponent");
    }
    *out = dpr__arena_text(reader->arena, (const char *)reader->text + from, reader->at - from);
    return *out == NULL ? DPR_E_MEMORY : DPR_OK;
}

/* FNV-1a. */
static uint64_t key_hash(const char *key) {
    uint64_t hash = 0xCBF29CE484222325U;
    for (; *key; key++)
        hash = (hash ^ (uint8_t)*key) * 0x100000001B3U;
    return hash;
}

/* Fails where two members share a key. Open addressing in a table at most half full: a key takes
 * about one and a half looks. Keys that were crafted to collide would take as many as there are
 * keys, hours for a million of them; they are refused when the looks pass 32 a key. */
static dpr_status refuse_duplicates(const struct reader *reader, const dpr__json *object) {
    size_t slots = 4, looks = 0;
    while (slots < 2 * object->n)
        slots *= 2;
    const char **table, *twice = NULL;
    dpr_context *context = reader->arena->context;
    DPR_TRY(dpr__allocate(context, slots, sizeof *table, &table));
    const dpr__json *item = object->first;
    for (; item && twice == NULL && looks <= 32 * object->n; item = item->next) {
        size_t slot = (size_t)key_hash(item->key) & (slots - 1);
        for (; table[slot] != NULL && strcmp(table[slot], item->key) != 0; looks++)
            slot = (slot + 1) & (slots - 1);
        if (table[slot] != NULL)
            twice = item->key;
        table[slot] = item->key;
    }
    dpr__free(context, table);
    if (twice != NULL)
        return DPR_FAIL(context, DPR_E_FORMAT,
                        "%s: JSON: the key '%.64s' stands twice in one object", reader->name,
                        twice);
    return looks > 32 * object->n ? bad(reader, "keys that collide too often") : DPR_OK;
}

static dpr_status read_value(struct reader *reader, dpr__json *out);

/* The items of an array or object, up to and including `close`. */
static dpr_status read_items(struct reader *reader, dpr__json *parent, uint8_t close) {
    if (++reader->depth > MAX_DEPTH)
        return bad(reader, "nested too deeply");
    reader->at++;
    const dpr__json **link = &parent->first;
    skip_space(reader);
    for (bool more = peek(reader) != close; more;) {
        if (++reader->n_values > MAX_VALUES)
            return bad(reader, "too many values");
        dpr__json *item = dpr__arena_allocate(reader->arena, sizeof *item);
        if (item == NULL)
            return DPR_E_MEMORY;
        skip_space(reader);
        if (close == '}') {
            if (peek(reader) != '"')
                return bad(reader, "a key in quotes should stand here");
            DPR_TRY(read_string(reader, &item->key));
            skip_space(reader);
            if (peek(reader) != ':')
                return bad(reader, "':' should stand here");
            reader->at++;
        }
        DPR_TRY(read_value(reader, item));
        *link = item;
        link = &item->next;
        parent->n++;
        skip_space(reader);
        more = peek(reader) == ',';
        if (!more && peek(reader) != close)
            return bad(reader, "',' or a closing bracket should stand here");
        if (more)
            reader->at++;
    }
    reader->at++;
    reader->depth--;
    return close == '}' ? refuse_duplicates(reader, parent) : DPR_OK;
}

static bool skip_word(struct reader *reader, const char *word) {
    size_t length = strlen(word);
    if (reader->n - reader->at < length || memcmp(reader->text + reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

static dpr_status read_value(struct reader *reader, dpr__json *out) {
    skip_space(reader);
    switch (peek(reader)) {
    case '{':
        out->type = DPR__JSON_OBJECT;
        return read_items(reader, out, '}');
    case '[':
        out->type = DPR__JSON_ARRAY;
        return read_items(reader, out, ']');
    case '"':
        out->type = DPR__JSON_STRING;
        return read_string(reader, &out->text);
    default:
        break;
    }
    if (skip_word(reader, "true"))
        out->type = DPR__JSON_TRUE;
    else if (skip_word(reader, "false"))
        out->type = DPR__JSON_FALSE;
    else if (skip_word(reader, "null"))
        out->type = DPR__JSON_NULL;
    else {
        out->type = DPR__JSON_NUMBER;
        return read_number(reader, &out->text);
    }
    return DPR_OK;
}

dpr_status dpr__json_parse(dpr__arena *arena, const char *name, const char *text, size_t n,
                           const dpr__json **out) {
    struct reader reader = {
        .arena = arena, .name = name, .text = (const uint8_t *)text, .n = n, .n_values = 1};
    dpr__json *value = dpr__arena_allocate(arena, sizeof *value);
    if (value == NULL)
        return DPR_E_MEMORY;
    DPR_TRY(read_value(&reader, value));
    skip_space(&reader);
    if (reader.at != n)
        return bad(&reader, "more text after the value");
    *out = value;
    return DPR_OK;
}

/* ---- looking things up ---- */

const dpr__json *dpr__json_get(const dpr__json *object, const char *key) {
    if (object == NULL || object->type != DPR__JSON_OBJECT)
        return NULL;
    for (const dpr__json *item = object->first; item; item = item->next)
        if (strcmp(item->key, key) == 0)
            return item;
    return NULL;
}

const char *dpr__json_string(const dpr__json *value) {
    return value != NULL && value->type == DPR__JSON_STRING ? value->text : NULL;
}

bool dpr__json_u64(const dpr__json *value, uint64_t *out) {
    return value != NULL && value->type == DPR__JSON_NUMBER && dpr__parse_u64(value->text, out);
}

bool dpr__json_double(dpr_context *context, const dpr__json *value, double *out) {
    return value != NULL && value->type == DPR__JSON_NUMBER &&
           dpr__parse_double(context, value->text, out);
}

/* ---- writing ---- */

void dpr__json_add_double(dpr__text *text, double value) {
    char digits[32];
    double back;
    for (int precision = 15; precision <= 17; precision++) {
        dpr__format(text->context, digits, sizeof digits, "%.*g", precision, value);
        if (dpr__parse_double(text->context, digits, &back) && back == value)
            break;
    }
    dpr__text_add(text, "%s", digits);
}
