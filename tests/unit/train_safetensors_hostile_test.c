/* Safetensors: what is written is read back; files that lie about themselves are refused with the
 * file's name, whatever they say. The interesting runs are those under ASan. */
#include "base/file.h"
#include "train/safetensors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static dpr_context *context;
static char path[64];

static int begin(void **state) {
    (void)state;
    strcpy(path, "/tmp/deeper-safetensors-XXXXXX");
    int file = mkstemp(path);
    if (file < 0)
        return 1;
    close(file);
    return dpr_context_create(NULL, &context) != DPR_OK;
}
static int end(void **state) {
    (void)state;
    unlink(path);
    dpr_context_destroy(context);
    return 0;
}

static void ok(dpr_status status) {
    if (status != DPR_OK)
        fail_msg("%s", dpr_error(context));
}

static const float weights[6] = {1, 2, 3, 4, 5, -6.5F};
static const uint64_t seed = 0x0123456789ABCDEFU;
static const uint8_t bytes3[3] = {7, 8, 9};
static const int32_t batch = -5;

static void write_sample(void) {
    const dpr__stored tensors[] = {
        {"w", DPR_F32, {2, {2, 3}}, weights, sizeof weights},
        {"bytes", DPR_U8, {1, {3}}, bytes3, sizeof bytes3},
        {"none", DPR_F32, {2, {0, 4}}, weights, 0},
        {"seed", DPR_U64, {0, {0}}, &seed, sizeof seed},
        {"batch \"\n\xc3\xa9", DPR_I32, {0, {0}}, &batch, sizeof batch},
    };
    const dpr__metadata metadata[] = {{"net", "input 1 1 1\nlinear 2 # \"x\""}, {"empty", ""}};
    ok(dpr__safetensors_write(context, path, tensors, 5, metadata, 2));
}

static void writes_and_reads(void **state) {
    (void)state;
    dpr__safetensors file;
    write_sample();
    ok(dpr__safetensors_read(context, path, &file));
    assert_int_equal(file.n, 5);
    const dpr__stored *w = dpr__safetensors_find(&file, "w");
    assert_int_equal(w->dtype, DPR_F32);
    assert_int_equal(w->shape.rank, 2);
    assert_int_equal(w->shape.dim[0], 2);
    assert_int_equal(w->shape.dim[1], 3);
    assert_memory_equal(w->data, weights, sizeof weights);
    const dpr__stored *s = dpr__safetensors_find(&file, "seed");
    assert_int_equal(s->shape.rank, 0);
    assert_memory_equal(s->data, &seed, sizeof seed);
    assert_memory_equal(dpr__safetensors_find(&file, "bytes")->data, bytes3, sizeof bytes3);
    assert_int_equal(dpr__safetensors_find(&file, "none")->bytes, 0);
    assert_memory_equal(dpr__safetensors_find(&file, "batch \"\n\xc3\xa9")->data, &batch,
                        sizeof batch);
    assert_null(dpr__safetensors_find(&file, "W"));
    assert_string_equal(dpr__safetensors_metadata(&file, "net"), "input 1 1 1\nlinear 2 # \"x\"");
    assert_string_equal(dpr__safetensors_metadata(&file, "empty"), "");
    assert_null(dpr__safetensors_metadata(&file, "other"));
    /* Every tensor lies at a multiple of its element's size, as zero-copy readers need it. */
    for (size_t i = 0; i < file.n; i++) {
        size_t offset = (size_t)((const uint8_t *)file.tensors[i].data - file.file);
        size_t width = file.tensors[i].dtype == DPR_U64  ? 8
                       : file.tensors[i].dtype == DPR_U8 ? 1
                                                         : 4;
        assert_int_equal(offset % width, 0);
    }
    dpr__safetensors_release(&file);
}

/* A file with this header, and `data` zero bytes behind it. */
static dpr_status parse(const char *header, size_t data) {
    size_t length = strlen(header), n = 8 + length + data;
    uint8_t *bytes = calloc(n, 1); /* exactly n: ASan sees a read beyond */
    uint64_t stated = length;
    assert_non_null(bytes);
    memcpy(bytes, &stated, 8);
    memcpy(bytes + 8, header, length);
    dpr__safetensors file;
    dpr_status status = dpr__safetensors_parse(context, "bad.safetensors", bytes, n, &file);
    if (status == DPR_OK)
        dpr__safetensors_release(&file);
    free(bytes);
    return status;
}

static void refuse(const char *header, size_t data, dpr_status wanted, const char *says) {
    dpr_status status = parse(header, data);
    if (status != wanted)
        fail_msg("status %d for %s", (int)status, header);
    if (strstr(dpr_error(context), "bad.safetensors") == NULL ||
        strstr(dpr_error(context), says) == NULL)
        fail_msg("for %s the message is: %s", header, dpr_error(context));
}

#define TENSOR(dtype, shape, offsets)                                                              \
    "{\"w\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void accepts_the_smallest(void **state) {
    (void)state;
    assert_int_equal(parse("{}", 0), DPR_OK);
    assert_int_equal(parse("{}   ", 0), DPR_OK);
    assert_int_equal(parse("{\"__metadata__\":{}}", 0), DPR_OK);
    assert_int_equal(parse(TENSOR("F32", "[2]", "[0,8]"), 8), DPR_OK);
    assert_int_equal(parse(TENSOR("F64", "[]", "[0,8]"), 8), DPR_OK);
    /* data in another order than the header */
    assert_int_equal(parse("{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]},"
                           "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                           3),
                     DPR_OK);
}

static void refuses_bad_headers(void **state) {
    (void)state;
    refuse("", 0, DPR_E_FORMAT, "no object");
    refuse("[]", 0, DPR_E_FORMAT, "no object");
    refuse(" {}", 0, DPR_E_FORMAT, "no object");
    refuse("{\"__metadata__\":[]}", 0, DPR_E_FORMAT, "no object");
    refuse("{\"__metadata__\":{\"a\":1}}", 0, DPR_E_FORMAT, "no text");
    refuse("{\"w\":3}", 0, DPR_E_FORMAT, "must be an object");
    refuse("{\"w\":{}}", 0, DPR_E_FORMAT, "dtype");
    refuse(TENSOR("F16", "[2]", "[0,4]"), 4, DPR_E_UNSUPPORTED, "F16");
    refuse("{\"w\":{\"dtype\":4,\"shape\":[],\"data_offsets\":[0,1]}}", 1, DPR_E_FORMAT, "dtype");
    refuse("{\"w\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, DPR_E_FORMAT, "shape");
    refuse(TENSOR("U8", "3", "[0,3]"), 3, DPR_E_FORMAT, "shape");
    refuse(TENSOR("U8", "[1,1,1,1,1,1,1]", "[0,1]"), 1, DPR_E_FORMAT, "shape");
    refuse(TENSOR("U8", "[-1]", "[0,1]"), 1, DPR_E_FORMAT, "no size");
    refuse(TENSOR("U8", "[1.5]", "[0,1]"), 1, DPR_E_FORMAT, "no size");
    refuse(TENSOR("U8", "[\"1\"]", "[0,1]"), 1, DPR_E_FORMAT, "no size");
    refuse(TENSOR("U8", "[18446744073709551615]", "[0,1]"), 1, DPR_E_FORMAT, "no size");
    refuse(TENSOR("U8", "[18446744073709551617]", "[0,1]"), 1, DPR_E_FORMAT, "no size");
    refuse(TENSOR("U8", "[1099511627776,1099511627776]", "[0,1]"), 1, DPR_E_FORMAT, "too many");
    refuse(TENSOR("U8", "[4294967296,4294967296]", "[0,0]"), 0, DPR_E_FORMAT, "too many");
}

static void refuses_bad_offsets(void **state) {
    (void)state;
    refuse("{\"w\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, DPR_E_FORMAT, "two numbers");
    refuse(TENSOR("U8", "[1]", "[0]"), 1, DPR_E_FORMAT, "two numbers");
    refuse(TENSOR("U8", "[1]", "[0,1,1]"), 1, DPR_E_FORMAT, "two numbers");
    refuse(TENSOR("U8", "[1]", "[0,-1]"), 1, DPR_E_FORMAT, "two numbers");
    refuse(TENSOR("U8", "[1]", "{}"), 1, DPR_E_FORMAT, "two numbers");
    refuse(TENSOR("U8", "[1]", "[1,0]"), 1, DPR_E_FORMAT, "outside");
    refuse(TENSOR("U8", "[2]", "[0,2]"), 1, DPR_E_FORMAT, "outside");
    refuse(TENSOR("U8", "[1]", "[18446744073709551614,18446744073709551615]"), 1, DPR_E_FORMAT,
           "outside");
    refuse(TENSOR("F32", "[1]", "[0,3]"), 3, DPR_E_FORMAT, "differ in size");
    refuse(TENSOR("U8", "[1]", "[1,2]"), 2, DPR_E_FORMAT, "gap");
    refuse(TENSOR("U8", "[1]", "[0,1]"), 2, DPR_E_FORMAT, "no tensor");
    refuse("{}", 1, DPR_E_FORMAT, "no tensor");
    refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
           "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
           3, DPR_E_FORMAT, "overlap");
    refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
           "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
           2, DPR_E_FORMAT, "overlap");
    refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
           "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
           2, DPR_E_FORMAT, "twice");
}

static void refuses_bad_lengths(void **state) {
    (void)state;
    static const uint64_t stated[] = {3, 1000, 100000001, UINT64_MAX, UINT64_MAX - 7, 1U << 31};
    for (size_t i = 0; i < sizeof stated / sizeof *stated; i++) {
        uint8_t bytes[10] = {0};
        dpr__safetensors file;
        memcpy(bytes, &stated[i], 8);
        memcpy(bytes + 8, "{}", 2);
        assert_int_equal(dpr__safetensors_parse(context, "x", bytes, sizeof bytes, &file),
                         DPR_E_FORMAT);
    }
    assert_int_equal(dpr__safetensors_read(context, "/nonexistent/x", &(dpr__safetensors){0}),
                     DPR_E_IO);
}

/* The sample cut at every length, and with every byte changed: refused, or read as something
 * whole. */
static void survives_damage(void **state) {
    (void)state;
    uint8_t *bytes, *copy;
    size_t n;
    dpr__safetensors file;
    write_sample();
    ok(dpr__file_read(context, path, 1 << 20, &bytes, &n));
    for (size_t length = 0; length < n; length++) {
        copy = malloc(length > 0 ? length : 1);
        assert_non_null(copy);
        memcpy(copy, bytes, length);
        if (dpr__safetensors_parse(context, "cut", copy, length, &file) == DPR_OK)
            fail_msg("a file cut at %zu of %zu bytes was accepted", length, n);
        free(copy);
    }
    for (size_t at = 0; at < n; at++)
        for (int flip = 0; flip < 3; flip++) {
            copy = malloc(n);
            assert_non_null(copy);
            memcpy(copy, bytes, n);
            copy[at] ^= (uint8_t)(flip == 0 ? 0x01 : flip == 1 ? 0x80 : 0xFF);
            if (dpr__safetensors_parse(context, "flipped", copy, n, &file) == DPR_OK)
                dpr__safetensors_release(&file);
            free(copy);
        }
    dpr__free(context, bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads),    cmocka_unit_test(accepts_the_smallest),
        cmocka_unit_test(refuses_bad_headers), cmocka_unit_test(refuses_bad_offsets),
        cmocka_unit_test(refuses_bad_lengths), cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
