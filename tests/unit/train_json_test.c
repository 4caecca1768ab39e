/* The JSON reader: what RFC 8259 allows is read, everything else refused. */
#include "train/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static dpr_context *context;

static int begin(void **state) {
    (void)state;
    return dpr_context_create(NULL, &context) != DPR_OK;
}
static int end(void **state) {
    (void)state;
    dpr_context_destroy(context);
    return 0;
}

static const dpr__json *parse(dpr__arena *arena, const char *text) {
    const dpr__json *value;
    dpr__arena_init(arena, context);
    if (dpr__json_parse(arena, "test", text, strlen(text), &value) != DPR_OK)
        fail_msg("%s: %s", text, dpr_error(context));
    return value;
}

static void reads_values(void **state) {
    (void)state;
    dpr__arena arena;
    const dpr__json *o = parse(&arena, " {\"a\" : [1, 2.5e1 ,-3, 0],\"b\":{},\"c\":\"x\","
                                       "\"t\":true,\"f\":false,\"n\":null,\"e\":[]}\r\n\t");
    assert_int_equal(o->type, DPR__JSON_OBJECT);
    assert_int_equal(o->n, 7);
    const dpr__json *a = dpr__json_get(o, "a");
    assert_int_equal(a->n, 4);
    uint64_t count;
    double real;
    assert_true(dpr__json_u64(a->first, &count));
    assert_int_equal(count, 1);
    assert_false(dpr__json_u64(a->first->next, &count));
    assert_true(dpr__json_double(context, a->first->next, &real));
    assert_true(real == 25);
    assert_false(dpr__json_u64(a->first->next->next, &count));
    assert_string_equal(dpr__json_string(dpr__json_get(o, "c")), "x");
    assert_null(dpr__json_string(a));
    assert_null(dpr__json_get(o, "missing"));
    assert_null(dpr__json_get(a, "a"));
    assert_int_equal(dpr__json_get(o, "t")->type, DPR__JSON_TRUE);
    assert_int_equal(dpr__json_get(o, "f")->type, DPR__JSON_FALSE);
    assert_int_equal(dpr__json_get(o, "n")->type, DPR__JSON_NULL);
    assert_int_equal(dpr__json_get(o, "e")->n, 0);
    dpr__arena_release(&arena);
}

static void decodes_strings(void **state) {
    (void)state;
    static const struct {
        const char *json, *value;
    } cases[] = {
        {"\"\"", ""},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac"},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dpr__arena arena;
        assert_string_equal(dpr__json_string(parse(&arena, cases[i].json)), cases[i].value);
        dpr__arena_release(&arena);
    }
}

static void refuse(const char *text, size_t n) {
    dpr__arena arena;
    const dpr__json *value;
    dpr__arena_init(&arena, context);
    if (dpr__json_parse(&arena, "bad.json", text, n, &value) != DPR_E_FORMAT)
        fail_msg("accepted: %.*s", (int)n, text);
    assert_non_null(strstr(dpr_error(context), "bad.json"));
    dpr__arena_release(&arena);
}

static void refuses_the_rest(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:2}",
        "{\"a\":1 \"b\":2}",
        "[1]]",
        "1 2",
        "tru",
        "True",
        "nul",
        "NaN",
        "Infinity",
        "-",
        "+1",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "--1",
        "'a'",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\ud800x\"",
        "\"\\ud800\\n\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\x80\"",
        "\"\xc3\"",
        "\"\xc0\x80\"",
        "\"\xe0\x80\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf0\x80\x80\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"\xe2\x82\"",
        "/* */1",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"b\":{},\"\\u0061\":2}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i], strlen(cases[i]));
    refuse("[1]\0", 4);
    refuse("\"a\0b\"", 5);
    refuse("\"\\", 2);
}

static void limits_depth(void **state) {
    (void)state;
    char text[64];
    dpr__arena arena;
    for (int depth = 16; depth <= 17; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = 0;
        if (depth == 17) {
            refuse(text, strlen(text));
        } else {
            parse(&arena, text);
            dpr__arena_release(&arena);
        }
    }
}

static void limits_values(void **state) {
    (void)state;
    size_t n = (1 << 20) + 8;
    char *text;
    assert_int_equal(dpr__allocate(context, 2 * n + 1, 1, &text), DPR_OK);
    text[0] = '[';
    for (size_t i = 0; i < n; i++)
        memcpy(text + 1 + 2 * i, "1,", 2);
    text[2 * n] = ']';
    refuse(text, 2 * n + 1);
    dpr__free(context, text);
}

/* A search through all keys for each key would take minutes here. */
static void many_keys_are_quick(void **state) {
    (void)state;
    enum { N = 200000 };
    char *text, *at;
    dpr__arena arena;
    const dpr__json *value;
    assert_int_equal(dpr__allocate(context, N * 16, 1, &text), DPR_OK);
    at = text;
    for (int i = 0; i < N; i++)
        at += sprintf(at, "%c\"k%d\":0", i == 0 ? '{' : ',', i);
    *at++ = '}';
    dpr__arena_init(&arena, context);
    assert_int_equal(dpr__json_parse(&arena, "test", text, (size_t)(at - text), &value), DPR_OK);
    assert_int_equal(value->n, N);
    dpr__arena_release(&arena);
    dpr__free(context, text);
}

/* Keys made to fall on one slot of the table of keys would make the search quadratic. */
static void crafted_keys_are_refused(void **state) {
    (void)state;
    enum { N = 2000, SLOTS = 4096 };
    char *text, *at;
    dpr__arena arena;
    const dpr__json *value;
    assert_int_equal(dpr__allocate(context, N * 32, 1, &text), DPR_OK);
    at = text;
    for (int i = 0, n = 0; n < N; i++) {
        char key[16];
        uint64_t hash = 0xCBF29CE484222325U;
        snprintf(key, sizeof key, "%d", i);
        for (const char *c = key; *c; c++)
            hash = (hash ^ (uint8_t)*c) * 0x100000001B3U;
        if (hash % SLOTS == 0)
            at += sprintf(at, "%c\"%s\":0", n++ == 0 ? '{' : ',', key);
    }
    *at++ = '}';
    dpr__arena_init(&arena, context);
    assert_int_equal(dpr__json_parse(&arena, "test", text, (size_t)(at - text), &value),
                     DPR_E_FORMAT);
    assert_non_null(strstr(dpr_error(context), "collide"));
    dpr__arena_release(&arena);
    dpr__free(context, text);
}

static void writes_the_fewest_digits(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.1, "0.1"},
                 {1, "1"},
                 {-2.5e-300, "-2.5e-300"},
                 {1 / 3.0, "0.3333333333333333"},
                 {0x1.fffffffffffffp0, "1.9999999999999998"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dpr__text text;
        dpr__text_init(&text, context);
        dpr__json_add_double(&text, cases[i].value);
        assert_string_equal(text.data, cases[i].text);
        dpr__text_release(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values),        cmocka_unit_test(writes_the_fewest_digits),
        cmocka_unit_test(decodes_strings),     cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(limits_depth),        cmocka_unit_test(limits_values),
        cmocka_unit_test(many_keys_are_quick), cmocka_unit_test(crafted_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
