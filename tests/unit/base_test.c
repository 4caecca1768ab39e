/* The base library: known answers of the random numbers and the hash, text and numbers, files, memory, context options. */
#include "base/context.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/sha256.h"
#include "base/text.h"
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

static dpr_context *context;
static char folder[] = "/tmp/deeper-base-XXXXXX";

static int setup(void **state) {
    (void)state;
    return dpr_context_create(NULL, &context) != DPR_OK || mkdtemp(folder) == NULL;
}

static int teardown(void **state) {
    (void)state;
    dpr_context_destroy(context);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static const char *in_folder(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---- random numbers ---- */

/* The known answers of Random123's kat_vectors; the counter is (index, stream, purpose), the key the seed. */
static void philox_gives_the_published_words(void **state) {
    (void)state;
    static const struct {
        uint64_t seed, index;
        uint32_t stream, purpose, want[4];
    } KNOWN[] = {{0, 0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                 {UINT64_MAX,
                  UINT64_MAX,
                  UINT32_MAX,
                  UINT32_MAX,
                  {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                 {0x299f31d0a4093822,
                  0x85a308d3243f6a88,
                  0x13198a2e,
                  0x03707344,
                  {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
    for (int i = 0; i < 3; i++) {
        dpr__draw draw = dpr__philox(KNOWN[i].seed, (dpr__purpose)KNOWN[i].purpose, KNOWN[i].stream,
                                     KNOWN[i].index);
        assert_memory_equal(draw.word, KNOWN[i].want, sizeof draw.word);
    }
}

static void permutations_are_permutations(void **state) {
    (void)state;
    for (uint64_t n = 1; n < 300; n++) {
        bool seen[300] = {false};
        for (uint64_t i = 0; i < n; i++) {
            uint64_t to = dpr__permute(7, DPR__PURPOSE_SHUFFLE, (uint32_t)n, i, n);
            assert_true(to < n);
            assert_false(seen[to]);
            seen[to] = true;
        }
    }
    /* Where 0 goes is spread over 10 places, some 1000 times each: within five standard deviations. */
    unsigned count[10] = {0};
    for (uint32_t epoch = 0; epoch < 10000; epoch++)
        count[dpr__permute(3, DPR__PURPOSE_SHUFFLE, epoch, 0, 10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(count[i], 850, 1150);
}

static void draws_have_their_moments(void **state) {
    (void)state;
    double sum = 0, squares = 0, units = 0;
    enum { N = 100000 };
    for (uint64_t i = 0; i < N; i++) {
        dpr__draw draw = dpr__philox(1, DPR__PURPOSE_INIT, 0, i);
        double x = dpr__normal(draw.word[0], draw.word[1]), u = dpr__unit(draw.word[2]);
        assert_true(isfinite(x) && u >= 0 && u < 1);
        sum += x;
        squares += x * x;
        units += u;
    }
    assert_true(fabs(sum / N) < 0.02 && fabs(squares / N - 1) < 0.03 &&
                fabs(units / N - 0.5) < 0.005);
    assert_true(isfinite(dpr__normal(0, 0)) && isfinite(dpr__normal(UINT32_MAX, UINT32_MAX)));
    assert_int_equal(dpr__below(UINT32_MAX, 7), 6);
    assert_int_equal(dpr__below(UINT32_MAX, 1), 0);
}

/* ---- hash ---- */

/* The CPU's instructions, where it has them, against the plain rounds. */
static void sha256_is_the_same_by_instructions(void **state) {
    (void)state;
    uint8_t blocks[5 * 64];
    for (size_t i = 0; i < sizeof blocks; i++)
        blocks[i] = (uint8_t)(i * i + 3 * i);
    for (size_t n = 0; n <= 5; n++) {
        uint32_t fast[8] = {1, 2, 3, 4, 5, 6, 7, 8}, plain[8] = {1, 2, 3, 4, 5, 6, 7, 8};
        if (!dpr__sha256_fast(fast, blocks, n))
            skip();
        dpr__sha256_plain(plain, blocks, n);
        assert_memory_equal(fast, plain, sizeof plain);
    }
}

/* Equal bytes, equal hashes; any bit, any length and any exchange of two words makes another. */
static void the_fast_hash_sees_every_bit(void **state) {
    (void)state;
    uint8_t bytes[100];
    uint64_t seen[8 * 100 + 101 + 9];
    size_t n = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t length = 0; length <= sizeof bytes; length++)
        seen[n++] = dpr__hash(bytes, length);
    assert_true(seen[100] == dpr__hash(bytes, 100));
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        seen[n++] = dpr__hash(bytes, sizeof bytes);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t word = 1; word < 10; word++) {
        uint8_t other[100];
        memcpy(other, bytes, sizeof other);
        memcpy(other, bytes + 8 * word, 8);
        memcpy(other + 8 * word, bytes, 8);
        seen[n++] = dpr__hash(other, sizeof other);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(seen[i] != seen[k]);
}

static void expect_hash(const char *text, size_t piece, const char *want) {
    dpr__sha256 hash;
    uint8_t digest[32];
    char hex[65];
    dpr__sha256_init(&hash);
    for (size_t at = 0, n = strlen(text); at < n; at += piece)
        dpr__sha256_add(&hash, text + at, n - at < piece ? n - at : piece);
    dpr__sha256_finish(&hash, digest);
    dpr__sha256_hex(digest, hex);
    assert_string_equal(hex, want);
}

/* FIPS 180-4's examples, and a million a's, in pieces of several sizes. */
static void sha256_gives_the_published_digests(void **state) {
    (void)state;
    expect_hash("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_hash("abc", 2, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 5,
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *million = malloc(1000001);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    million[1000000] = '\0';
    static const size_t PIECES[] = {1, 63, 64, 65, 1000, 1000000};
    for (size_t i = 0; i < sizeof PIECES / sizeof *PIECES; i++)
        expect_hash(million, PIECES[i],
                    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

/* ---- text ---- */

static void text_grows_and_escapes(void **state) {
    (void)state;
    dpr__text text;
    char *out;
    dpr__text_init(&text, context);
    for (int i = 0; i < 1000; i++)
        dpr__text_add(&text, "%d,", i);
    dpr__text_add(&text, "%2000d", 7);
    assert_int_equal(dpr__text_finish(&text, &out), DPR_OK);
    assert_int_equal(strlen(out), 3890 + 2000);
    assert_memory_equal(out, "0,1,2,", 6);
    dpr__free(context, out);
    dpr__text_init(&text, context);
    dpr__text_json(&text, "a\"b\\c\nd\x01 ü \xff\xc3");
    assert_int_equal(dpr__text_finish(&text, &out), DPR_OK);
    assert_string_equal(out, "\"a\\\"b\\\\c\\nd\\u0001 ü ??\"");
    dpr__free(context, out);
}

static void numbers_are_read_whole(void **state) {
    (void)state;
    double x;
    uint64_t n;
    static const char *const BAD[] = {"",    " 1", "1 ",    "1,5", "nan",   "inf",
                                      "0x1", "1e", "1e999", "--1", "1.2.3", "e5"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_false(dpr__parse_double(context, BAD[i], &x));
    assert_true(dpr__parse_double(context, "-1.5e-3", &x) && x == -1.5e-3);
    assert_true(dpr__parse_u64("18446744073709551615", &n) && n == UINT64_MAX);
    assert_false(dpr__parse_u64("18446744073709551616", &n));
    assert_false(dpr__parse_u64("-1", &n) || dpr__parse_u64("", &n) || dpr__parse_u64("1a", &n));
}

/* In a locale with decimal commas, where the machine has one. */
static void numbers_do_not_follow_the_locale(void **state) {
    (void)state;
    char out[32];
    double x;
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL)
        print_message("no German locale here: only the C locale is tried\n");
    dpr__format(context, out, sizeof out, "%.2f", 1.5);
    assert_string_equal(out, "1.50");
    assert_true(dpr__parse_double(context, "2.25", &x) && x == 2.25);
    setlocale(LC_ALL, "C");
}

static void utf8_is_told_from_garbage(void **state) {
    (void)state;
    static const char *const BAD[] = {
        "\x01",     "\x7f",     "\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xe2\x82", "\xc2\x85", "a\nb"};
    assert_true(dpr__utf8_is_clean("plain, dög, 日本, 🙂") && dpr__utf8_is_clean(""));
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_false(dpr__utf8_is_clean(BAD[i]));
}

static void the_nearest_word_is_near(void **state) {
    (void)state;
    static const char *const WORDS[] = {"linear", "relu", "dropout"};
    assert_string_equal(dpr_nearest_word("lienar", WORDS, 3), "linear");
    assert_string_equal(dpr_nearest_word("rell", WORDS, 3), "relu");
    assert_null(dpr_nearest_word("convolution", WORDS, 3));
    assert_null(dpr_nearest_word("x", WORDS, 0));
}

/* ---- files ---- */

static void files_are_read_up_to_a_limit(void **state) {
    (void)state;
    uint8_t *bytes;
    size_t n;
    char path[256];
    strcpy(path, in_folder("file"));
    assert_int_equal(dpr__file_write(context, path, "hello", 5), DPR_OK);
    assert_int_equal(dpr__file_read(context, path, 5, &bytes, &n), DPR_OK);
    assert_int_equal(n, 5);
    assert_string_equal((char *)bytes, "hello");
    dpr__free(context, bytes);
    assert_int_equal(dpr__file_read(context, path, 4, &bytes, &n), DPR_E_FORMAT);
    assert_int_equal(dpr__file_read(context, in_folder("none"), 4, &bytes, &n), DPR_E_IO);
    assert_non_null(strstr(dpr_error(context), "none"));
    assert_int_equal(dpr__file_read(context, folder, 4, &bytes, &n), DPR_E_IO);
    assert_int_equal(dpr__file_write(context, path, "", 0), DPR_OK);
    assert_int_equal(dpr__file_read(context, path, 0, &bytes, &n), DPR_OK);
    assert_int_equal(n, 0);
    dpr__free(context, bytes);
}

static void writes_are_all_or_nothing(void **state) {
    (void)state;
    dpr__writer writer;
    struct stat info;
    char path[256], leftover[300];
    strcpy(path, in_folder("whole"));
    snprintf(leftover, sizeof leftover, "%s.tmp", path);
    assert_int_equal(dpr__file_write(context, path, "old", 3), DPR_OK);
    mode_t mask = umask(0);
    umask(mask);
    assert_true(stat(path, &info) == 0 && (info.st_mode & 0777) == (0666 & ~mask));
    assert_int_equal(dpr__writer_begin(&writer, context, path), DPR_OK);
    dpr__writer_put(&writer, "new", 3);
    dpr__writer_abandon(&writer);
    assert_int_equal(access(leftover, F_OK), -1);
    /* What a killed writer left is used again; another writer's file is not touched. */
    FILE *file = fopen(leftover, "w");
    assert_non_null(file);
    fputs("half a model", file);
    fclose(file);
    assert_int_equal(dpr__file_write(context, path, "fresh", 5), DPR_OK);
    assert_int_equal(access(leftover, F_OK), -1);
    dpr__writer other;
    assert_int_equal(dpr__writer_begin(&other, context, path), DPR_OK);
    assert_int_equal(dpr__writer_begin(&writer, context, path), DPR_OK);
    dpr__writer_put(&other, "other", 5);
    dpr__writer_put(&writer, "mine", 4);
    assert_int_equal(dpr__writer_commit(&other), DPR_OK);
    assert_int_equal(dpr__writer_commit(&writer), DPR_OK);
    uint8_t *bytes;
    size_t n;
    assert_int_equal(dpr__file_read(context, path, 100, &bytes, &n), DPR_OK);
    assert_string_equal((char *)bytes, "mine");
    dpr__free(context, bytes);
    /* Places that cannot be written. */
    assert_int_equal(dpr__file_try_write(context, folder), DPR_E_IO);
    assert_int_equal(dpr__file_try_write(context, "/nonexistent/x"), DPR_E_IO);
    assert_int_equal(dpr__file_try_write(context, ""), DPR_E_IO);
    assert_int_equal(dpr__file_try_write(context, "/dev/null"),
                     DPR_E_IO); /* and it is still there */
    assert_true(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
    assert_int_equal(dpr__file_try_write(context, in_folder("could")), DPR_OK);
    assert_int_equal(access(in_folder("could"), F_OK), -1);
}

static void lines_are_added_whole_or_not(void **state) {
    (void)state;
    struct rlimit before, small = {1000, 1000};
    static char block[100000];
    uint8_t *bytes;
    size_t n;
    char path[256];
    strcpy(path, in_folder("lines"));
    assert_int_equal(dpr__file_append(context, path, "one\n", 4), DPR_OK);
    assert_int_equal(dpr__file_append(context, path, "two\n", 4), DPR_OK);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small); /* as a full disk: a part can be written */
    dpr_status status = dpr__file_append(context, path, block, sizeof block);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status, DPR_E_IO);
    assert_non_null(strstr(dpr_error(context), "lines"));
    assert_int_equal(dpr__file_read(context, path, 100000, &bytes, &n), DPR_OK);
    assert_string_equal((char *)bytes, "one\ntwo\n");
    dpr__free(context, bytes);
    assert_int_equal(dpr__file_append(context, folder, "x", 1), DPR_E_IO);
    assert_int_equal(dpr__file_append(context, "/nonexistent/x", "x", 1), DPR_E_IO);
}

static void a_full_disk_is_noticed(void **state) {
    (void)state;
    struct rlimit before, small = {1000, 1000};
    static char block[100000];
    char path[256];
    strcpy(path, in_folder("full"));
    assert_int_equal(dpr__file_write(context, path, "old", 3), DPR_OK);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    dpr_status status = dpr__file_write(context, path, block, sizeof block);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status, DPR_E_IO);
    uint8_t *bytes;
    size_t n;
    assert_int_equal(dpr__file_read(context, path, 100, &bytes, &n), DPR_OK);
    assert_string_equal((char *)bytes, "old");
    dpr__free(context, bytes);
}

/* ---- memory ---- */

static void memory_is_checked_and_aligned(void **state) {
    (void)state;
    void *memory;
    int *items = NULL;
    size_t capacity = 0;
    assert_int_equal(dpr__allocate(context, SIZE_MAX / 2, 3, &memory), DPR_E_MEMORY);
    assert_int_equal(dpr__allocate_aligned(context, SIZE_MAX - 8, 64, &memory), DPR_E_MEMORY);
    assert_int_equal(dpr__allocate(context, 0, 8, &memory), DPR_OK);
    dpr__free(context, memory);
    for (size_t alignment = 16; alignment <= 1 << 21; alignment *= 2) {
        assert_int_equal(dpr__allocate_aligned(context, 100, alignment, &memory), DPR_OK);
        assert_int_equal((uintptr_t)memory % alignment, 0);
        dpr__free_aligned(context, memory);
    }
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(dpr__grow(context, &items, &capacity, (size_t)i + 1, sizeof *items),
                         DPR_OK);
        assert_int_equal(items[i], 0);
        items[i] = i;
    }
    assert_int_equal(items[500], 500);
    assert_int_equal(dpr__grow(context, &items, &capacity, SIZE_MAX / 2, sizeof *items),
                     DPR_E_MEMORY);
    dpr__free(context, items);
    dpr__arena arena;
    dpr__arena_init(&arena, context);
    char *first = dpr__arena_text(&arena, "first", 5);
    for (int i = 0; i < 5000; i++)
        assert_non_null(dpr__arena_allocate(&arena, (size_t)i));
    assert_string_equal(first, "first");
    assert_null(dpr__arena_allocate(&arena, SIZE_MAX));
    dpr__arena_release(&arena);
}

/* ---- contexts ---- */

static void refuses(dpr_context_options options, dpr_status want, const char *words) {
    dpr_context *made;
    assert_int_equal(dpr_context_create(&options, &made), want);
    if (strstr(dpr_error(made), words) == NULL)
        fail_msg("wanted: %s\nsaid:   %s", words, dpr_error(made));
    dpr_context_destroy(made);
}

static void context_options_are_checked(void **state) {
    (void)state;
    dpr_context_options options = dpr_context_options_default();
    options.device = "gpu";
    refuses(options, DPR_E_ARGUMENT, "device 'gpu'");
    options = dpr_context_options_default();
    options.cpu_isa = "avx51";
    refuses(options, DPR_E_ARGUMENT, "'avx512'");
    options = dpr_context_options_default();
    options.disabled_passes = "fuse,simplfy";
    refuses(options, DPR_E_ARGUMENT, "did you mean 'simplify'?");
    options = dpr_context_options_default();
    options.log_topics = "dispath:debug";
    refuses(options, DPR_E_ARGUMENT, "did you mean 'dispatch'?");
    options.log_topics = "dispatch:debu";
    refuses(options, DPR_E_ARGUMENT, "did you mean 'debug'?");
    options = dpr_context_options_default();
    options.threads = 100000;
    refuses(options, DPR_E_ARGUMENT, "at most 1024");
    if (dpr__isa_detect() < DPR__ISA_AVX512) {
        options = dpr_context_options_default();
        options.cpu_isa = "avx512";
        refuses(options, DPR_E_UNSUPPORTED, "this machine has no avx512");
    }
    /* A caller that knows only the first members. */
    dpr_context *made;
    options = dpr_context_options_default();
    options.size = offsetof(dpr_context_options, device);
    options.device = "nonsense";
    assert_int_equal(dpr_context_create(&options, &made), DPR_OK);
    assert_true(dpr_context_threads(made) >= 1);
    dpr_context_destroy(made);
    dpr_context_destroy(NULL);
}

static void messages_may_quote_the_last_one(void **state) {
    (void)state;
    assert_int_equal(DPR_FAIL(context, DPR_E_IO, "one"), DPR_E_IO);
    assert_int_equal(DPR_FAIL(context, DPR_E_DATA, "two after %s", dpr_error(context)), DPR_E_DATA);
    assert_string_equal(dpr_error(context), "two after one");
    dpr__error_prefix(context, "file %d", 3);
    assert_string_equal(dpr_error(context), "file 3: two after one");
    assert_string_equal(dpr_status_text(DPR_E_DATA), "bad data set");
    assert_string_equal(dpr_status_text((dpr_status)999), "unknown status");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(philox_gives_the_published_words),
                                       cmocka_unit_test(permutations_are_permutations),
                                       cmocka_unit_test(draws_have_their_moments),
                                       cmocka_unit_test(sha256_gives_the_published_digests),
                                       cmocka_unit_test(sha256_is_the_same_by_instructions),
                                       cmocka_unit_test(the_fast_hash_sees_every_bit),
                                       cmocka_unit_test(text_grows_and_escapes),
                                       cmocka_unit_test(numbers_are_read_whole),
                                       cmocka_unit_test(numbers_do_not_follow_the_locale),
                                       cmocka_unit_test(utf8_is_told_from_garbage),
                                       cmocka_unit_test(the_nearest_word_is_near),
                                       cmocka_unit_test(files_are_read_up_to_a_limit),
                                       cmocka_unit_test(writes_are_all_or_nothing),
                                       cmocka_unit_test(lines_are_added_whole_or_not),
                                       cmocka_unit_test(a_full_disk_is_noticed),
                                       cmocka_unit_test(memory_is_checked_and_aligned),
                                       cmocka_unit_test(context_options_are_checked),
                                       cmocka_unit_test(messages_may_quote_the_last_one)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
