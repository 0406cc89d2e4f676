/* A plugin's words: whole lines, printable, and never its options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "transport/plugin_output.h"

/* What was logged while `bytes` came in pieces of `piece`. */
static void logged(struct plugin_output *o, const char *bytes, size_t piece, char *text, size_t size)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	size_t len = strlen(bytes);
	ssize_t n;

	log_setup(LOG_LEVEL_INFO, false, fd);
	for (size_t at = 0; at < len; at += piece)
		plugin_output_take(o, bytes + at, len - at < piece ? len - at : piece);
	plugin_output_end(o);
	log_setup(LOG_LEVEL_INFO, false, 2);
	n = pread(fd, text, size - 1, 0);
	text[n > 0 ? n : 0] = 0;
	close(fd);
}

static void lines_are_told_whole(void **state)
{
	char whole[512], bytewise[512];
	struct plugin_output a = { .name = "p" }, b = { .name = "p" };

	(void)state;
	logged(&a, "one\r\n\ntwo \033[31mred\nno end", 1000, whole, sizeof(whole));
	logged(&b, "one\r\n\ntwo \033[31mred\nno end", 1, bytewise, sizeof(bytewise));
	assert_string_equal(whole, bytewise);
	assert_non_null(strstr(whole, "plugin p says: one\n"));
	assert_non_null(strstr(whole, "plugin p says: two \\x1b[31mred\n"));
	assert_non_null(strstr(whole, "plugin p says: no end\n"));
	assert_string_equal(plugin_output_end(&a), "no end");
	plugin_output_begin(&a);
	assert_string_equal(plugin_output_end(&a), "");
}

static void its_options_are_not(void **state)
{
	struct plugin_output o = { .name = "p", .options = "key=hunter2" };
	char text[512];

	(void)state;
	logged(&o, "started with key=hunter2 for you\n", 7, text, sizeof(text));
	assert_string_equal(text, "");
	assert_null(strstr(plugin_output_end(&o), "hunter2"));
}

static void a_flood_is_held_back(void **state)
{
	static char flood[40000], text[40000];
	struct plugin_output o = { .name = "p" };
	size_t lines = 0;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(flood); i += 2)
		memcpy(flood + i, "x\n", 2);
	logged(&o, flood, 100, text, sizeof(text));
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_in_range(lines, 1, 2 * PLUGIN_LINES_PER_S); /* a second may end meanwhile */
}

static void a_line_without_end_is_cut(void **state)
{
	static char line[5000], text[20000];
	struct plugin_output o = { .name = "p" };

	(void)state;
	memset(line, 'y', sizeof(line) - 1);
	logged(&o, line, 333, text, sizeof(text));
	assert_non_null(strstr(text, "yyyy"));
	assert_true(strlen(plugin_output_end(&o)) < PLUGIN_LINE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_told_whole),
		cmocka_unit_test(its_options_are_not),
		cmocka_unit_test(a_flood_is_held_back),
		cmocka_unit_test(a_line_without_end_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
