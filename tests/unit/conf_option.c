/* The option table holds together: no key twice in a section, fields of the
 * right kind, defaults as config_init sets them, everything explained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/assign.h"
#include "conf/config.h"
#include "conf/option.h"

static const struct option_row *next(const struct option_row *r)
{
	return r[1].key || r[1].flag ? r + 1 : NULL;
}

static void names_are_unique_where_they_are_known(void **state)
{
	(void)state;
	for (const struct option_row *a = option_table(); a; a = next(a)) {
		for (const struct option_row *b = next(a); b; b = next(b)) {
			if (a->key && b->key && (a->where & b->where & IN_FILE) && strcmp(a->key, b->key) == 0)
				fail_msg("key %s stands twice", a->key);
			if (a->flag && b->flag && (a->where & b->where & ~IN_FILE) && strcmp(a->flag, b->flag) == 0)
				fail_msg("--%s stands twice", a->flag);
			if (a->letter && a->letter == b->letter && (a->where & b->where & ~IN_FILE))
				fail_msg("-%c stands twice", a->letter);
		}
	}
}

static void every_row_is_complete(void **state)
{
	(void)state;
	for (const struct option_row *r = option_table(); r; r = next(r)) {
		const char *name = r->key ? r->key : r->flag;
		size_t doc = r->doc ? strlen(r->doc) : 0;

		if (doc < 8 || doc > 300 || r->doc[doc - 1] != '.')
			fail_msg("%s: its doc is no sentence", name);
		if (!(r->where & IN_FILE) != !r->key || !(r->where & ~IN_FILE) != !r->flag)
			fail_msg("%s: where does not match key and flag", name);
		if (r->flag && !r->arg != (r->type == OPTION_FLAG || r->type == OPTION_COUNT || r->type == OPTION_WISH) && !r->key)
			fail_msg("%s: argument's name", name);
		if (r->letter == 'h' || (r->flag && strcmp(r->flag, "help") == 0))
			fail_msg("%s: -h is help", name);
		if ((r->type == OPTION_NUMBER || r->type == OPTION_MEGABYTES || r->type == OPTION_PORT) && r->min >= r->max)
			fail_msg("%s: empty range", name);
		if ((r->type == OPTION_WORD || r->type == OPTION_SWITCH || r->type == OPTION_WISH) != (r->words != NULL))
			fail_msg("%s: words", name);
	}
}

/* Assigns the default that is printed and compares with the one that is set. */
static void defaults_are_as_printed(void **state)
{
	struct config set, printed;
	int checked = 0;

	(void)state;
	config_init(&set);
	for (const struct option_row *r = option_table(); r; r = next(r)) {
		struct server_spec spec = { 0 };
		struct local_spec local = { 0 };
		struct problems problems = { 0 };
		struct assignment a = { &printed, &spec, &problems, r->key ? r->key : r->flag, &local, NULL };
		struct option_value v = { .kind = VALUE_TEXT, .text = r->def, .is = "text" };

		if (!r->def || r->home != HOME_CONFIG || strncmp(r->def, "from", 4) == 0)
			continue;
		if (r->type == OPTION_NUMBER || r->type == OPTION_MEGABYTES) {
			v.kind = VALUE_NUMBER;
			v.number = atoll(r->def);
		} else if (r->type == OPTION_FLAG) {
			v.kind = VALUE_BOOL;
			v.number = strcmp(r->def, "true") == 0;
		}
		config_init(&printed);
		/* the field must be written, not merely left at its default */
		if (r->type == OPTION_NUMBER || r->type == OPTION_MEGABYTES)
			memset((char *)&printed + r->offset, 0xee, 4);
		else if (r->type == OPTION_FLAG)
			*(bool *)((char *)&printed + r->offset) = !v.number;
		if (!option_assign(&a, r, &v))
			fail_msg("%s: its default %s is refused", a.name, r->def);
		if (memcmp(&set, &printed, offsetof(struct config, texts)) != 0)
			fail_msg("%s: its default is not %s", a.name, r->def);
		config_free(&printed);
		problems_free(&problems);
		checked++;
	}
	assert_true(checked >= 12);
	config_free(&set);
}

static void ranges_are_kept_at_their_ends(void **state)
{
	(void)state;
	for (const struct option_row *r = option_table(); r; r = next(r)) {
		const int64_t tries[] = { (int64_t)r->min - 1, r->min, r->max, (int64_t)r->max + 1 };

		if (r->type != OPTION_NUMBER && r->type != OPTION_MEGABYTES && r->type != OPTION_PORT)
			continue;
		for (int i = 0; i < 4; i++) {
			struct config c;
			struct server_spec spec = { 0 };
			struct local_spec local = { 0 };
			struct problems problems = { 0 };
			struct assignment a = { &c, &spec, &problems, r->key ? r->key : r->flag, &local, NULL };
			struct option_value v = { .kind = VALUE_NUMBER, .number = tries[i], .is = "a number" };

			config_init(&c);
			if (option_assign(&a, r, &v) != (i == 1 || i == 2))
				fail_msg("%s: %lld", a.name, (long long)tries[i]);
			problems_free(&problems);
			config_free(&c);
		}
	}
}

static void rows_are_found_where_they_belong(void **state)
{
	(void)state;
	assert_non_null(option_find_key("tun_mtu", IN_LOCAL));
	assert_null(option_find_key("tun_mtu", IN_SERVER));
	assert_null(option_find_key("mtu", IN_LOCAL));
	assert_ptr_equal(option_find_flag("mtu", 3, FOR_RUN), option_find_key("tun_mtu", IN_TOP));
	assert_null(option_find_flag("mtu", 3, FOR_SERVER));
	assert_null(option_find_flag("mtux", 2, FOR_RUN));
	assert_ptr_equal(option_find_letter('k', FOR_SERVER), option_find_key("password", IN_TOP));
	assert_null(option_find_letter('k', FOR_CHECK));
}

static char *read_document(const char *path)
{
	static char text[100000];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	return text;
}

/* A line of docs/configuration.md with every one of these in it. */
static bool line_has(const char *text, const char *a, const char *b)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (memmem(text, len, a, strlen(a)) && memmem(text, len, b, strlen(b)))
			return true;
		text += len + (text[len] == '\n');
	}
	return false;
}

/* As the table of options has them: "| run, up |". */
static const char *commands_of(const struct option_row *r)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} commands[] = { { FOR_RUN, "run" }, { FOR_UP, "up" }, { FOR_SERVER, "server" }, { FOR_LOCAL, "local" } };
	static char text[64];
	size_t n = 0;

	if (!(r->where & FOR_ALL))
		return r->where & FOR_DOWN ? "| down |" : r->where & FOR_URL ? "| url |" : "| status |";
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (r->where & commands[i].bit)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %s", n ? "," : "|", commands[i].name);
	snprintf(text + n, sizeof(text) - n, " |");
	return text;
}

static void the_documentation_has_every_key_and_option(void **state)
{
	const char *text = read_document(TEST_DATA "/../docs/configuration.md");
	char name[80], value[80];

	(void)state;
	for (const struct option_row *r = option_table(); r; r = next(r)) {
		snprintf(value, sizeof(value), "`%s`", r->def ? r->def : "");
		if (r->key && r->type != OPTION_LATER && r->type != OPTION_INERT) {
			snprintf(name, sizeof(name), "`%s`", r->key);
			if (!line_has(text, name, r->def && strncmp(r->def, "from", 4) ? value : "|"))
				fail_msg("docs/configuration.md: key %s, default %s", r->key, r->def ? r->def : "none");
		}
		if (r->key && r->type == OPTION_NUMBER) {
			snprintf(value, sizeof(value), "%u\xe2\x80\x93%u", r->min, r->max);
			if (!line_has(text, name, value))
				fail_msg("docs/configuration.md: key %s, range %s", r->key, value);
		}
		if (r->flag) {
			snprintf(name, sizeof(name), "`--%s", r->flag);
			if (!line_has(text, name + (r->letter != 0), commands_of(r)))
				fail_msg("docs/configuration.md: option --%s", r->flag);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_unique_where_they_are_known),
		cmocka_unit_test(every_row_is_complete),
		cmocka_unit_test(defaults_are_as_printed),
		cmocka_unit_test(ranges_are_kept_at_their_ends),
		cmocka_unit_test(rows_are_found_where_they_belong),
		cmocka_unit_test(the_documentation_has_every_key_and_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
