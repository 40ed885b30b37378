/* log_test.c - what reaches a sink, and in which shape. */
#include "base/log.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct seen {
    int lines;
    enum rota_log_level level;
    char area[16], text[2048];
};

static void see(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    struct seen *seen = ctx;

    seen->lines++;
    seen->level = level;
    strcpy(seen->area, area);
    strcpy(seen->text, text);
}

static const struct level_case {
    const char *rule;
    enum rota_log_level sink, line;
    bool want;
} levels[] = {
    {"0 means info: info passes", 0, ROTA_LOG_INFO, true},
    {"0 means info: debug does not", 0, ROTA_LOG_DEBUG, false},
    {"the level itself passes", ROTA_LOG_WARN, ROTA_LOG_WARN, true},
    {"what is graver passes", ROTA_LOG_WARN, ROTA_LOG_ERROR, true},
    {"what is less grave does not", ROTA_LOG_WARN, ROTA_LOG_INFO, false},
    {"debug has all", ROTA_LOG_DEBUG, ROTA_LOG_DEBUG, true},
};

static void levels_decide(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(levels); i++) {
        struct seen seen = {0};
        struct rota_log log = {.write = see, .ctx = &seen, .level = levels[i].sink};
        print_message("  %s\n", levels[i].rule);
        assert_int_equal(rota_log_on(&log, levels[i].line), levels[i].want);
        rota_log_write(&log, levels[i].line, "area", "x");
        assert_int_equal(seen.lines, levels[i].want);
    }
}

static void no_sink_is_silence(void **state)
{
    const struct rota_log empty = {0};

    (void)state;
    assert_false(rota_log_on(NULL, ROTA_LOG_ERROR));
    assert_false(rota_log_on(&empty, ROTA_LOG_ERROR));
    rota_log_write(NULL, ROTA_LOG_ERROR, "area", "x");
    rota_log_write(&empty, ROTA_LOG_ERROR, "area", "x");
}

static void a_line_is_one_line(void **state)
{
    struct seen seen = {0};
    struct rota_log log = {.write = see, .ctx = &seen};

    (void)state;
    rota_log_write(&log, ROTA_LOG_WARN, "etcd", "peer said \"%s\" %d", "a\r\nforged\x1B[0m\x7F\xC2\x9B\xC2\xA0\xC3\xA9", 7);
    assert_int_equal(seen.level, ROTA_LOG_WARN);
    assert_string_equal(seen.area, "etcd");
    assert_string_equal(seen.text, "peer said \"a  forged [0m   \xC2\xA0\xC3\xA9\" 7");
}

static void a_long_line_is_cut(void **state)
{
    struct seen seen = {0};
    struct rota_log log = {.write = see, .ctx = &seen};

    (void)state;
    rota_log_write(&log, ROTA_LOG_INFO, "area", "%1022s\xC3\xA9", "x");
    assert_int_equal(strlen(seen.text), 1022);
}

/* Standard error as a file while the levels are written, so that the lines can be read back. */
static void written_to_stderr(char *ret_text, size_t cap_bytes)
{
    struct rota_log log = rota_log_stderr;
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);

    assert_non_null(file);
    log.level = ROTA_LOG_DEBUG;
    dup2(fileno(file), STDERR_FILENO);
    for (int level = ROTA_LOG_ERROR; level <= ROTA_LOG_DEBUG; level++)
        rota_log_write(&log, (enum rota_log_level)level, "net", "line");
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    ret_text[fread(ret_text, 1, cap_bytes - 1, file)] = '\0';
    fclose(file);
}

static void stderr_has_time_level_and_area(void **state)
{
    static const char *const ends[] = {"ERROR net: line", "WARN net: line", "INFO net: line", "DEBUG net: line"};
    char text[512];
    char *line = text;

    (void)state;
    assert_true(rota_log_on(&rota_log_stderr, ROTA_LOG_INFO));
    assert_false(rota_log_on(&rota_log_stderr, ROTA_LOG_DEBUG));
    written_to_stderr(text, sizeof(text));
    for (size_t i = 0; i < ROTA_COUNT(ends); i++) {
        int numbers[7];
        int stamp_size = 0;
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        assert_int_equal(sscanf(line, "%4d-%2d-%2d %2d:%2d:%2d.%6d %n", &numbers[0], &numbers[1], &numbers[2], &numbers[3],
                                &numbers[4], &numbers[5], &numbers[6], &stamp_size), 7);
        assert_int_equal(stamp_size, strlen("2021-10-13 15:32:35.777148 "));
        assert_string_equal(line + stamp_size, ends[i]);
        line = end + 1;
    }
    assert_string_equal(line, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_decide),
        cmocka_unit_test(no_sink_is_silence),
        cmocka_unit_test(a_line_is_one_line),
        cmocka_unit_test(a_long_line_is_cut),
        cmocka_unit_test(stderr_has_time_level_and_area),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
